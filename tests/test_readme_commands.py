"""Every command that the README shows is run here, as it stands there but for names of files, hosts and numbers."""

import json
import re
import shlex
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.program import Said, gexdesk, started
from tests.engine.desk_setting import chain_at
from tests.feed_server import Answer, FeedServer, Request, in_a_thread
from tests.terminal import Terminal

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
COMMANDS = [
    line.partition("   #")[0].strip()
    for block in BLOCKS
    for line in block.splitlines()
    if re.match(r"(GEXDESK_KEY=\S+ )?gexdesk ", line)
]
LIMIT_S = 60.0


class _Vendor(FeedServer):
    """Serve SPX; refuse NDX, so that there is an incident."""

    def answer_to(self, request: Request) -> Answer:
        return Answer(status=503) if "NDX" in request.path else super().answer_to(request)


@pytest.fixture
def vendor() -> Iterator[FeedServer]:
    with in_a_thread(_Vendor(Answer(body=chain_at(2.0, "SPX", contracts=40)))) as server:
        yield server


class Reader:
    """Type what the README says, in a folder of their own."""

    def __init__(self, home: Path, feed: FeedServer) -> None:
        self.home = home
        self.config = home / "gexdesk.toml"
        (home / "chain.json").write_bytes(chain_at(2.0, "SPX", contracts=40))
        (home / "in").mkdir()
        (home / "in" / "one.json").write_bytes(chain_at(3.0, "QQQ", contracts=40))
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        self.key = ""
        self.number = "41"
        fixed = 'kind = "http"\nevery_s = 1\nalways = true\nlevel = "auto"\ndelay_s = 0\n'
        self.vendor = (
            f'[[sources]]\nname = "spx"\nurl = "{feed.url}/SPX.json"\nsymbols = ["SPX"]\n{fixed}'
            f'[[sources]]\nname = "ndx"\nurl = "{feed.url}/NDX.json"\nsymbols = ["NDX"]\n{fixed}'
        )
        self.folder = '[[sources]]\nname = "in"\nkind = "directory"\npath = "in"\nlevel = "auto"\n'
        self.feed = feed.url
        self.typed: set[str] = set()

    def configure(self, text: str) -> None:
        self.config.write_text(text)

    def words(self, command: str) -> tuple[list[str], dict[str, str]]:
        """Return a command's words after ``gexdesk``, and what it sets in the environment, in this folder's terms."""
        self.typed.add(command)
        more = {}
        words = shlex.split(command)
        while "=" in words[0]:
            name, _, _ = words.pop(0).partition("=")
            more[name] = self.key
        named = {
            "https://feed.example": self.feed, "http://desk1:8765": f"http://{self.address}", "127.0.0.1:8765": self.address,
            "/etc/gexdesk": str(self.home / "etc"), "ID": self.number, "41": self.number,
        }  # fmt: skip
        for old, new in named.items():
            words = [word.replace(old, new) if "/" in old or ":" in old else (new if word == old else word) for word in words]
        return words[1:], more

    def types(self, start: str) -> Said:
        """Run the one command that begins so; it must end well."""
        (command,) = [command for command in COMMANDS if command.removeprefix("gexdesk ").startswith(start)]
        words, more = self.words(command)
        said = gexdesk(self.home, *words, limit_s=LIMIT_S, GEXDESK_CONFIG=str(self.config), **more)
        assert said.code == 0, f"{command}: {said.out}{said.err}"
        return said

    def runs(self, start: str) -> "subprocess.Popen[str]":
        """Start the first command that begins so, and wait until its engine answers."""
        command = next(command for command in COMMANDS if command.removeprefix("gexdesk ").startswith(start))
        engine = started(self.home, *self.words(command)[0])
        self.waits_for("status", "--json", until=lambda said: said.code == 0)
        assert engine.poll() is None
        return engine

    def waits_for(self, *words: str, until: Callable[[Said], object]) -> Said:
        give_up_at = time.monotonic() + LIMIT_S
        while not until(said := gexdesk(self.home, *words, GEXDESK_CONFIG=str(self.config))):
            assert time.monotonic() < give_up_at, (words, said)
        return said

    def stops(self, engine: "subprocess.Popen[str]") -> None:
        self.types("stop")
        assert engine.wait(LIMIT_S) == 0
        engine.communicate()


@pytest.mark.timeout(300)
def test_every_command_of_the_readme_does_what_it_says(tmp_path: Path, vendor: FeedServer) -> None:
    reader = Reader(tmp_path, vendor)
    assert "SPX" in json.dumps(reader.types("inspect").document)

    reader.configure(reader.folder)
    closing = reader.types("run --config gexdesk.toml --until-idle").document
    assert (closing["received"], closing["completed"], closing["dead"]) == (1, 1, 0)
    assert "QQQ" in reader.types("query").out
    assert "CRITICAL" in reader.types("guidelines explain").out
    engine = reader.runs("run --config gexdesk.toml")
    reader.types("picture")
    assert (tmp_path / "desk.svg").read_text().startswith("<svg")
    reader.stops(engine)

    reader.configure(reader.vendor)
    engine = reader.runs("run --config gexdesk.toml --listen")
    try:
        said = reader.waits_for("incidents", "list", "--json", until=lambda said: said.document["incidents"])
        reader.number = str(said.document["incidents"][0]["number"])
        assert reader.number in reader.types("incidents list").out
        assert "ndx" in reader.types("incidents show").out
        reader.types("incidents take")
        assert "flip is off" in reader.types("incidents report").err
        assert "ndx" in reader.types("handover").out

        reader.key = reader.types("key create").out.split()[-1]
        reader.number = reader.types("submit").out.split()[0]
        reader.waits_for("status", reader.number, until=lambda said: said.code == 0)
        (attach,) = [command for command in COMMANDS if " attach " in command]
        words, more = reader.words(attach)
        desk = Terminal(tmp_path / "none", 120, 40, arguments=("-m", "gexdesk", *words), environment=more)
        desk.until(lambda text: "SPX" in text and "NDX" in text, "the same desk")
        desk.press("q")
        desk.until(lambda text: "stop the engine" in text, "the question on leaving")
        desk.press("l")
        assert desk.wait() == 0
        reader.types("init")
        assert (tmp_path / "etc" / "gexdesk.service").is_file()
        reader.types("doctor")
    finally:
        Terminal.close_all()
        reader.stops(engine)
    assert reader.typed == set(COMMANDS), f"nobody types {sorted(set(COMMANDS) - reader.typed)}"
