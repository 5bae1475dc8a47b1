"""BYTES -> SNAPSHOT. Each format decodes one vendor's layout, always in a process that may die of it."""
