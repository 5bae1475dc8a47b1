"""CERTIFY: the success criteria, measured on this machine against the promised load."""
