"""What a screen asks beyond the picture: one frozen question, one frozen answer, over the socket as in the process.

A new question is a ``Look`` here and a line in ``every.py``, a handler registered with the engine's ``Lookout``, and a screen
that draws its answer.
"""
