"""What needs a person: opened by a condition, joined with its like, closed when the cause has gone, kept on disk."""
