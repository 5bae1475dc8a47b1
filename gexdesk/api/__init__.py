"""THE DOOR. HTTP and WebSocket over an owner-only unix socket; the client on its other side."""
