"""One day of a course as its people live it: the same script for every shape of the server."""
