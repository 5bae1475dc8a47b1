"""Fuzz what reads foreign bytes: ``python -m tests.fuzz``, with the extra ``fuzz`` installed."""
