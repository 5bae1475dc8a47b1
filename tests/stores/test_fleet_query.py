"""One question sees what every engine of a fleet has stored, and what two of them stored of one job once."""

from pathlib import Path

import pytest
from kept_samples import OPEN_AT, kept
from msgspec.structs import replace

from gexdesk.model.level import Level
from gexdesk.stores.answer import answer
from gexdesk.stores.audit import Audit
from gexdesk.stores.base import Batch, JobRecord, KeptSnapshot
from gexdesk.stores.exports import Exports
from gexdesk.stores.lake import Lake
from gexdesk.stores.metadata import Metadata
from gexdesk.stores.sharing import share


def job(job_id: str, status: str = "COMPLETED") -> JobRecord:
    return JobRecord(
        job_id=job_id, source="cboe", symbol="SPX", level=Level.HIGH, score=0.8, status=status, received_at=OPEN_AT,
        decided_at=None, started_at=None, available_at=None, completed_at=OPEN_AT + 1, attempts=1, records=1, size_bytes=1,
        payload_sha256="0", payload_name="x", note="", error="",
    )  # fmt: skip


class Member:
    """One engine's stores in a shared folder."""

    def __init__(self, folder: Path, name: str) -> None:
        self.state = folder / name
        self.state.mkdir()
        self.sharing = share(self.state, folder / "shared", name)
        self.lake = Lake(self.sharing.lake)
        self.metadata = Metadata(self.state / "metadata.duckdb")
        self.metadata.open()
        self.audit = Audit(self.state / "audit.jsonl")
        self.exports = Exports(self.sharing.exports, self.state / "audit.jsonl")

    def keep(self, *snapshots: KeptSnapshot, jobs: tuple[JobRecord, ...] = ()) -> None:
        self.lake.write(snapshots)
        batch = Batch(snapshots=snapshots, jobs=jobs)
        self.metadata.write(batch)
        self.exports.note(batch)

    def ask(self, sql: str) -> list[dict[str, object]]:
        self.exports.write(self.metadata)
        copy = self.state / "copy.duckdb"
        self.metadata.copy_to(copy)
        found = answer({"sql": sql, "state": str(self.state), "metadata_copy": str(copy), "memory_mb": 512})
        assert "error" not in found, found
        rows: list[dict[str, object]] = found["rows"]
        return rows


@pytest.fixture
def fleet(tmp_path: Path) -> tuple[Member, Member]:
    return Member(tmp_path, "a"), Member(tmp_path, "b")


COUNT = "SELECT count(*) AS n, count(DISTINCT job_id) AS jobs FROM {}"


def test_each_engine_sees_what_the_other_stored(fleet: tuple[Member, Member]) -> None:
    a, b = fleet
    a.keep(kept("j1"), jobs=(job("j1"),))
    b.keep(kept("j2", symbol="RUT", body="b"), jobs=(job("j2"), job("j3", "DEAD")))
    a.audit.append(at=OPEN_AT, actor="jm", act="promote", target="cboe", reason="fed")
    a.exports.write(a.metadata)
    for member in (b, a):
        assert member.ask("SELECT job_id, status, host FROM jobs ORDER BY 1") == [
            {"job_id": "j1", "status": "COMPLETED", "host": "a"},
            {"job_id": "j2", "status": "COMPLETED", "host": "b"},
            {"job_id": "j3", "status": "DEAD", "host": "b"},
        ]
        assert member.ask("SELECT symbol FROM snapshots ORDER BY 1") == [{"symbol": "RUT"}, {"symbol": "SPX"}]
        assert {row["symbol"] for row in member.ask("SELECT DISTINCT symbol FROM strikes")} == {"RUT", "SPX"}
        assert member.ask("SELECT host, actor, act FROM audit") == [{"host": "a", "actor": "jm", "act": "promote"}]


def test_a_release_reaches_the_other_hosts(fleet: tuple[Member, Member]) -> None:
    a, b = fleet
    a.keep(replace(kept("j1"), quarantined=True), jobs=(job("j1"),))
    a.exports.write(a.metadata)
    good = "SELECT count(*) AS n FROM snapshots WHERE NOT quarantined"
    assert b.ask(good) == [{"n": 0}]
    a.metadata.release("j1", 0, ("released",))
    a.exports.released(OPEN_AT)
    a.exports.write(a.metadata)
    assert b.ask(good) == [{"n": 1}]


def test_what_a_killed_engine_had_not_exported_is_exported_after_its_next_start(fleet: tuple[Member, Member]) -> None:
    a, b = fleet
    a.metadata.write(Batch(snapshots=(kept("j1"),), jobs=(job("j1"),)))  # and it was killed
    a.exports.begin(OPEN_AT + 1_800.0)
    a.exports.write(a.metadata)
    assert b.ask("SELECT job_id, host FROM jobs") == [{"job_id": "j1", "host": "a"}]


def test_a_job_that_two_engines_did_is_there_once_with_its_strikes(fleet: tuple[Member, Member]) -> None:
    a, b = fleet
    a.keep(kept("j1"), jobs=(job("j1"),))
    [alone] = a.ask("SELECT count(*) AS n FROM strikes")
    b.keep(kept("j1"), jobs=(job("j1"),))
    b.exports.write(b.metadata)
    for member in fleet:
        assert member.ask(COUNT.format("jobs")) == [{"n": 1, "jobs": 1}]
        assert member.ask(COUNT.format("snapshots")) == [{"n": 1, "jobs": 1}]
        assert member.ask("SELECT count(*) AS n FROM strikes") == [alone]


def test_bytes_that_came_to_two_engines_are_one_snapshot(fleet: tuple[Member, Member]) -> None:
    a, b = fleet
    a.keep(kept("j1"), jobs=(job("j1"),))
    b.keep(kept("j2"), jobs=(job("j2"),))
    b.exports.write(b.metadata)
    assert a.ask(COUNT.format("snapshots")) == [{"n": 1, "jobs": 1}]
    assert a.ask(COUNT.format("strikes"))[0]["jobs"] == 1


def test_an_end_that_another_engine_saw_replaces_what_came_before(fleet: tuple[Member, Member]) -> None:
    a, b = fleet
    a.keep(jobs=(job("j1", "DEAD"),))
    b.keep(jobs=(job("j1"),))
    b.exports.write(b.metadata)
    assert a.ask("SELECT status, host FROM jobs") == [{"status": "COMPLETED", "host": "b"}]
