"""FEATURES -> DECISION. Firm rules from a file, compiled once, decided purely."""
