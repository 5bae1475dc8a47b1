"""What is wrong now: one file a cause, each with its condition and its thresholds, asked once a second."""
