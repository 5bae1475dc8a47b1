"""KEEPS. Payload spool, metadata, lake, live cache, audit."""
