"""The generator: same seed, same bytes; and nobody edited what is committed."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from gexdesk.sample.generate import generate
from gexdesk.sample.story import moments

COMMITTED = Path(__file__).parents[2] / "sample_data"


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def expanded(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: gzip.decompress(body) if name.endswith(".gz") else body for name, body in files.items()}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "sample"
    generate(folder)
    return folder


def test_the_committed_files_are_what_the_generator_makes(made):
    # Compared expanded: another build of zlib may pack the same bytes otherwise.
    fresh, committed = expanded(tree(made)), expanded(tree(COMMITTED))
    assert sorted(fresh) == sorted(committed)
    assert [name for name in fresh if fresh[name] != committed[name]] == []


def test_the_same_seed_gives_the_same_bytes_in_another_process(made, tmp_path):
    code = "import sys; from pathlib import Path; from gexdesk.sample.generate import generate; generate(Path(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, env={"PYTHONHASHSEED": "7"})
    assert tree(tmp_path) == tree(made)


def test_no_file_carries_the_time_it_was_packed(made):
    packed = [body for name, body in tree(made).items() if name.endswith(".gz")]
    assert len(packed) > 30
    assert {body[4:8] for body in packed} == {b"\0\0\0\0"}


def test_another_seed_gives_the_same_happenings_at_other_moments():
    plans = [moments(seed) for seed in (1, 2, 1)]
    assert plans[0] == plans[2]
    assert [moment.at_s for moment in plans[0]] != [moment.at_s for moment in plans[1]]
    happenings = [sorted((m.source, m.underlying.symbol, m.stamp_s, m.reason, m.truncated) for m in plan) for plan in plans]
    assert happenings[0] == happenings[1]


def test_the_folder_stays_small():
    size = sum(len(body) for body in tree(COMMITTED).values())
    assert 3_000_000 < size < 8_000_000


def test_the_story_names_every_file_and_no_other():
    events = [json.loads(line) for line in (COMMITTED / "story.jsonl").read_text().splitlines()]
    named = {event["file"] for event in events if event["kind"] == "payload"}
    assert named | {"story.jsonl", "README.md"} == set(tree(COMMITTED))


def test_configuring_the_sample_desk_loads_no_numpy():
    code = "import sys, gexdesk.sample.story; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
