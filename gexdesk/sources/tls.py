"""The certificates that servers are trusted by."""

import ssl
from functools import cache


@cache
def trusted() -> ssl.SSLContext:
    """Return the context that checks servers' certificates; the first call takes a quarter of a second, so not on the loop.

    Raises:
        OSError: SSL_CERT_FILE names something that is not there, or no certificates.
    """
    import httpx2

    return httpx2.create_ssl_context()
