"""Fetching what a request asked for, from real servers on the loopback that stand for the open internet."""

import gzip
import logging
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import zstandard

from gexdesk.model.errors import AddressRefused, FetchError, GexdeskError, OversizePayload
from gexdesk.sources import address, tls
from gexdesk.sources.address import Addresses
from gexdesk.sources.fetch_once import REDIRECTS, Document, FetchOnce, SourceKey
from gexdesk.sources.secret import Secret
from tests.feed_server import Answer, FeedServer

KEY = "Kanarie-7/8+x=="
GOOD = Answer(body=b'{"a": 1}', headers={"Content-Type": "application/json"})


def once(*bases: str, hosts: tuple[str, ...] = (), key: SourceKey | None = None, **more: object) -> FetchOnce:
    """Return one whose configured sources are ``s0``, ``s1``, ...; the key is that of ``s0``."""
    addresses = Addresses({f"s{number}": base for number, base in enumerate(bases)}, hosts)
    options = {"timeout_s": 5.0, "cap_bytes": 100_000} | more
    return FetchOnce(addresses, {} if key is None else {"s0": key}, **options)  # type: ignore[arg-type]


async def refused(fetch: FetchOnce, url: str) -> GexdeskError:
    with pytest.raises(GexdeskError) as error:
        await fetch.get(url)
    assert error.value.message.isprintable()
    return error.value


async def test_a_document_comes_with_its_type_and_a_name_without_query() -> None:
    async with FeedServer(GOOD) as server:
        got = await once(f"{server.url}/q/SPX.json").get(f"{server.url}/q/NDX.json?day=1")
        assert got == Document(b'{"a": 1}', "application/json", "/q/NDX.json")
        [request] = server.requests
        assert request.headers["host"] == server.url.removeprefix("http://")
    assert (request.path, request.query) == ("/q/NDX.json", {"day": "1"})
    assert request.headers["user-agent"].startswith("gexdesk/")
    assert "cookie" not in request.headers


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("http://169.254.169.254/latest/meta-data", "169.254.169.254"),
        ("file:///etc/passwd", "must be http://"),
        ("gopher://127.0.0.1:6379/_FLUSHALL", "must be http://"),
        ("//169.254.169.254/", "169.254.169.254"),
        ("http://evil.example/q/x", "evil.example"),
        ("/etc/x", "is not allowed"),
        ("/q/%2e%2e/x", "step like .."),
        ("http://user:pass@evil.example/", "a user, a password"),
        ("http://[::1", "cannot be read"),
        ("\x01", "cannot be read"),
    ],
)
async def test_a_redirect_is_checked_as_if_it_had_been_asked_for(location: str, words: str) -> None:
    async with FeedServer(Answer(status=302, headers={"Location": location}), GOOD) as server:
        error = await refused(once(f"{server.url}/q/x"), f"{server.url}/q/x")
        assert isinstance(error, AddressRefused | FetchError)
        assert words in error.message or "redirect" in error.message or "broken answer" in error.message
        assert len(server.requests) == 1


async def test_a_redirect_to_another_source_of_ours_is_refused_and_its_key_stays() -> None:
    async with FeedServer(GOOD) as other, FeedServer(Answer(status=307, headers={"Location": f"{other.url}/q/x"})) as first:
        key = SourceKey(Secret(KEY), "X-Key", None)
        error = await refused(once(f"{first.url}/q/x", f"{other.url}/q/x", key=key), f"{first.url}/q/x")
        assert "away from where it was asked for" in error.message
        assert other.requests == []
        assert first.requests[0].headers["x-key"] == KEY


async def test_redirects_under_the_base_are_followed_three_times_and_a_circle_ends() -> None:
    async with FeedServer(*(Answer(status=301, headers={"Location": f"n{n}"}) for n in range(REDIRECTS)), GOOD) as server:
        assert (await once(f"{server.url}/q/x").get(f"{server.url}/q/x")).name == f"/q/n{REDIRECTS - 1}"
    async with FeedServer(Answer(status=302, headers={"Location": "x"})) as server:
        assert "more than 3 times" in (await refused(once(f"{server.url}/q/x"), f"{server.url}/q/x")).message
        assert len(server.requests) == REDIRECTS + 1
    async with FeedServer(Answer(status=302)) as server:
        assert (await refused(once(f"{server.url}/q/x"), f"{server.url}/q/x")).message == "302 Found"


async def test_a_name_that_changes_its_mind_is_connected_to_where_it_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rebinding: the first answer is what was checked; whoever would ask again would get the inside."""
    asked = []

    async def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    async with FeedServer(GOOD) as server:
        port = server.url.rpartition(":")[2]
        base = f"http://feed.example:{port}/q/x"
        got = await once(base, resolver=rebinding).get(base)
        assert got.body == GOOD.body
        assert asked == ["feed.example"]
        assert server.requests[0].headers["host"] == f"feed.example:{port}"
    # For a host of the allowlist every redirect is resolved and checked anew.
    asked.clear()
    monkeypatch.setattr(address, "public", lambda found: found == "127.0.0.1")
    fetch = once(hosts=("feed.example",), resolver=rebinding)
    monkeypatch.setattr(FetchOnce, "_once", _redirecting(FetchOnce._once))
    assert "169.254.169.254, which is not a public address" in (await refused(fetch, "https://feed.example/a")).message
    assert asked == ["feed.example", "feed.example"]


def _redirecting(real):  # type: ignore[no-untyped-def]
    """Let the first turn end in a redirect to the same host, without a server on port 443."""
    turns = []

    async def turn(self, destination):  # type: ignore[no-untyped-def]
        turns.append(destination)
        if len(turns) == 1:
            await address.pinned(destination, self._resolver)
            return "https://feed.example/b"
        return await real(self, destination)

    return turn


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (Answer(body=b"x" * 100_001), OversizePayload, "100,000"),
        (Answer(body=gzip.compress(bytes(5_000_000), mtime=0), headers={"Content-Encoding": "gzip"}), OversizePayload, ""),
        (Answer(body=zstandard.compress(bytes(5_000_000)), headers={"Content-Encoding": "zstd"}), OversizePayload, ""),
        (Answer(body=gzip.compress(b"x" * 500, mtime=0)[:-8], headers={"Content-Encoding": "gzip"}), FetchError, ""),
        (Answer(body=b"plain", headers={"Content-Encoding": "gzip"}), FetchError, ""),
        (Answer(body=b"x", headers={"Content-Encoding": "gzip,gzip"}), FetchError, ""),
        (Answer(body=b""), FetchError, "empty body"),
        (Answer(status=204), FetchError, "204"),
        (Answer(status=206, body=b"x"), FetchError, "206"),
        (Answer(status=304), FetchError, "304"),
        (Answer(status=404, body=b"x"), FetchError, "404 Not Found"),
        (Answer(status=429, headers={"Retry-After": "99999999"}), FetchError, "429"),
        (Answer(status=500, body=b"x"), FetchError, "500"),
        (Answer(body=b"x" * 100, cut_after=10), FetchError, ""),
        (Answer(body=b"x" * 1000, chunk_bytes=10, cut_after=100), FetchError, ""),
        (Answer(body=b"x" * 1000, drip_s=0.05), FetchError, "timed out after 0.4 s"),
        (Answer(body=b"x", delay_s=3), FetchError, "timed out after 0.4 s"),
    ],
    ids=str,
)
async def test_what_a_server_does_wrong_ends_in_one_line(answer: Answer, kind: type[GexdeskError], words: str) -> None:
    async with FeedServer(answer) as server:
        error = await refused(once(f"{server.url}/q/x", timeout_s=0.4), f"{server.url}/q/x")
    assert isinstance(error, kind)
    assert words in error.message


async def test_nobody_there_is_said(unused_tcp_port: int) -> None:
    base = f"http://127.0.0.1:{unused_tcp_port}/q/x"
    assert (await refused(once(base), base)).message == "connection refused"


@pytest.mark.parametrize("placed", ["header", "param"])
async def test_a_key_goes_to_its_own_source_and_into_no_log(placed: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("httpx2", "httpcore2.http11", "httpcore2.connection"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    key = SourceKey(Secret(KEY), "X-Key" if placed == "header" else None, "key" if placed == "param" else None)
    async with FeedServer(GOOD) as own, FeedServer(GOOD) as other:
        fetch = once(f"{own.url}/q/x", f"{other.url}/q/x", key=key)
        assert KEY not in repr(await fetch.get(f"{own.url}/q/y?day=1"))
        await fetch.get(f"{other.url}/q/y")
        [asked], [elsewhere] = own.requests, other.requests
        assert (asked.headers.get("x-key") or asked.query.get("key")) == KEY
        assert asked.query.get("day") == "1"
        assert KEY not in str(elsewhere)
        for broken in (Answer(status=500), Answer(status=302, headers={"Location": f"http://evil.example/?key={KEY}"})):
            own.answers = [broken]
            assert KEY not in (await refused(fetch, f"{own.url}/q/y")).message
    assert KEY not in caplog.text
    assert "Kanarie" not in caplog.text


@pytest.fixture
def trust(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the client trust the loopback's certificate."""
    tls.trusted.cache_clear()
    monkeypatch.setenv("SSL_CERT_FILE", str(Path(__file__).with_name("loopback_cert.pem")))
    yield
    tls.trusted.cache_clear()


@asynccontextmanager
async def secure(*answers: Answer) -> AsyncIterator[FeedServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(Path(__file__).with_name("loopback_cert.pem"))
    async with FeedServer(*answers, tls=context) as server:
        yield server


async def test_the_certificate_is_held_to_the_name_that_was_asked_for_not_to_the_address(trust: None) -> None:
    async def here(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    async with secure(GOOD) as server:
        assert (await once(f"{server.url}/q/x").get(f"{server.url}/q/x")).body == GOOD.body
        named = server.url.replace("127.0.0.1", "feed.example") + "/q/x"
        error = await refused(once(named, resolver=here), named)
        assert error.message.startswith("TLS certificate refused: Hostname mismatch")
        assert len(server.requests) == 1
    async with FeedServer(GOOD) as plain, secure(Answer(status=302, headers={"Location": f"{plain.url}/q/x"})) as server:
        assert isinstance(await refused(once(f"{server.url}/q/x"), f"{server.url}/q/x"), AddressRefused)
        assert plain.requests == []


async def test_fetching_does_not_hold_up_the_loop(trust: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Certificates are read once, on a thread: on the loop each fetch would stop the desk for tens of milliseconds."""
    here, loaded = threading.get_ident(), []
    load = ssl.SSLContext.load_verify_locations

    def noted(self: ssl.SSLContext, *args: object, **kwargs: object) -> None:
        loaded.append(threading.get_ident())
        load(self, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", noted)
    async with secure(GOOD) as server:
        fetch = once(f"{server.url}/q/x")
        for _ in range(3):
            await fetch.get(f"{server.url}/q/x")
    assert loaded
    assert here not in loaded
    assert len(loaded) == 1
