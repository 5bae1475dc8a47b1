"""Keys: random, kept as digests, with scopes, a rate and an end; on the unix socket the kernel says who calls."""

import asyncio
import getpass
import grp
import hashlib
import json
import os
import stat
from contextlib import aclosing, suppress
from pathlib import Path

import pytest
from starlette.requests import HTTPConnection
from websockets.exceptions import ConnectionClosed

from gexdesk.api import door
from gexdesk.api.client import Client
from gexdesk.api.guard import Guard
from gexdesk.api.keys import KEYS_NAME, KeyBook, Scope
from gexdesk.api.rate import BUCKETS, RateLimit
from gexdesk.api.refusals import NoKey, TooMany
from gexdesk.model.errors import EngineAway, SettingsError, StoreError, UnknownTarget
from gexdesk.model.lever import Lever, Verb
from gexdesk.stores.audit import Audit
from tests.api.served_engine import in_shape, on_tcp, served, with_key

VIEW = "/api/v1/view"


def test_a_key_has_256_random_bits_and_only_its_digest_is_kept(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        made = [KeyBook(tmp_path).create("loader", [Scope.READ, Scope.READ, Scope.SUBMIT], now=1000.0) for _ in range(20)]
    finally:
        os.umask(before)
    secrets = {secret for secret, _ in made}
    assert len(secrets) == 20
    assert all(secret.startswith("gxd_") and len(secret) == 4 + 43 for secret in secrets)  # 43 characters of base64 are 256 bits
    file = tmp_path / KEYS_NAME
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    text = file.read_text()
    assert not any(secret in text or secret.removeprefix("gxd_") in text for secret in secrets)
    kept = json.loads(text)["keys"]
    assert {entry["digest"] for entry in kept} == {hashlib.sha256(secret.encode()).hexdigest() for secret in secrets}
    assert kept[0]["scopes"] == ["read", "submit"]


def test_every_digest_is_compared_whole_whichever_key_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = KeyBook(tmp_path)
    secrets = [book.create(f"k{n}", [Scope.READ], now=0.0)[0] for n in range(5)]
    compared: list[tuple[str, str]] = []

    def compare(kept: str, shown: str) -> bool:
        compared.append((kept, shown))
        return kept == shown

    monkeypatch.setattr("gexdesk.api.keys.hmac.compare_digest", compare)
    for shown in (secrets[0], secrets[4], "gxd_nobody's", "", "é\x00"):
        compared.clear()
        found = book.holder(shown, 1.0)
        assert (found is not None) == (shown in secrets)
        assert len(compared) == 5
        assert all(len(pair[1]) == 64 for pair in compared)


def test_a_key_without_scope_or_name_is_refused_and_a_damaged_file_lets_nobody_in(tmp_path: Path) -> None:
    book = KeyBook(tmp_path)
    with pytest.raises(SettingsError, match="at least one scope of read, submit, operate, admin"):
        book.create("x", [], now=0.0)
    with pytest.raises(SettingsError, match="needs a name"):
        book.create("\x1b\x00", [Scope.READ], now=0.0)
    secret, key = book.create("x", [Scope.READ], now=0.0)
    assert book.revoke(key.id, 5.0).revoked_at == 5.0
    with pytest.raises(UnknownTarget):
        book.revoke(key.id, 6.0)
    (tmp_path / KEYS_NAME).write_text("[{")
    with pytest.raises(StoreError, match="no key is valid until it is mended"):
        KeyBook(tmp_path).holder(secret, 1.0)


def test_two_programs_that_make_keys_at_once_lose_none(tmp_path: Path) -> None:
    books = [KeyBook(tmp_path) for _ in range(8)]

    async def make() -> None:
        await asyncio.gather(*(asyncio.to_thread(book.create, "x", [Scope.READ], 0.0) for book in books for _ in range(5)))

    asyncio.run(make())
    assert len(KeyBook(tmp_path).all()) == 40


async def test_both_headers_are_taken_and_a_wrong_key_is_none(tmp_path: Path) -> None:
    async with on_tcp(tmp_path) as desk:
        key = desk.key(Scope.READ)
        assert (await desk.http.get(VIEW, headers={"X-API-Key": key})).status_code == 200
        assert (await desk.http.get(VIEW, headers={"Authorization": f"Bearer {key}"})).status_code == 200
        assert (await desk.http.get(VIEW, headers={"Authorization": f"bearer  {key}"})).status_code == 200
        for headers in ({"Authorization": f"Basic {key}"}, {"X-API-Key": key[:-1]}, {"X-API-Key": key + "x"}, {"X-API-Key": ""}):
            refused = await desk.http.get(VIEW, headers=headers)
            assert (refused.status_code, in_shape(refused)["error"]) == (401, "no_key")
            assert key not in refused.text
        in_query = await desk.http.get(f"{VIEW}?X-API-Key={key}")
        assert in_query.status_code == 400  # a key is no parameter, and is not repeated
        assert key not in in_query.text


async def test_a_running_engine_sees_keys_made_ended_and_revoked_at_once(tmp_path: Path) -> None:
    async with on_tcp(tmp_path) as desk:
        key, book = desk.key(Scope.READ), KeyBook(desk.state)
        assert (await desk.http.get(VIEW, headers=with_key(key))).status_code == 200
        book.revoke(book.all()[0].id, 1.0)
        assert (await desk.http.get(VIEW, headers=with_key(key))).status_code == 401
        brief = desk.key(Scope.READ, for_s=0.3)
        assert (await desk.http.get(VIEW, headers=with_key(brief))).status_code == 200
        await asyncio.sleep(0.3)
        assert (await desk.http.get(VIEW, headers=with_key(brief))).status_code == 401


@pytest.mark.parametrize("path", ["/api/v1/views", "/api/v1/ingest/status"])
async def test_a_revoked_key_loses_the_sockets_it_had_opened(tmp_path: Path, path: str) -> None:
    async with on_tcp(tmp_path) as desk:
        other = desk.key(Scope.READ)
        async with desk.socket(path, desk.key(Scope.READ)) as socket, desk.socket(path, other) as stays:
            await socket.recv()
            KeyBook(desk.state).revoke(KeyBook(desk.state).all()[1].id, 1.0)
            async with asyncio.timeout(5):
                with suppress(ConnectionClosed):
                    async for _ in socket:
                        pass
            assert (socket.close_code, "revoked" in (socket.close_reason or "")) == (1008, True)
            for _ in range(3):
                assert await stays.recv()


async def test_each_key_has_a_rate_of_its_own_and_429_says_when_to_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gexdesk.api.guard.FAILED_PER_MINUTE", 6)
    async with on_tcp(tmp_path) as desk:
        slow, quick = desk.key(Scope.READ, per_minute=6), desk.key(Scope.READ)
        answers = [await desk.http.get(VIEW, headers=with_key(slow)) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [200, 429]
        refused = in_shape(answers[-1])
        assert refused["error"] == "too_many"
        assert 5 <= int(answers[-1].headers["retry-after"]) <= 10
        assert 5 < refused["details"]["retry_after_s"] <= 10
        assert (await desk.http.get(VIEW, headers=with_key(quick))).status_code == 200
        # Whoever guesses keys is slowed down by address, and whoever has one is not slowed down by them.
        guesses = [(await desk.http.get(VIEW, headers=with_key(f"gxd_{n}"))).status_code for n in range(4)]
        assert guesses == [401] + [429] * 3
        assert (await desk.http.get(VIEW, headers=with_key(quick))).status_code == 200


def test_a_bucket_fills_again_and_callers_are_forgotten_oldest_first() -> None:
    now = [0.0]
    limit = RateLimit(lambda: now[0])
    assert [limit.wait_s("a", 60) for _ in range(10)] == [0.0] * 10  # ten seconds' worth
    assert limit.wait_s("a", 60) == pytest.approx(1.0)
    now[0] = 0.5
    assert limit.wait_s("a", 60) == pytest.approx(0.5)
    now[0] = 1.0
    assert limit.wait_s("a", 60) == 0.0
    assert limit.wait_s("b", 1) == 0.0
    assert limit.wait_s("b", 1) == pytest.approx(60.0)
    for number in range(BUCKETS):
        limit.wait_s(str(number), 60)
    assert limit.wait_s("b", 1) == 0.0


async def test_on_the_socket_a_shared_login_is_marked_with_who_says_so(tmp_path: Path) -> None:
    user = getpass.getuser()
    async with served(tmp_path):
        state = tmp_path / "state"
        await Client(state, operator="jm").pull(Lever(Verb.PAUSE, "drop", "x", actor="root"))
        await Client(state, operator="\x1b]0;owned\x07" + "m" * 60).pull(Lever(Verb.RESUME, "drop", "x"))
        await Client(state, operator=user).pull(Lever(Verb.PAUSE, "drop", "x"))
    actors = [line.actor for line in Audit(tmp_path / "state" / "audit.jsonl").read(10)]
    assert actors[0] == f"jm as {user}"
    assert actors[1].endswith(f" as {user}")
    assert actors[1].isprintable()
    assert len(actors[1]) <= 24 + len(f" as {user}")
    assert actors[2] == user


async def test_over_tcp_the_actor_is_the_key_whatever_the_caller_says(tmp_path: Path) -> None:
    async with on_tcp(tmp_path) as desk:
        client = Client(f"http://{desk.netloc}", key=desk.key(Scope.OPERATE, name="night"), operator="ceo")
        await client.pull(Lever(Verb.PAUSE, "drop", "x", actor="root"))
        key = KeyBook(desk.state).all()[0]
        [line] = Audit(desk.state / "audit.jsonl").read(10)
        assert line.actor == f"night (key {key.id})"
        with pytest.raises(NoKey, match="no key in force was shown"):
            await Client(f"http://{desk.netloc}", key="gxd_wrong").pull(Lever(Verb.RESUME, "drop", "x"))
        async with aclosing(Client(f"http://{desk.netloc}", key="gxd_wrong").views()) as views:
            with pytest.raises(EngineAway, match="lets nobody in: no key in force was shown"):
                await anext(views)


def test_a_group_may_reach_the_socket_and_nothing_else(tmp_path: Path) -> None:
    """Everything on the way is open to the group for passing, the socket for talking, and no file for reading."""
    group = grp.getgrgid(os.getgid()).gr_name
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    (state / "audit.jsonl").touch(0o600)
    with door.listen(state, group):
        found = (state / door.SOCKET_NAME).stat()
        assert stat.S_IMODE(found.st_mode) == 0o660
        assert found.st_gid == os.getgid()
        assert stat.S_IMODE(state.stat().st_mode) == 0o710
        assert state.stat().st_gid == os.getgid()
        assert stat.S_IMODE((state / "audit.jsonl").stat().st_mode) == 0o600
    with door.listen(state):  # the group is let go again
        assert stat.S_IMODE(state.stat().st_mode) == 0o700
        assert stat.S_IMODE((state / door.SOCKET_NAME).stat().st_mode) == 0o600
    with pytest.raises(SettingsError, match="no group is named 'nobody-knows-it'"):
        door.listen(state, "nobody-knows-it")


def test_a_caller_without_a_key_is_told_whole_seconds_and_let_in_after_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("gexdesk.api.guard.time.monotonic", lambda: now[0])
    guard = Guard(tmp_path)
    call = HTTPConnection({"type": "http", "headers": [], "client": ("10.0.0.9", 4321)})
    refused = 0
    for step in range(200):
        with pytest.raises((TooMany, NoKey)) as caught:
            guard.visitor(call)
        if isinstance(caught.value, NoKey):
            now[0] += 0.001 * step
            continue
        refused += 1
        wait_s = caught.value.details["retry_after_s"]
        assert wait_s >= 1
        assert f"come back in {wait_s} s" in caught.value.message
        now[0] += wait_s
        with pytest.raises(NoKey):
            guard.visitor(call)
    assert refused > 20
