"""``key`` as an operator types it: what is made works for what it is made for, or says beforehand what will not."""

import asyncio
import re
from pathlib import Path

import pytest

from gexdesk.api.client import Client
from gexdesk.api.keys import Scope
from gexdesk.model.errors import GexdeskError
from gexdesk.model.lever import Lever, Verb
from tests.api.served_engine import on_tcp
from tests.cli.program import gexdesk, in_here
from tests.terminal import Terminal


async def test_the_key_that_the_unit_tells_root_to_make_opens_the_desk_and_operates(tmp_path: Path) -> None:
    assert in_here("init", tmp_path / "conf", "--systemd").code == 0
    unit = (tmp_path / "conf" / "gexdesk.service").read_text()
    told = re.search(r"^#.* (key create .*) --state \S+$", unit, re.MULTILINE)
    assert told is not None
    async with on_tcp(tmp_path) as desk:
        made = in_here(*told[1].split(), "--state", desk.state)
        assert (made.code, len(made.err.splitlines())) == (0, 1), "nothing to warn of"
        client = Client(f"http://{desk.netloc}", key=made.out.strip())
        assert not (await client.view()).read_only
        assert (await client.pull(Lever(Verb.PAUSE, "drop", "a test"))).done


def test_the_key_for_the_scraper_of_a_service_is_made_in_the_state_of_the_service(tmp_path: Path) -> None:
    for options, made_by in ((("--systemd", "--prometheus"), "runuser -u gexdesk -- "), (("--prometheus",), "gexdesk key create ")):
        folder = tmp_path / "".join(options)
        assert in_here("init", folder, *options).code == 0
        told = (folder / "prometheus.yml").read_text().splitlines()[0]
        assert f"The key: {made_by}" in told
        assert ("--state /var/lib/gexdesk" in told) is ("--systemd" in options)


@pytest.mark.parametrize(
    ("scopes", "warned"),
    [
        (("operate",), ["operate"]), (("submit",), ["submit"]), (("operate", "submit"), ["operate", "submit"]),
        (("read", "operate"), []), (("read", "submit"), []), (("read",), []), (("admin",), []),
    ],
)  # fmt: skip
def test_a_key_that_may_act_and_not_read_is_warned_of(tmp_path: Path, scopes: tuple[str, ...], warned: list[str]) -> None:
    arguments = ("key", "create", *(word for scope in scopes for word in ("--scope", scope)), "--state", tmp_path)
    said, as_json = in_here(*arguments), in_here(*arguments, "--json")
    for found in (said, as_json):
        assert re.findall(r"this key may (\w+) and not read", found.err) == warned
    assert f" for the engine of {tmp_path}: {', '.join(sorted(scopes))}, until no end; " in said.err
    assert as_json.document["scopes"] == sorted(scopes)


def test_a_key_that_would_have_ended_already_is_not_made(tmp_path: Path) -> None:
    said = in_here("key", "create", "--scope", "read", "--for", "0", "--state", tmp_path / "state")
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("gexdesk: --for 0: such a key has ended before anybody can use it")
    assert not (tmp_path / "state").exists()


async def test_what_is_warned_of_is_so(tmp_path: Path) -> None:
    async with on_tcp(tmp_path) as desk:
        key = in_here("key", "create", "--scope", "operate", "--state", desk.state).out.strip()
        with pytest.raises(GexdeskError, match="may operate; this needs read"):
            await Client(f"http://{desk.netloc}", key=key).view()


async def test_who_attaches_over_tcp_is_on_the_desk_who_they_are_in_the_audit(tmp_path: Path) -> None:
    async with on_tcp(tmp_path) as desk:
        key = desk.key(Scope.READ, Scope.OPERATE, name="kd at höme")
        client = Client(f"http://{desk.netloc}", key=key)
        await client.view()
        outcome = await client.pull(Lever(Verb.PAUSE, "drop", "a test"))
        assert re.fullmatch(r"kd at höme \(key [0-9a-f]{8}\)", client.known_as)
        assert outcome.message.startswith(f"{client.known_as} ")

        def attached() -> str:
            words = ("-m", "gexdesk", "attach", f"http://{desk.netloc}")
            screen = Terminal(tmp_path / "none", 120, 40, arguments=words, environment={"GEXDESK_KEY": key})
            try:
                shown = screen.until(lambda text: "desk " in text.splitlines()[0], "who sits there")
            finally:
                screen.hang_up()
            return shown.splitlines()[0]

        assert " desk kd at höme " in await asyncio.to_thread(attached)


async def test_whoever_attaches_without_a_terminal_is_told_so_in_words(tmp_path: Path) -> None:
    async with on_tcp(tmp_path) as desk:
        key = desk.key(Scope.READ)
        arguments = ("attach", f"http://{desk.netloc}")
        said = await asyncio.to_thread(lambda: gexdesk(tmp_path, *arguments, GEXDESK_KEY=key))
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("gexdesk: the desk is drawn on a terminal and reads its keys from it: there is none here; ")


def test_who_attaches_over_tcp_is_who_the_key_says_and_no_name_is_taken_for_one(tmp_path: Path) -> None:
    said = in_here("attach", "http://127.0.0.1:9", "--name", "kd", GEXDESK_KEY="gxd_x")
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("gexdesk: --name is for those who share a login on the engine's host; over TCP you are who your key")
