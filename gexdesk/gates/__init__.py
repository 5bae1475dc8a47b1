"""Facts of a snapshot -> findings: what may reach readers, what is flagged, what is held back. Pure: no clock, no state."""
