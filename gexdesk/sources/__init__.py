"""BYTES IN. Each source gets bytes and hands them over; it knows nothing of what they mean."""
