"""Every payload ends once, completed or as a dead letter: a real engine, real pool processes, real stores."""

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gexdesk.engine.closing import Closing
from gexdesk.engine.engine import Engine
from gexdesk.model.errors import StoreError
from gexdesk.model.level import Level
from gexdesk.model.text import printable
from gexdesk.model.view.desk import DeskView
from gexdesk.stores.spool import Spool
from tests.engine.bad_documents import bad_documents
from tests.engine.desk_setting import (
    as_lines,
    chain_at,
    drop,
    engine_on,
    folder_source,
    gexbot_at,
    in_house_at,
    rows,
    settings_of,
    source_of,
    table_at,
)
from tests.until import until

BIG = {"assume": {"volume": 600_000, "open_interest": 1_400_000}}


@dataclass
class Morning:
    """Hold what was dropped in and what an engine made of it.

    Attributes:
        views: Pictures by the name of the phase they were taken after.
    """

    state: Path
    dropped: int = 0
    bad: dict[str, bytes] = field(default_factory=dict)
    views: dict[str, DeskView] = field(default_factory=dict)
    closing: Closing | None = None

    def rows(self, sql: str) -> list[dict[str, Any]]:
        return rows(sql, self.state)

    def decision(self, name: str) -> dict[str, Any]:
        """Return what was decided of the file of that name."""
        [found] = self.rows(f"SELECT d.* FROM decisions d JOIN jobs j USING (job_id) WHERE j.payload_name = '{name}'")
        return found


async def live_through(folder: Path) -> Morning:
    """Run one engine and drop file after file."""
    morning = Morning(folder / "state")
    settings = settings_of(
        morning.state,
        folder_source("gexbot", folder / "gexbot", symbols=("SPX",), **BIG),
        folder_source("plain", folder / "plain"),
        folder_source("delayed", folder / "delayed"),
        folder_source("real-time", folder / "real-time", delay_s=0),
        folder_source("history", folder / "history", data_type="historical"),
        folder_source("bad", folder / "bad"),
    )
    async with engine_on(settings) as engine:

        async def phase(name: str = "", **files: bytes) -> None:
            """Drop files, named by source and file, and wait until everything that was dropped has ended."""
            for file, body in files.items():
                source, _, rest = file.partition("__")
                drop(folder / source.replace("_", "-"), rest.replace("_", "-") + ".json", body)
                morning.dropped += 1
            await until(lambda: _settled(engine, morning.dropped))
            if not name:
                return
            before = (await engine.view()).sequence
            await until(lambda: _newer(engine, before))
            morning.views[name] = await engine.view()

        await phase(gexbot__spx_1=gexbot_at(-1.0, net=10.0), delayed__spy_chain=chain_at(1.0, "SPY"))
        await phase("moved", gexbot__spx_2=gexbot_at(-1.2, net=-20.0))
        await phase("newest", gexbot__spx_3=gexbot_at(-1.5, net=-20.0, spot=6003.0))
        await phase("late", gexbot__spx_late=gexbot_at(600.0, net=99.0, spot=5000.0))
        qqq = chain_at(1.0, "QQQ")
        await phase("chains", real_time__qqq=qqq, delayed__iwm=chain_at(1.0, "IWM"))
        await phase("repeated", real_time__qqq_repeated=qqq)
        document = json.loads(qqq)
        document["data"]["options"][0]["open_interest"] += 1000
        await phase(real_time__qqq_corrected=json.dumps(document).encode())
        await phase(real_time__qqq_again=qqq)
        await phase(plain__spy=gexbot_at(1.0, "SPY"))
        await phase(
            "others",
            plain__rut=in_house_at(1.0),
            plain__table=table_at(),
            plain__lines=as_lines([gexbot_at(3.0, "NDX"), gexbot_at(2.0, "VIX"), gexbot_at(1.0, "NDX", spot=6003.5)]),
            history__xsp=chain_at(3 * 86_400, "XSP"),
        )
        morning.bad = bad_documents()
        for name, body in morning.bad.items():
            drop(folder / "bad", name, body)
            morning.dropped += 1
        await phase()
        await until(lambda: _told(engine, len(morning.bad)))
        morning.views["bad"] = await engine.view()
        morning.closing = engine.closing()
    return morning


def _settled(engine: Engine, received: int) -> bool:
    closing = engine.closing()
    return closing.received == received and closing.open == 0


async def _newer(engine: Engine, sequence: int) -> bool:
    return (await engine.view()).sequence > sequence


async def _told(engine: Engine, refused: int) -> bool:
    return any(f"{refused} payloads refused" in incident.text for incident in (await engine.view()).incidents)


@pytest.fixture(scope="module")
def morning(tmp_path_factory: pytest.TempPathFactory) -> Morning:
    return asyncio.run(live_through(tmp_path_factory.mktemp("morning")))


def test_everything_received_is_completed_or_dead_and_counted(morning: Morning) -> None:
    closing = morning.closing
    assert closing is not None
    assert (closing.received, closing.open, closing.failed) == (morning.dropped, 0, 0)
    assert closing.completed + closing.dead + closing.repeats == closing.received
    assert closing.repeats == closing.sources["real-time"].repeats == 1
    assert closing.dead == len(morning.bad)
    assert closing.sources["bad"].dead == closing.sources["bad"].received == len(morning.bad)
    view = morning.views["bad"]
    assert (view.received, view.completed, view.dead, view.in_flight) == (closing.received, closing.completed, closing.dead, 0)
    assert source_of(view, "bad").errors_5m == len(morning.bad)
    assert morning.rows("SELECT status, count(*) AS n FROM jobs GROUP BY status ORDER BY status") == [
        {"status": "COMPLETED", "n": closing.completed},
        {"status": "DEAD", "n": closing.dead},
    ]


def test_a_good_payload_is_in_metadata_lake_and_live_view(morning: Morning) -> None:
    [job] = morning.rows("SELECT * FROM jobs WHERE payload_name = 'rut.json'")
    assert (job["status"], job["source"], job["symbol"], job["records"], job["attempts"]) == ("COMPLETED", "plain", "RUT", 1, 1)
    assert job["received_at"] <= job["decided_at"] <= job["started_at"] <= job["available_at"] <= job["completed_at"]
    [snapshot] = morning.rows(f"SELECT * FROM snapshots WHERE job_id = '{job['job_id']}'")
    assert (snapshot["symbol"], snapshot["spot"], snapshot["format"]) == ("RUT", 2005.0, "canonical")
    assert (snapshot["net_gex"], snapshot["gross_gex"]) == (5e7, 1.5e8)
    assert (snapshot["payload_sha256"], snapshot["revision"]) == (job["payload_sha256"], 1)
    strikes = morning.rows(f"SELECT strike, net_gex FROM strikes WHERE job_id = '{job['job_id']}' ORDER BY strike")
    assert strikes == [{"strike": 2000.0, "net_gex": 1e8}, {"strike": 2010.0, "net_gex": -5e7}]
    live = next(symbol for symbol in morning.views["others"].symbols if symbol.symbol == "RUT")
    assert (live.served_by, live.net_gex, live.spot, live.level) == ("plain", 5e7, 2005.0, Level.LOW)


def test_each_format_arrives_and_every_snapshot_has_its_strikes(morning: Morning) -> None:
    assert {row["format"] for row in morning.rows("SELECT DISTINCT format FROM snapshots")} == {
        "gexbot", "cboe_json", "cboe_csv", "canonical",
    }  # fmt: skip
    wrong = morning.rows(
        "SELECT s.job_id, s.ordinal, s.strike_count, count(k.strike) AS found FROM snapshots s LEFT JOIN strikes k "
        "ON s.job_id = k.job_id AND s.ordinal = k.ordinal GROUP BY ALL HAVING found != s.strike_count"
    )
    assert wrong == []


def test_a_document_of_many_records_is_one_job_whose_newest_of_each_symbol_is_live(morning: Morning) -> None:
    [job] = morning.rows("SELECT * FROM jobs WHERE payload_name = 'lines.json'")
    assert (job["records"], job["symbol"]) == (3, "")
    stored = morning.rows(f"SELECT symbol FROM snapshots WHERE job_id = '{job['job_id']}' ORDER BY ordinal")
    assert [row["symbol"] for row in stored] == ["NDX", "VIX", "NDX"]
    live = {symbol.symbol: symbol for symbol in morning.views["others"].symbols}
    assert live["NDX"].spot == 6003.5
    assert "VIX" in live


def test_the_first_snapshot_of_a_session_says_so_and_a_large_move_is_critical(morning: Morning) -> None:
    first, moved = morning.decision("spx-1.json"), morning.decision("spx-2.json")
    assert (first["level"], first["winner"], first["gamma_change"]) == ("HIGH", "high-realtime", None)
    assert "no previous snapshot in this session: change counts as medium" in first["reason"]
    assert first["volume_from"] == "assumed"
    assert (moved["level"], moved["winner"]) == ("CRITICAL", "critical-large-realtime")
    assert moved["gamma_change"] == pytest.approx(30.0 / 53.75)
    assert [match["guideline"] for match in moved["matches"]][:2] == ["critical-large-realtime", "high-realtime"]
    assert morning.views["moved"].promises_kept == morning.views["moved"].promises_total == 2
    assert morning.views["moved"].worst_critical_s is not None


def test_volume_and_open_interest_come_from_the_symbols_latest_chain(morning: Morning) -> None:
    decision = morning.decision("spy.json")
    assert (decision["source"], decision["volume_from"]) == ("plain", "chain")
    assert (decision["open_interest"], decision["volume"]) == (240_000.0, 160.0)
    assert decision["level"] == "HIGH"


def test_delayed_quotes_are_low_whatever_their_impact_and_real_time_ones_are_not(morning: Morning) -> None:
    delayed, real_time = morning.decision("iwm.json"), morning.decision("qqq.json")
    assert delayed["open_interest"] == real_time["open_interest"] == 240_000.0
    assert (delayed["level"], delayed["winner"], delayed["freshness"]) == ("LOW", "low-stale", "STALE")
    assert 900.0 < delayed["data_age_s"] < 920.0
    assert (real_time["level"], real_time["freshness"]) == ("HIGH", "REAL_TIME")
    view = morning.views["chains"]
    assert (source_of(view, "delayed").delay_s, source_of(view, "real-time").delay_s) == (900.0, 0.0)
    assert {s.symbol: s.delay_s for s in view.symbols}["IWM"] == 900.0


def test_the_same_bytes_make_no_second_row_and_another_document_a_higher_revision(morning: Morning) -> None:
    jobs = morning.rows("SELECT payload_name, payload_sha256 FROM jobs WHERE payload_name LIKE 'qqq%' ORDER BY received_at")
    assert [job["payload_name"] for job in jobs] == ["qqq.json", "qqq-corrected.json", "qqq-again.json"]
    assert jobs[0]["payload_sha256"] == jobs[2]["payload_sha256"] != jobs[1]["payload_sha256"]
    snapshots = morning.rows("SELECT as_of, revision, payload_sha256 FROM snapshots WHERE symbol = 'QQQ' ORDER BY revision")
    assert [(s["revision"], s["payload_sha256"]) for s in snapshots] == [
        (1, jobs[0]["payload_sha256"]),
        (2, jobs[1]["payload_sha256"]),
    ]
    assert snapshots[0]["as_of"] == snapshots[1]["as_of"]


def test_what_a_source_sends_twice_in_a_row_is_counted_and_makes_no_job(morning: Morning) -> None:
    view = morning.views["repeated"]
    source = source_of(view, "real-time")
    assert (source.received, source.completed, source.repeats) == (2, 1, 1)
    assert view.received == view.completed + view.dead + view.repeats
    assert morning.rows("SELECT count(*) AS n FROM jobs WHERE payload_name = 'qqq-repeated.json'") == [{"n": 0}]


def test_a_snapshot_that_comes_after_a_newer_one_is_counted(morning: Morning) -> None:
    assert source_of(morning.views["newest"], "gexbot").reorders == 0
    assert source_of(morning.views["late"], "gexbot").reorders == 1


def test_a_late_job_is_stored_and_never_overwrites_a_newer_value(morning: Morning) -> None:
    values = {name: next(s for s in morning.views[name].symbols if s.symbol == "SPX") for name in ("moved", "newest", "late")}
    assert values["moved"].spot == 6001.25
    assert values["newest"].spot == values["late"].spot == 6003.0
    assert values["late"] == values["newest"]
    assert morning.rows("SELECT spot FROM snapshots WHERE source = 'gexbot' ORDER BY as_of LIMIT 1") == [{"spot": 5000.0}]


def test_history_is_stored_and_never_published(morning: Morning) -> None:
    assert morning.rows("SELECT symbol, source FROM snapshots WHERE symbol = 'XSP'") == [{"symbol": "XSP", "source": "history"}]
    assert "XSP" not in {symbol.symbol for symbol in morning.views["bad"].symbols}


def test_every_bad_document_is_a_dead_letter_with_one_printable_reason(morning: Morning) -> None:
    letters = morning.rows("SELECT * FROM dead_letters")
    assert len(letters) == len(morning.bad)
    assert sorted(letter["payload_name"] for letter in letters) == sorted(printable(name, 80) for name in morning.bad)
    for letter in letters:
        assert letter["reason"], letter["payload_name"]
        for text in (letter["reason"], letter["payload_name"]):
            assert text == printable(text, 1000), letter["payload_name"]
        assert letter["kind"] in ("malformed_payload", "oversize_payload", "unrecognised_format"), letter
        assert (letter["stage"], letter["attempts"]) == ("triage", 1), letter
    reasons = {letter["payload_name"]: letter["reason"] for letter in letters}
    assert "expands beyond" in reasons["bomb.json.gz"]
    assert "the document is empty" in reasons["blank.json"]
    assert "-1" in reasons["negative-spot.json"]
    assert "etc/passwd" in reasons["traversal.json"]
    assert morning.rows("SELECT count(*) AS n FROM snapshots WHERE source = 'bad'") == [{"n": 0}]


def test_nothing_in_a_view_can_steer_a_terminal(morning: Morning) -> None:
    view = morning.views["bad"]
    lines = [line.text for line in view.log if line.kind == "dead"]
    assert len(lines) > 10
    assert any("FAKE ALERT" in line for line in lines)
    incident = next(incident for incident in view.incidents if "refused" in incident.text)
    assert f"{len(morning.bad)} payloads refused" in incident.text
    texts = [*lines, incident.text, incident.subject, source_of(view, "bad").last_error, source_of(view, "bad").carries]
    assert all(text == printable(text, 1000) for text in texts)


async def test_what_cannot_be_kept_is_told_of_the_disk_and_comes_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise StoreError("the spool could not be written: No space left on device")

    settings = settings_of(tmp_path / "state", folder_source("feed", tmp_path / "in"), folder_source("other", tmp_path / "other"))
    async with engine_on(settings) as engine:
        with monkeypatch.context() as full:
            for name in ("keep", "keep_together"):
                full.setattr(Spool, name, refuse)
            for number in range(3):
                drop(tmp_path / "in", f"{number}.json", gexbot_at(2.0, net=float(number)))
            drop(tmp_path / "other", "one.json", gexbot_at(2.0, "NDX"))

            async def told() -> bool:
                return [i.kind for i in (await engine.view()).incidents] == ["disk_low"]

            await until(told)
            await asyncio.sleep(4.0)  # longer than a feed may fail unsaid
            [incident] = (await engine.view()).incidents
            assert incident.text.startswith("what feed, other brings cannot be kept and is asked for again: the spool could not")
            assert all(source.successes == source.requests for source in (await engine.view()).sources)
        await until(lambda: engine.closing().completed == 4)
