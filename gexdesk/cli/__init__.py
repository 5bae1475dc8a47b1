"""One file a family of verbs."""
