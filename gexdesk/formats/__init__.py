"""BYTES -> SNAPSHOT. Each format decodes one vendor's layout; runs in a pool process or, for small documents, in the engine."""
