"""What flows through the house: frozen values, no behaviour beyond their own arithmetic.

Every ``*_at`` is UTC seconds since the epoch as a float; ``datetime`` appears only at the edges (stores, screens).
``None`` always means "not known", never zero. This file imports nothing: a screen takes ``model.view`` without numpy.
"""
