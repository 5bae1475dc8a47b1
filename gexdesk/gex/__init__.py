"""SNAPSHOT -> EXPOSURE. Pure functions on numpy columns; every formula names its source."""
