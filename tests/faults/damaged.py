"""Damage the files that an engine left, one of them at a time, and start another engine on them.

It must start or refuse in words that name the file and say what to do; what it had acknowledged and the spool can still read must
end as if nothing had been; and what a file says that has no second copy is either what was written or told to be damaged.

``run(full=False)`` damages each file once, ``run(full=True)`` 1,000 times: ends cut off, bits flipped, pages zeroed.
"""

import json
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

CASES, FULL_CASES = 12, 1_000
TARGETS = (
    "queue.sqlite", "queue.sqlite-wal", "spool/segments", "spool/large", "taken-drop.jsonl", "requests.jsonl", "live.msgpack",
    "keys.json", "audit.jsonl", "metadata.duckdb", "metadata.duckdb.wal", "standing.json",
)  # fmt: skip
WAYS = ("cut", "flip", "zero")
_ADVICE = re.compile(r"remove|move|restore|mend|verify|send|again|new one|set aside|put aside|rebuilt")
_PAGE = 4096
_SEED = 20_261_125


class Outcome(NamedTuple):
    """Count what became of damaged folders.

    Attributes:
        whole: Every payload ended as it should; whatever was damaged was made again, or told where it has no copy.
        named: Something is lost with the damage, and the engine's log or a dead letter names the file.
        refused: The engine did not start, or does not get on, and says so with the file's name and what to do.
        by_file: The same three by file.
        lost: Payloads that the spool can read and that did not end as they should; that letters of dead ones are lost may be said.
        twice: Snapshots stored twice.
        broken: Everything else: tracebacks, deaths, silence. With the seed a case is the same again.
    """

    cases: int
    whole: int
    named: int
    refused: int
    by_file: dict[str, str]
    lost: int
    twice: int
    broken: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """Say whether every promise held."""
        return not (self.lost or self.twice or self.broken) and self.whole + self.named + self.refused == self.cases > 0


def run(full: bool) -> Outcome:
    """Damage."""
    return damage_each(FULL_CASES if full else CASES)


def damage_each(cases: int) -> Outcome:
    """Damage so often, each file as often as the others."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "in").mkdir()
        (home / "gexdesk.toml").write_text('[[sources]]\nkind = "directory"\nname = "drop"\npath = "in"\nlevel = "auto"\n')
        victims = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.damaged_victim"],
            cwd=Path(__file__).parents[2], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            return _Damage(home, victims).each(cases)
        finally:
            assert victims.stdin is not None
            victims.stdin.close()
            victims.wait()


class _Damage:
    def __init__(self, home: Path, victims: "subprocess.Popen[str]") -> None:
        self._home = home
        self._victims = victims
        self._verdicts: Counter[tuple[str, str]] = Counter()
        self._broken: list[str] = []
        self._lost = self._twice = 0
        self._read: dict[str, str] = {}

    def each(self, cases: int) -> Outcome:
        assert self._ask({"home": str(self._home)}) == 0, "no state folder was left"
        self._read = json.loads((self._home / "left.json").read_text())["read"]
        for number in range(cases):
            dice = random.Random(_SEED + number)
            target, way = TARGETS[number % len(TARGETS)], WAYS[(number + number // len(TARGETS)) % len(WAYS)]
            state, found = self._home / "damaged", self._home / "found"
            shutil.copytree(self._home / "state", state, ignore=shutil.ignore_patterns("*.sock"))
            what = damage(_file_of(state, target, dice), way, dice)
            status = self._ask({"home": str(self._home), "state": str(state), "found": str(found)})
            name = f"case {number}, {target}, {what}"
            if status:
                self._broken.append(f"{name}: the engine's process ended with {status}")
            else:
                self._judge(name, target, json.loads(found.read_bytes()))
            shutil.rmtree(state)
        verdicts = ("whole", "named", "refused")
        by_file = {target: " ".join(str(self._verdicts[target, verdict]) for verdict in verdicts) for target in TARGETS}
        total = Counter[str]()
        for (_, verdict), count in self._verdicts.items():
            total[verdict] += count
        return Outcome(
            cases, total["whole"], total["named"], total["refused"], by_file, self._lost, self._twice, tuple(self._broken)
        )

    def _ask(self, case: dict[str, str]) -> int:
        assert self._victims.stdin is not None
        assert self._victims.stdout is not None
        self._victims.stdin.write(json.dumps(case) + "\n")
        self._victims.stdin.flush()
        return int(self._victims.stdout.readline())

    def _judge(self, name: str, target: str, found: dict[str, Any]) -> None:
        """Note a verdict, or what is wrong."""
        verdict, faults = "whole", list[str]()
        said = [line for line in found.get("lines", ()) if Path(target).name in line or target in line]
        if "traceback" in found:
            faults.append(found["traceback"])
        elif "refused" in found or found.get("stuck"):
            verdict = "refused"
            words = [found["refused"]] if "refused" in found else said
            if not any(Path(target).name.removesuffix(".wal") in line and _ADVICE.search(line) for line in words):
                last = words or found["lines"][-3:]
                faults.append(f"{'stuck' if found.get('stuck') else 'refused'} without the file and what to do: {last}")
        else:
            self._twice += found["twice"]
            told = [one for one in found["amiss"] if _letter(one) or (said and one["wanted"] == "DEAD")]
            lost = [one for one in found["amiss"] if one["readable"] and one not in told]
            self._lost += len(lost)
            if found["amiss"]:
                verdict = "named"
                if lost or not (said or all(_letter(one) for one in found["amiss"])):
                    faults.append(f"{len(found['amiss'])} payloads are amiss and nothing said: {found['amiss'][:2]} {said}")
            if found["fault"]:
                faults.append(found["fault"])
        for file, read in found.get("read", {}).items():
            if read.startswith("DAMAGED") and "refused" not in found and not any(file in line for line in found["lines"]):
                faults.append(f"{file} is not told to be damaged: {read}")
            elif not read.startswith("DAMAGED") and read != self._read[file]:
                faults.append(f"{file} is believed and says something else")
        self._broken += [f"{name}: {fault}" for fault in faults]
        self._verdicts[target, verdict] += not faults


def _letter(one: dict[str, Any]) -> bool:
    """Say whether a dead letter tells why a payload did not end as it should."""
    return any(status == "DEAD" and ("damaged" in error or "no payload" in error) for status, error in one["ends"])


def _file_of(state: Path, target: str, dice: random.Random) -> Path:
    """Return the file; one of those in a folder."""
    path = state / target
    return dice.choice(sorted(p for p in path.iterdir() if p.stat().st_size)) if path.is_dir() else path


def damage(path: Path, way: str, dice: random.Random) -> str:
    """Damage a file, and return how."""
    data = bytearray(path.read_bytes())
    at = dice.randrange(len(data))
    if way == "cut":
        path.write_bytes(data[:at])
        return f"cut at {at:,} of {len(data):,}"
    if way == "flip":
        for _ in range(dice.randint(1, 8)):
            data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        path.write_bytes(data)
        return "bits flipped"
    at -= at % _PAGE
    end = min(at + _PAGE, len(data))
    data[at:end] = bytes(end - at)
    path.write_bytes(data)
    return f"zeros from {at:,} to {end:,} of {len(data):,}"
