"""Run fuzz targets by name, all without one: ``python -m tests.fuzz [--seconds 60] [NAME ...]``.

Each runs in a process of its own under atheris, from its seeds; a finding is written below ``--findings`` and exits 1.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.targets import TARGETS, seeds

MEMORY_MB = 1024
SLOW_S = 5


def main() -> int:
    """Start one child a target and print what each did; exit 1 on a finding, 2 for wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--seconds", type=int, default=60, help="how long each target runs")
    parser.add_argument("--findings", type=Path, default=Path(tempfile.gettempdir()) / "gexdesk-fuzz")
    asked = parser.parse_args()
    wrong = [name for name in asked.names if name not in TARGETS]
    if wrong:
        sys.stderr.write(f"no target {wrong[0]!r}; there are {', '.join(TARGETS)}\n")
        return 2
    return max([_run(name, asked.seconds, asked.findings) for name in asked.names or TARGETS], default=0)


def _run(name: str, seconds: int, findings: Path) -> int:
    folder = findings / name
    folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as work:
        corpus, words = Path(work) / "corpus", Path(work) / "words"
        corpus.mkdir()
        for i, seed in enumerate(seeds(name)):
            (corpus / f"seed-{i}").write_bytes(seed)
        words.write_text(_dictionary(seeds(name)))
        done = subprocess.run(
            [
                sys.executable, "-m", "tests.fuzz.child", name, str(corpus), f"-dict={words}", f"-artifact_prefix={folder}/",
                f"-max_total_time={seconds}", f"-rss_limit_mb={MEMORY_MB}", f"-timeout={SLOW_S}", "-max_len=8192",
                "-print_final_stats=1", "-verbosity=1",
            ],
            capture_output=True, text=True, errors="replace", check=False,
        )  # fmt: skip
    executions = next((line.split()[-1] for line in done.stderr.splitlines() if "number_of_executed_units" in line), "?")
    verdict = "no finding" if done.returncode == 0 else f"FINDING (exit {done.returncode}), see {folder}"
    sys.stdout.write(f"{name:<18} {executions:>10} executions in {time.monotonic() - began:5.0f} s  {verdict}\n")
    sys.stdout.flush()
    if done.returncode:
        (folder / "last.log").write_text(done.stdout[-20_000:] + done.stderr[-20_000:])
    return 1 if done.returncode else 0


def _dictionary(documents: list[bytes]) -> str:
    """Return the words and numbers of the seeds in libFuzzer's form, and what JSON's and tables' edges are made of."""
    word = re.compile(rb"[A-Za-z_][A-Za-z0-9_ ]{1,24}|-?[0-9][0-9.:-]{1,24}")
    found = {match for document in documents for match in word.findall(document)}
    edges = [b"1e308", b"-1", b"NaN", b"null", b"true", b"{}", b"[]", b"\\ud800", b'"NaN"', b"-999", b"1e-05", b"\r\n", b"\xff"]
    return "".join('"' + "".join(f"\\x{byte:02x}" for byte in token) + '"\n' for token in sorted(found)[:400] + edges)


if __name__ == "__main__":
    sys.exit(main())
