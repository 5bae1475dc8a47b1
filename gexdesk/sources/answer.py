"""Read what a server says beside the body."""

import socket
import ssl
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import httpx2

RETRY_AFTER_CAP_S = 300.0
"""Longest wait a server is granted: a header that asks for years must not switch a feed off."""

_YEAR_S = 365.25 * 86_400


def status_line(code: int) -> str:
    """Return e.g. ``503 Service Unavailable``, in the standard's words and not the server's."""
    try:
        return f"{code} {HTTPStatus(code).phrase}"
    except ValueError:
        return str(code)


def origin_of(location: str) -> str:
    """Return where a redirect leads, without path and query: a server may put the key there."""
    try:
        parts = urlsplit(location)
    except ValueError:
        return "an address that cannot be read"
    return f"{parts.scheme}://{parts.hostname}" if parts.scheme and parts.hostname else "another path of the same host"


def retry_after_s(value: str, now: float) -> float | None:
    """Return the seconds a Retry-After header asks for, uncapped; None where it says nothing usable.

    Args:
        value: Seconds, or an HTTP date (RFC 9110, 10.2.3).
        now: UTC seconds.
    """
    value = value.strip()
    if value.isascii() and value.isdecimal():
        return float(value[:12])
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def asked_wait(asked_s: float) -> str:
    """Say how long a server asks to be left alone, and where that is more than is granted, how long it will be."""
    words = f"the server asks to wait {_span(asked_s)}"
    return words if asked_s <= RETRY_AFTER_CAP_S else f"{words}; asked again in {_span(RETRY_AFTER_CAP_S)}"


def _span(seconds: float) -> str:
    if seconds >= 100 * _YEAR_S:
        return "over 100 years"
    for unit_s, unit in ((_YEAR_S, "years"), (86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * unit_s:
            return f"{seconds / unit_s:.0f} {unit}"
    return f"{seconds:.0f} s"


def validators_of(headers: "httpx2.Headers") -> dict[str, str]:
    """Return the request headers that ask whether this answer still stands."""
    kept = {}
    for given, asked in (("etag", "If-None-Match"), ("last-modified", "If-Modified-Since")):
        value = headers.get(given, "")
        if value and len(value) <= 1024 and value.isascii() and value.isprintable():
            kept[asked] = value
    return kept


def why(error: Exception, timeout_s: float) -> str:
    """Say what kept a request from an answer, in an operator's words; it may quote the server, so redact it."""
    import httpx2

    if isinstance(error, TimeoutError | httpx2.TimeoutException):
        return f"timed out after {timeout_s:g} s"
    if cause := cause_of(error):
        return cause
    if isinstance(error, httpx2.RemoteProtocolError):
        return f"broken answer: {error}"
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def cause_of(error: Exception) -> str:
    """Name the fault of the network or of TLS behind an error, in an operator's words; empty where there is none."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"TLS certificate refused: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            return f"TLS failed: {cause.reason or cause}"
        if isinstance(cause, socket.gaierror):
            return f"the host name cannot be resolved: {cause.strerror}"
        if isinstance(cause, ConnectionRefusedError):
            return "connection refused"
        if isinstance(cause, ConnectionResetError):
            return "connection reset by the server"
        cause = cause.__cause__ or cause.__context__
    return ""


def may_pass(error: Exception) -> bool:
    """Say whether the same request may go well in a moment; a certificate that is refused will be refused again."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return False
        cause = cause.__cause__ or cause.__context__
    return True
