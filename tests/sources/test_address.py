"""What a submitted URL may make the desk fetch: nothing inside, nothing by another name, nothing that hides where it goes."""

import socket

import pytest

from gexdesk.model.errors import AddressRefused, SettingsError
from gexdesk.sources.address import URL_LIMIT, Addresses, Destination, pinned, public
from gexdesk.sources.fetch_once import resolve

INWARD = [
    "127.0.0.1", "127.1", "0x7f000001", "2130706433", "0177.0.0.1", "0", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[::127.0.0.1]", "[2002:7f00:1::]", "[fe80::1]", "[fd00:ec2::254]", "169.254.169.254",
    "100.100.100.200", "100.64.0.1", "10.0.0.1", "172.16.0.1", "192.168.0.1", "198.18.0.1", "192.0.0.1", "192.0.2.1", "224.0.0.1",
    "255.255.255.255", "localhost", "localhost.", "LOCALHOST", "foo.localhost", "127.0.0.1.nip.io",
    "\u2460\u2461\u2466.\u24ea.\u24ea.\u2460", "evil.example@127.0.0.1", "127.0.0.1#@evil.example", "127.0.0.1\\@evil.example",
    "127.0.0.1%00.evil.example", "evil.example:6379", "evil.example:22", "user:pass@feed.example", "[::1", "evil.example:99999",
    "", "/x", "a b", "x\r\nHost: y", "evil.example:0x1bb", "evil.example:-1", "evil.example:",
]  # fmt: skip
OTHER = [
    "file:///etc/passwd", "file://localhost/etc/passwd", "ftp://x/", "gopher://127.0.0.1:6379/_FLUSHALL",
    "dict://127.0.0.1:11211/", "unix:///run/redis.sock", "data:text/plain,x", "jar:http://x!/", "ws://127.0.0.1:6379/",
    "http+unix://x", "//evil.example/", "redis://127.0.0.1/0", "s3://bucket/key", "HTTP://EVIL.EXAMPLE/%2e%2e/", "javascript:1",
    "", " ", "https://", "https:evil.example", "https:///evil.example", "\thttps://evil.example/", "https://evil.example/\x00",
    "https://evil.example/" + "a" * URL_LIMIT, "https://evil.example/a/../b", "https://evil.example/a/%2E%2e/b",
    "https://evil.example/a%2fb", "https://evil.example/a%5cb", "https://evil.example/#f", "https://evil.example/é",
]  # fmt: skip
HOSTILE = [f"{scheme}://{host}/" for scheme in ("http", "https") for host in INWARD] + OTHER


@pytest.mark.parametrize("url", [url for url in HOSTILE if url != "https://evil.example:/"], ids=ascii)
def test_a_hostile_url_is_refused_with_and_without_an_allowlist(url: str) -> None:
    for hosts in ((), ("evil.example", "feed.example", "x", "y")):
        with pytest.raises(AddressRefused) as refused:
            Addresses({"spx": "https://cdn.example/quotes/SPX.json"}, hosts).destination(url)
        assert refused.value.message.isprintable()
        assert len(refused.value.message) < 400


@pytest.mark.parametrize("host", [host for host in INWARD if not set(host) & set("@#%\\ \r/:") and host.isascii() and host])
def test_an_allowlist_cannot_be_talked_into_an_address(host: str) -> None:
    """Whatever stands in the allowlist: a host that is an address, or has no dot, is none."""
    if host in ("foo.localhost", "127.0.0.1.nip.io"):
        return  # names: what they lead to is looked at when they are resolved
    with pytest.raises(AddressRefused):
        Addresses({}, (host.lower(), host)).destination(f"https://{host}/")


def test_allowed_hosts_and_bases_are_taken_as_they_are_written() -> None:
    addresses = Addresses({"spx": "http://10.0.0.5:8080/quotes/SPX.json", "all": "https://cdn.example/"}, ("feed.example",))
    assert addresses.destination("https://feed.example/a/b.json?x=1").source is None
    assert addresses.destination("https://FEED.example:443/").host == "feed.example"
    here = addresses.destination("http://10.0.0.5:8080/quotes/NDX.json")
    assert here == Destination("http://10.0.0.5:8080/quotes/NDX.json", "10.0.0.5", 8080, "spx")
    assert addresses.destination("http://10.0.0.5:8080/quotes/").source == "spx"
    assert addresses.destination("https://cdn.example/any/thing").source == "all"
    top = Addresses({"spx": "http://10.0.0.5/SPX.json", "api": "http://10.0.0.6/v1"}, ())
    assert top.destination("http://10.0.0.5/SPX.json?x=1").source == "spx"
    assert top.destination("http://10.0.0.6/v1/SPX").source == "api"
    bases = {"a": "http://10.0.0.5/q/a.json", "b": "http://10.0.0.5/q/b.json", "deep": "http://10.0.0.5/q/deep/"}
    several = Addresses(bases, ())
    for path, source in (("q/a.json", "a"), ("q/b.json", "b"), ("q/deep/x.json", "deep"), ("q/other.json", "a")):
        assert several.destination(f"http://10.0.0.5/{path}?key=1").source == source
    for url in ("http://10.0.0.5/", "http://10.0.0.5/admin", "http://10.0.0.6/v1x", "http://10.0.0.6/v2", "http://10.0.0.6/"):
        with pytest.raises(AddressRefused):
            top.destination(url)
    for outside in (
        "http://10.0.0.5:8080/quotes", "http://10.0.0.5:8080/quotesX/a", "http://10.0.0.5:8080/", "http://10.0.0.5/quotes/SPX.json",
        "https://10.0.0.5:8080/quotes/SPX.json", "http://10.0.0.6:8080/quotes/SPX.json", "http://feed.example/a",
        "https://sub.feed.example/", "https://feed.example.evil.example/", "https://feed.example:8443/", "http://cdn.example/a",
    ):  # fmt: skip
        with pytest.raises(AddressRefused):
            addresses.destination(outside)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255", "192.0.2.1", "::1",
        "::",
        "fec0::1", "feff::1",
        "fe80::1", "fd00:ec2::254", "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::", "::127.0.0.1", "::ffff:8.8.8.8", "2001::1",
        "ff02::1", "2001:db8::1", "240.0.0.1", "not an address", "fe80::1%eth0",
    ],
)  # fmt: skip
async def test_a_name_that_leads_inward_is_refused_even_beside_a_public_address(address: str) -> None:
    assert not public(address)
    there = Addresses({}, ("feed.example",)).destination("https://feed.example/")

    async def resolver(host: str, port: int) -> list[str]:
        assert (host, port) == ("feed.example", 443)
        return ["8.8.8.8", address]

    with pytest.raises(AddressRefused, match="not a public address"):
        await pinned(there, resolver)


async def test_a_public_name_is_pinned_to_its_first_address_and_a_configured_source_may_be_anywhere() -> None:
    async def resolver(host: str, port: int) -> list[str]:
        return {"feed.example": ["2606:4700::1111", "8.8.8.8"], "10.0.0.5": ["10.0.0.5"]}.get(host, [])

    addresses = Addresses({"spx": "http://10.0.0.5/q/a", "gone": "http://gone.example/q/a"}, ("feed.example",))
    assert await pinned(addresses.destination("https://feed.example/"), resolver) == "2606:4700::1111"
    assert await pinned(addresses.destination("http://10.0.0.5/q/b"), resolver) == "10.0.0.5"
    with pytest.raises(AddressRefused, match="has no address"):
        await pinned(addresses.destination("http://gone.example/q/b"), resolver)

    async def nobody(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service\x1b[2J not known")

    with pytest.raises(AddressRefused, match="cannot be resolved") as refused:
        await pinned(addresses.destination("https://feed.example/"), nobody)
    assert refused.value.message.isprintable()


async def test_the_systems_resolver_gives_each_address_once() -> None:
    assert list(await resolve("127.0.0.1", 80)) == ["127.0.0.1"]
    # The system reads these as loopback too, which is why only names may stand in a URL of an allowed host.
    assert list(await resolve("0x7f000001", 80)) == ["127.0.0.1"]


def test_a_configured_url_that_is_none_is_told_with_its_source() -> None:
    with pytest.raises(SettingsError, match="source cboe: url or base_url: the URL carries a user, a password"):
        Addresses({"good": "https://a.example/x", "cboe": "http://u:pw@127.0.0.1:1/x"}, [])
