"""The operator's configuration: validated tables, layered from what is built in, a file, the environment and flags."""
