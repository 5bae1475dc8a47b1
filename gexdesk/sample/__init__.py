"""The generator of ``sample_data/`` and its story."""
