"""A frozen picture of the running desk: all that a screen draws. Texts in it are printable already.

Ages are not in it: a screen computes them from ``*_at`` and its estimate of the engine's clock, so that they go on
counting between two views.
"""
