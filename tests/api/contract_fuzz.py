"""Ask a real engine everything its own document allows, and what it does not: ``python -m tests.api.contract_fuzz``.

The long form makes at least 200 cases an operation, with and without a key, and follows what the document links.
"""

import asyncio
import json
import os
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from gexdesk.api import guard
from gexdesk.api.keys import Scope
from tests.api.served_engine import on_tcp
from tests.engine.desk_setting import drop, folder_source, gexbot_at
from tests.feed_server import Answer, FeedServer
from tests.until import until

CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
    "response_schema_conformance", "unsupported_method", "ignored_auth", "use_after_free", "ensure_resource_availability",
)  # fmt: skip
# Both end what the rest is asked of: one the engine, the other the room on the disk.
LEFT_OUT = ("/api/v1/stop", "/api/v1/metadata/copy")
LONG = 200
PHASES = ("examples", "coverage", "fuzzing", "stateful")


class Fuzzed(NamedTuple):
    """Tell what came of it; ``followed``: a request was asked about after it was made; ``said`` is the whole report."""

    cases: int
    followed: bool
    found: tuple[str, ...]
    said: str
    took_s: float


async def fuzz(folder: Path, examples: int, *, keyed: bool, seed: int = 1, phases: tuple[str, ...] = PHASES) -> Fuzzed:
    """Run an engine with something in every store, and ask."""
    async with FeedServer(Answer(body=gexbot_at(3.0))) as feed:
        source = {"kind": "http", "name": "own", "url": f"{feed.url}/feed/SPX.json", "every_s": 3600, "level": "auto"}
        async with on_tcp(folder, source, folder_source("drop", folder / "in")) as desk:
            drop(folder / "in", "a.json", gexbot_at(2.0, "NDX"))
            drop(folder / "in", "b.json", b"{}")
            await until(lambda: desk.engine.closing().received >= 3 and desk.engine.closing().open == 0, limit_s=60)
            began = time.monotonic()
            document = (await desk.http.get("/openapi.json")).json()
            # No generator would find a URL that may be fetched, and nothing would follow a request.
            document["components"]["schemas"]["Submission"]["properties"]["source_url"]["enum"] = [f"{feed.url}/feed/x.json"]
            (folder / "openapi.json").write_text(json.dumps(document))
            command = [
                sys.executable, "-m", "schemathesis.cli", "run", str(folder / "openapi.json"), "--url", f"http://{desk.netloc}",
                "--checks", ",".join(CHECKS), "--phases", ",".join(phases), "--max-examples", str(examples), "--seed", str(seed),
                "--suppress-health-check", "all", "--continue-on-failure", "--request-timeout", "20", "--no-shrink",
                *(word for path in LEFT_OUT for word in ("--exclude-path", path)),
            ]  # fmt: skip
            if keyed:
                command += ["--header", f"X-API-Key: {desk.key(Scope.ADMIN)}"]
            environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
            asking = await asyncio.create_subprocess_exec(
                *command, cwd=folder, env=environment | {"NO_COLOR": "1"}, stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )  # fmt: skip
            said = (await asking.communicate())[0].decode()
            assert (await desk.http.get("/healthz")).status_code == 200, "the engine did not outlive it"
            assert desk.engine.fault == ""
            took_s = time.monotonic() - began
            followed = re.search(r"API Links: +([1-9]\d*) covered", said) is not None
            return Fuzzed(_cases(said), followed, _found(said, asking.returncode), said, took_s)


def _cases(said: str) -> int:
    counted = re.search(r"([\d,]+) generated", said)
    return int(counted[1].replace(",", "")) if counted else 0


def _found(said: str, code: int | None) -> tuple[str, ...]:
    if code == 0:
        return ()
    return tuple(dict.fromkeys(re.findall(r"^- (.+)$", said, flags=re.MULTILINE))) or (f"it ended with {code}",)


async def main() -> int:
    """Run the long form and print what it found."""
    guard.FAILED_PER_MINUTE = 1_000_000
    wrong = 0
    for keyed in (True, False):
        with tempfile.TemporaryDirectory(prefix="gexdesk-fuzz-") as folder:
            outcome = await fuzz(Path(folder), LONG, keyed=keyed, seed=int(time.time()))
        wrong += len(outcome.found)
        wrong += keyed and not outcome.followed
        words = f"{outcome.cases:,} cases {'with' if keyed else 'without'} a key in {outcome.took_s:.0f} s"
        sys.stdout.write(f"{words}: {json.dumps(outcome.found)}\n")
        if outcome.found:
            sys.stdout.write(outcome.said)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
