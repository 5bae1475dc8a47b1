"""One screen a file, each drawing one frozen view."""
