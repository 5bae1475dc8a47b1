"""The sample morning, from its first second to its last, on the real engine, headless and four times as fast."""

import asyncio
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gexdesk.assemble.desk import assemble
from gexdesk.assemble.offline import ask
from gexdesk.assemble.sample import sample_settings
from gexdesk.engine.closing import Closing
from gexdesk.engine.engine import Engine
from gexdesk.model.clock import SystemClock
from gexdesk.model.level import LEVELS, Level
from gexdesk.model.view.desk import DeskView
from gexdesk.model.view.log import LogLine
from tests.until import until

SPEED = 4.0
"""At this speed the twenty seconds of silence are long enough for an incident."""

STORY = Path(__file__).resolve().parent.parent / "sample_data" / "story.jsonl"


@dataclass
class Played:
    """Hold what came of the morning."""

    state: Path
    closing: Closing
    last: DeskView
    log: list[LogLine]

    def rows(self, sql: str) -> list[dict[str, Any]]:
        return ask(sql, self.state, None)


async def play(state: Path) -> Played:
    """Replay the sample to its end."""
    log: list[LogLine] = []
    engine = assemble(sample_settings(state), SystemClock(), once=True, replay_speed=SPEED, log=lambda line, _: log.append(line))
    await engine.start()
    try:
        async with asyncio.timeout(100):
            await engine.idle()
        # A picture of the end: an earlier one lacks the last few.
        await until(lambda: _shows(engine, engine.closing().completed))
        return Played(state, engine.closing(), await engine.view(), log)
    finally:
        await engine.close()


async def _shows(engine: Engine, completed: int) -> bool:
    return (await engine.view()).completed == completed


async def test_the_sample_morning(tmp_path: Path) -> None:
    """One play for all that is asked of it: it takes half a minute, and workers share no fixture."""
    played = await play(tmp_path / "state")
    all_of_it_is_completed_but_the_document_that_ends_in_the_middle(played)
    all_four_levels_come_and_every_promise_is_kept(played)
    what_is_critical_is_so_by_the_guidelines(played)
    nothing_is_served_before_something_that_matters_more(played)
    the_silent_source_opens_an_incident_that_closes_itself(played)
    nothing_is_held_back_and_no_feeds_disagree(played)
    readers_have_every_symbol_and_history_serves_nobody(played)


def all_of_it_is_completed_but_the_document_that_ends_in_the_middle(played: Played) -> None:
    entries = [json.loads(line) for line in STORY.read_text().splitlines()]
    told = Counter(entry["source"] for entry in entries if entry["kind"] == "payload")
    closing = played.closing
    assert {name: source.received for name, source in closing.sources.items()} == told
    assert (closing.completed, closing.dead, closing.failed, closing.open) == (told.total() - 1, 1, 0, 0)
    [letter] = played.rows("SELECT source, kind, reason FROM dead_letters")
    assert (letter["source"], letter["kind"]) == ("gexbot-spy", "malformed_payload")
    assert "ends in the middle" in letter["reason"]
    assert played.rows("SELECT status, count(*) AS n, count(DISTINCT job_id) AS jobs FROM jobs GROUP BY status ORDER BY n") == [
        {"status": "DEAD", "n": 1, "jobs": 1},
        {"status": "COMPLETED", "n": closing.completed, "jobs": closing.completed},
    ]


def all_four_levels_come_and_every_promise_is_kept(played: Played) -> None:
    levels = played.closing.levels
    assert all(levels[level].count > 0 for level in LEVELS)
    assert sum(closing.count for closing in levels.values()) == played.closing.completed
    assert all(closing.within_promise == closing.count for closing in levels.values())
    critical = levels[Level.CRITICAL]
    assert critical.mean_s is not None
    assert critical.max_s is not None
    assert critical.mean_s < 10
    assert critical.max_s < 30
    promised = sum(levels[level].count for level in (Level.CRITICAL, Level.HIGH, Level.MEDIUM))
    assert (played.last.promises_kept, played.last.promises_total) == (promised, promised)


def what_is_critical_is_so_by_the_guidelines(played: Played) -> None:
    decided = played.rows("SELECT symbol, winner, gamma_change, data_age_s, freshness FROM decisions WHERE level = 'CRITICAL'")
    assert len(decided) == played.closing.levels[Level.CRITICAL].count
    assert "SPX" in {decision["symbol"] for decision in decided}
    for decision in decided:
        assert decision["winner"] == "critical-large-realtime"
        assert decision["gamma_change"] > 0.10
        assert decision["data_age_s"] < 5


def nothing_is_served_before_something_that_matters_more(played: Played) -> None:
    assert played.closing.dispatches == played.closing.received
    assert played.closing.deviation < 0.01


def the_silent_source_opens_an_incident_that_closes_itself(played: Played) -> None:
    incidents = [line for line in played.log if line.kind == "incident"]
    [opened] = [line for line in incidents if line.text.endswith(" NDX: gexbot-ndx fails: 503 Service Unavailable")]
    assert opened.grave
    [closed] = [line for line in incidents if line.text == f"{opened.text.split()[0]} NDX: closed itself"]
    back = next(line for line in played.log if line.kind == "source" and "gexbot-ndx is back" in line.text)
    assert opened.at < back.at < closed.at


def nothing_is_held_back_and_no_feeds_disagree(played: Played) -> None:
    """The first look at the desk shows no false alarm, judged by the limits that every desk has."""
    assert [line.text for line in played.log if "held back" in line.text or "disagree" in line.text] == []
    assert {incident.kind for incident in played.last.incidents}.isdisjoint({"quarantine", "disagree", "symbol_frozen"})
    assert [symbol.symbol for symbol in played.last.symbols if symbol.flags] == []


def readers_have_every_symbol_and_history_serves_nobody(played: Played) -> None:
    live = {symbol.symbol: symbol for symbol in played.last.symbols}
    assert live["SPX"].served_by == "gexbot-spx"
    assert live["NDX"].served_by == "gexbot-ndx"
    assert "backfill" not in {symbol.served_by for symbol in live.values()}
    carried = {symbol for source in sample_settings(played.state).sources for symbol in source.symbols}
    assert live.keys() == carried
    assert all(symbol.net_gex is not None for symbol in live.values())
    assert played.rows("SELECT count(*) AS n FROM snapshots WHERE source = 'backfill'") == [{"n": 3}]
    assert played.last.mode == "sample"
