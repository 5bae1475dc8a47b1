"""DECISION -> ORDER. Strict global priority, durable, pausable by source."""
