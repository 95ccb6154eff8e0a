"""The soak is tested: it finds nothing where nothing is wrong, and finds what is."""
