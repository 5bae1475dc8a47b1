"""What operators may do: one file a family of levers, one way through the audit."""
