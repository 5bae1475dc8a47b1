"""The audit: every touch shows, a crash's torn line does not stop it, and two writers make one chain."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gexdesk.model.errors import StoreError
from gexdesk.stores.audit import GENESIS, Audit, AuditLine, BrokenLink, verify


def note(audit: Audit, number: int) -> AuditLine:
    return audit.append(
        at=float(number), actor="jm", act="promote", target=f"source {number}", reason="because", before="HIGH", after="CRITICAL"
    )


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "state" / "audit.jsonl"
    for number in range(1, 6):
        note(Audit(path), number)
    return path


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def test_lines_are_chained_and_counted(log: Path) -> None:
    assert verify(log) == 5
    read = [json.loads(line) for line in lines(log)]
    assert [line["sequence"] for line in read] == [1, 2, 3, 4, 5]
    assert [line["prev"] for line in read] == [GENESIS, *(line["hash"] for line in read[:-1])]
    assert {"sequence", "at", "actor", "act", "target", "reason", "before", "after", "prev", "hash"} == set(read[0])
    assert log.stat().st_mode & 0o777 == 0o600
    assert log.parent.stat().st_mode & 0o777 == 0o700


def test_nothing_logged_is_no_break(tmp_path: Path) -> None:
    assert verify(tmp_path / "none") == 0
    assert Audit(tmp_path / "none").read(10) == []


def test_the_last_lines_are_read_oldest_first(log: Path) -> None:
    assert [line.target for line in Audit(log).read(2)] == ["source 4", "source 5"]


@pytest.mark.parametrize("number", range(5))
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"jm"', b'"mj"'),
        (b'"CRITICAL"', b'"LOW"'),
        (b'"at":', b'"at":1'),
        (b'"because"', b'"bec\xffuse"'),
        (b'"reason":"because"', b'"reason":"because" '),
        (b'{"', b'{"x":1,"'),
    ],
)
def test_an_edit_is_found_at_its_line(log: Path, number: int, old: bytes, new: bytes) -> None:
    text = lines(log)
    assert old in text[number]
    text[number] = text[number].replace(old, new, 1)
    log.write_bytes(b"".join(text))
    broken = verify(log)
    assert isinstance(broken, BrokenLink)
    assert broken.line == number + 1


@pytest.mark.parametrize("number", range(5))
def test_a_removed_line_is_found(log: Path, number: int) -> None:
    text = lines(log)
    del text[number]
    log.write_bytes(b"".join(text))
    broken = verify(log)
    assert isinstance(broken, BrokenLink)
    assert broken.line == number + 1


def test_swapped_repeated_and_foreign_lines_are_found(log: Path) -> None:
    text = lines(log)
    for touched in (
        [text[0], text[2], text[1], *text[3:]],
        [*text[:2], text[1], *text[2:]],
        [*text[:2], b"not json\n", *text[2:]],
        [*text[:2], b"\n", *text[2:]],
    ):
        log.write_bytes(b"".join(touched))
        broken = verify(log)
        assert isinstance(broken, BrokenLink)
        assert broken.line in {2, 3}


def test_a_line_forged_with_its_own_hash_breaks_the_next(log: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    for number in (1, 99):
        note(Audit(other), number)
    text = lines(log)
    text[1] = lines(other)[1]
    log.write_bytes(b"".join(text))
    broken = verify(log)
    assert isinstance(broken, BrokenLink)
    assert (broken.line, "line before" in broken.why) == (3, True)


def test_a_forged_last_line_is_found_by_the_head(log: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    other.write_bytes(b"".join(lines(log)[:4]))
    note(Audit(other), 99)
    log.write_bytes(other.read_bytes())
    broken = verify(log)
    assert isinstance(broken, BrokenLink)
    assert broken.line == 5


def test_a_cut_end_is_found_and_stays_found_after_new_lines(log: Path) -> None:
    log.write_bytes(b"".join(lines(log)[:3]))
    assert verify(log) == BrokenLink(4, "the log ends at line 3, its head names line 5: the end was cut off")
    note(Audit(log), 6)
    broken = verify(log)
    assert isinstance(broken, BrokenLink)
    assert broken.line == 4
    log.write_bytes(b"")
    assert isinstance(verify(log), BrokenLink)


def test_a_missing_head_is_found(log: Path) -> None:
    log.with_name("audit.jsonl.head").unlink()
    assert isinstance(verify(log), BrokenLink)


def test_a_head_of_damaged_bytes_is_none(log: Path) -> None:
    head = log.with_name("audit.jsonl.head")
    head.write_bytes(head.read_bytes().replace(b'"', b'"\xff', 1))
    assert isinstance(verify(log), BrokenLink)
    note(Audit(log), 6)
    assert verify(log) == 6


@pytest.mark.parametrize(
    "torn", [b'{"sequence":6,"at":6.0,"act', b"\x00" * 512, b'{"half": 1}\n', b"\xff\n", b'{"actor":"\xff"}\n']
)
def test_a_torn_line_is_set_aside_noted_and_the_chain_goes_on(log: Path, torn: bytes) -> None:
    with log.open("ab") as file:
        file.write(torn)
    note(Audit(log), 6)
    assert verify(log) == 7
    noted, last = Audit(log).read(2)
    assert (noted.actor, noted.act) == ("gexdesk", "set aside a torn line")
    assert f"{len(torn)} bytes" in noted.reason
    assert last.target == "source 6"
    assert log.with_name("audit.jsonl.torn").read_bytes() == torn + b"\n"


def test_an_unfinished_line_was_never_acknowledged_and_is_no_break(log: Path) -> None:
    with log.open("ab") as file:
        file.write(b'{"sequence":6')
    assert verify(log) == 5
    assert len(Audit(log).read(10)) == 5


def test_a_head_that_lags_one_line_after_a_crash_is_no_break(log: Path) -> None:
    head = log.with_name("audit.jsonl.head")
    before = head.read_bytes()
    note(Audit(log), 6)
    head.write_bytes(before)
    assert verify(log) == 6
    note(Audit(log), 7)
    assert verify(log) == 7


def test_texts_cannot_steer_a_terminal_or_add_a_line(tmp_path: Path) -> None:
    audit = Audit(tmp_path / "audit.jsonl")
    hostile = {"actor": "j\x1b[2Jm", "act": "note\n", "target": "a\u202eb", "reason": '"},\n{"sequence":9}', "before": "\x9b31m"}
    line = audit.append(at=1.0, after="\ud800", **hostile)
    assert line.actor == "j [2Jm"
    assert line.after == ""
    assert verify(audit.path) == 1
    assert not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 for c in audit.path.read_text()[:-1])


def test_two_processes_write_one_chain(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from gexdesk.stores.audit import Audit\n"
        "for n in range(25): Audit(Path(sys.argv[1])).append(at=1.0, actor=sys.argv[2], act='a', target=str(n), reason='r')"
    )
    path = tmp_path / "audit.jsonl"
    writers = [subprocess.Popen([sys.executable, "-c", program, str(path), name]) for name in ("one", "two")]
    assert [writer.wait() for writer in writers] == [0, 0]
    assert verify(path) == 50
    assert sum(line.actor == "one" for line in Audit(path).read(100)) == 25


def test_a_full_disk_leaves_no_trace_and_says_so(tmp_path: Path) -> None:
    program = (
        "import resource, sys; from pathlib import Path\n"
        "from gexdesk.stores.audit import Audit; from gexdesk.model.errors import StoreError\n"
        "audit = Audit(Path(sys.argv[1])); add = lambda: audit.append(at=1.0, actor='a', act='b', target='c', reason='r' * 300)\n"
        "add(); size = audit.path.stat().st_size\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, resource.RLIM_INFINITY))\n"
        "try: add()\n"
        "except StoreError as error: print(error)\n"
        "assert audit.path.stat().st_size == size\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)); add()"
    )
    path = tmp_path / "audit.jsonl"
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "could not be written" in done.stdout
    assert verify(path) == 2


def test_an_unwritable_log_stops_the_act(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match="nothing was changed"):
        note(Audit(tmp_path / "file" / "audit.jsonl"), 1)
