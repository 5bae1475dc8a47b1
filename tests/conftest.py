"""Put this folder on the path, so that every test may import what they share, e.g. ``virtual_clock``."""
