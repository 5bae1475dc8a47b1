"""Keep the HTTP library's own loggers from writing URLs and headers, and so keys, whatever level somebody sets them to."""

import logging

_CHATTY = (
    "httpx2",
    *(f"httpcore2.{part}" for part in ("connection", "http11", "http2", "proxy", "socks")),
    "hpack.hpack",
    "hpack.table",
)


def hush() -> None:
    """Drop what they write; called before a client is made, as often as one is."""
    for chatty in _CHATTY:
        logging.getLogger(chatty).addFilter(_drop)


def _drop(_: logging.LogRecord) -> bool:
    return False
