"""The course server: settings, exchange, grading and the command line `logitlab`."""
