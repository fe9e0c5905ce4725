"""The course's students as its roster lists them."""
