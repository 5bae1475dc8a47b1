"""The story: what an operator will see, in which order, and why the guidelines will decide as they do."""

import math
import re
from collections import Counter, defaultdict
from datetime import UTC, datetime
from functools import cache
from itertools import pairwise

import pytest
from sample_morning import Event, events, payloads, start

from gexdesk.formats.gexbot import GexbotClassic
from gexdesk.gex.change import gamma_change
from gexdesk.gex.summary import Measures, measure
from gexdesk.guidelines.decide import decide
from gexdesk.guidelines.rules import load_default
from gexdesk.model.features import Features
from gexdesk.model.level import Level
from gexdesk.sample.story import FLOOD_S, LENGTH_S, MOVES_S, SILENCE_S, SOURCES, START_AT
from gexdesk.sample.symbols import FORTY
from gexdesk.settings.symbols import Rates

REAL_TIME = [s.name for s in SOURCES if s.delay_s == 0 and s.name != "backfill"]


@cache
def stamp(event: Event) -> float:
    """Return the payload's own stamp, UTC seconds since the epoch."""
    text = event.body.decode()
    if event.source == "csv-xsp":
        hour, minute = re.search(r"at (\d+):(\d+) AM EST", text).groups()
        return datetime(2026, 3, 2, int(hour) + 5, int(minute), tzinfo=UTC).timestamp()
    if event.source.startswith("gexbot"):
        return float(re.match(r'\{"timestamp": (\d+)', text)[1])
    if event.source.startswith("inhouse"):
        return datetime.fromisoformat(event.document["snapshot_time"]).timestamp()
    return datetime.fromisoformat(re.search(r'"timestamp":"([^"]+)"', text)[1]).replace(tzinfo=UTC).timestamp()


def symbol(event: Event) -> str:
    """Return the symbol without an index's mark; quote tables carry none."""
    found = re.search(r'"(?:ticker|market_symbol|symbol)": ?"[_^]?([A-Z]+)"', event.body.decode())
    return found[1] if found else ""


@cache
def net_and_gross(event: Event) -> tuple[float, float]:
    """Sum GEX up in USD per 1%: as the vendor gives it, or by an undiscounted gamma with rate 0."""
    document = event.document
    if event.source.startswith("gexbot"):
        column = 2 if document["sum_gex_oi"] else 1
        values = [row[column] * 1e6 for row in document["strikes"]]
    else:
        spot, values, now = document["data"]["current_price"], [], stamp(event)
        for row in document["data"]["options"]:
            right, strike = row["option"][-9], int(row["option"][-8:]) / 1000
            if row["iv"] and row["open_interest"]:
                close = datetime.strptime(row["option"][-15:-9] + "21", "%y%m%d%H").replace(tzinfo=UTC).timestamp()
                deviation = row["iv"] * math.sqrt((close - now) / 31_536_000)
                d1 = math.log(spot / strike) / deviation + deviation / 2
                gamma = math.exp(-d1 * d1 / 2) / math.sqrt(2 * math.pi) / (spot * deviation)
                values.append((1 if right == "C" else -1) * gamma * row["open_interest"] * spot**2)
    return sum(values), sum(map(abs, values))


def changes(source: str) -> dict[float, float]:
    """Return abs(net - previous net) / previous gross by time of delivery."""
    found, previous = {}, None
    for event in readable(source):
        now = net_and_gross(event)
        if previous:
            found[event.at_s] = abs(now[0] - previous[0]) / previous[1]
        previous = now
    return found


def readable(source: str) -> list[Event]:
    """Leave out the one document that is cut off."""
    return [event for event in payloads(source) if source == "csv-xsp" or event.body.endswith(b"}")]


def test_the_first_line_tells_when_and_how_long():
    opening = datetime(2026, 3, 2, 14, 30, tzinfo=UTC).timestamp()
    assert start() == {"kind": "start", "starts_at": opening, "length_s": 120.0}
    assert (opening, 120.0) == (START_AT, LENGTH_S)


def test_events_are_in_order_and_of_configured_sources():
    times = [event.at_s for event in events()]
    assert times == sorted(times)
    assert 0.5 < times[0] < 2.0
    assert times[-1] < LENGTH_S
    assert {event.source for event in events()} == {source.name for source in SOURCES}
    assert all(event.reason and not event.file for event in events() if event.kind == "fail")


def test_sources_carry_what_their_payloads_say():
    for source in SOURCES:
        found = {symbol(event) for event in payloads(source.name)}
        assert found == ({""} if source.format == "cboe_csv" else set(source.symbols)), source.name


def test_standing_levels_are_levels():
    assert {source.level for source in SOURCES} == {"auto", Level.MEDIUM.value, Level.LOW.value}
    assert {source.format for source in SOURCES} == {"cboe_json", "cboe_csv", "gexbot", "canonical"}


@pytest.mark.parametrize("source", [s.name for s in SOURCES if s.name != "backfill"])
def test_no_stamp_lies_in_the_future_and_real_time_ones_are_young(source):
    oldest_s = 3.0 if source in REAL_TIME else 60.0
    for event in payloads(source):
        assert 0 <= START_AT + event.at_s - stamp(event) < oldest_s, event


@pytest.mark.parametrize("source", [s.name for s in SOURCES])
def test_stamps_of_a_symbol_increase(source):
    """A repeated GEXBot document is the only one whose stamp stands still; many of a second share that second's stamp."""
    last: dict[str, tuple[float, bytes]] = {}
    for event in readable(source):
        before, body = last.get(symbol(event), (0.0, b""))
        shared = source == "gexbot-names" and stamp(event) == before
        assert stamp(event) > before or event.body == body or shared
        last[symbol(event)] = (stamp(event), event.body)


@pytest.mark.parametrize("source", [s.name for s in SOURCES if s.every_s is not None])
def test_payloads_come_at_the_interval_that_is_promised(source):
    every_s = next(s.every_s for s in SOURCES if s.name == source)
    times = [event.at_s for event in events(source)]
    gaps = [b - a for a, b in pairwise(times)]
    allowed = 2 * every_s if source == "gexbot-ndx" else every_s
    assert max(gaps) < allowed + 0.25
    # The round after this one begins in time, too.
    assert times[0] + LENGTH_S - times[-1] < 2 * every_s


def test_the_open_and_the_end_are_quiet():
    for source in ("gexbot-spx", "cboe-spx", "gexbot-spy"):
        still = [change for at_s, change in changes(source).items() if at_s < 20 or at_s > 100]
        assert still
        assert max(still) < 0.05


def test_the_index_moves_its_gamma_where_the_story_says_so():
    large = [math.floor(at_s) for at_s, change in changes("gexbot-spx").items() if change > 0.10]
    assert large == list(MOVES_S)
    assert len(MOVES_S) == 12
    assert sum(20 <= second < 36 for second in MOVES_S) == 5
    # Well clear of the threshold on both sides: another gamma convention decides the same.
    assert all(change > 0.2 or change < 0.05 for change in changes("gexbot-spx").values())


def test_the_chain_of_the_index_moves_too():
    found = changes("cboe-spx")
    assert max(change for at_s, change in found.items() if at_s < 20) < 0.03
    assert sum(change > 0.04 for at_s, change in found.items() if at_s > 20) >= 4
    # The nearest expiry alone goes through its flip: the whole chain is too heavy for it.
    assert max(found.values()) < 0.10


def price_of(event: Event) -> float:
    document = event.document
    if event.source.startswith("inhouse"):
        return document["metadata"]["spot"]
    return document["spot"] if event.source.startswith("gexbot") else document["data"]["current_price"]


def test_prices_of_a_symbol_move_as_prices_do_and_agree_in_every_feed():
    """Within a second of the market no two feeds are further apart than desks of two vendors are."""
    seen: dict[str, list[tuple[float, float, str]]] = defaultdict(list)
    delays = {source.name: source.delay_s for source in SOURCES}
    for source in SOURCES:
        for event in readable(source.name) if source.format != "cboe_csv" and source.name != "backfill" else ():
            seen[symbol(event)].append(((stamp(event) - delays[source.name]) % LENGTH_S, price_of(event), source.name))
    compared = Counter[bool]()
    for rows in seen.values():
        rows.sort()
        for (at, price, source), (next_at, next_price, next_source) in pairwise(rows):
            if next_at - at <= 1.0:
                assert abs(next_price / price - 1) < 0.003, (source, next_source, at, price, next_price)
                compared[source != next_source] += 1
    assert compared[True] > 200
    assert compared[False] > 3_000


def test_a_loop_joins_without_a_jump():
    for source in ("gexbot-spx", "cboe-spx"):
        first, last = net_and_gross(payloads(source)[0]), net_and_gross(payloads(source)[-1])
        assert abs(first[0] - last[0]) / last[1] < 0.05


@pytest.mark.parametrize(
    ("source", "symbol", "impact"),
    [
        ("cboe-spx", "_SPX", "high"),
        ("cboe-qqq", "QQQ", "high"),
        ("cboe-names", "NVDA", "high"),
        ("cboe-names", "TSLA", "high"),
        ("cboe-names", "AAPL", "medium"),
        ("cboe-names", "AMD", "low"),
    ],
)
def test_every_impact_appears(source, symbol, impact):
    found = {impact_of(event) for event in payloads(source) if event.document["symbol"] == symbol}
    assert found == {impact}


def impact_of(event: Event) -> str:
    options = event.document["data"]["options"]
    held, traded = (sum(row[key] for row in options) for key in ("open_interest", "volume"))
    if traded > 50_000 or held > 100_000:
        return "high"
    return "medium" if traded >= 10_000 or held >= 25_000 else "low"


def test_forty_symbols_burst_within_five_seconds():
    burst = payloads("cboe-burst")
    assert 120 <= len(burst) <= 200
    assert burst[0].at_s >= 40
    assert burst[-1].at_s - burst[0].at_s < 5
    assert Counter(symbol(event) for event in burst) == dict.fromkeys((s.symbol for s in FORTY), 5)
    assert Counter(impact_of(event) for event in burst[:40]) == {"high": 8, "medium": 14, "low": 18}
    # The index turns CRITICAL in the middle of it.
    assert any(burst[0].at_s < second < burst[-1].at_s for second in MOVES_S)


def test_a_flood_of_small_documents_outruns_two_cores():
    flood = payloads("gexbot-names")
    assert 3_200 <= len(flood) <= 4_000
    assert FLOOD_S[0] <= flood[0].at_s
    assert flood[-1].at_s < FLOOD_S[1] + 0.3
    rate = Counter(math.floor(event.at_s - FLOOD_S[0]) for event in flood)
    assert all(500 <= rate[second] <= 650 for second in range(6))
    # Evenly: no gap in which a queue would drain.
    assert max(b.at_s - a.at_s for a, b in pairwise(flood)) < 0.02
    assert max(len(event.body) for event in flood) < 1_500
    # The index turns CRITICAL with at least two seconds of it before and after.
    assert any(flood[0].at_s + 2 < second < flood[-1].at_s - 2 for second in MOVES_S)


def test_volumes_of_the_flood_are_known_before_it_comes():
    chains = {symbol(event): event.at_s for event in reversed(payloads("cboe-burst"))}
    assert all(chains[symbol(event)] < event.at_s for event in payloads("gexbot-names"))


def test_one_in_ten_of_the_flood_repeats_its_predecessor_and_the_others_say_something_new():
    repeated, others = 0, 0
    last: dict[str, Event] = {}
    for event in payloads("gexbot-names"):
        before = last.get(symbol(event))
        last[symbol(event)] = event
        if before is None:
            continue
        if event.body == before.body:
            repeated += 1
            continue
        others += 1
        assert event.document["strikes"] != before.document["strikes"]
    assert repeated / (repeated + others) == pytest.approx(0.1, abs=0.02)


def test_the_flood_is_a_broad_mix_of_levels():
    levels: Counter[Level] = Counter()
    for features in _flood_features():
        levels[decide(features, load_default(), None).level] += 1
    share = {level: count / levels.total() for level, count in levels.items()}
    assert 0.001 < share[Level.CRITICAL] < 0.01
    assert 0.05 < share[Level.HIGH] < 0.15
    assert 0.25 < share[Level.MEDIUM] < 0.45
    assert share[Level.LOW] > 0.40


def _flood_features() -> list[Features]:
    """Measure what a desk that keeps up would: volume and open interest from the latest chain, the change from the last one."""
    conventions, decoder, found = Rates().conventions(), GexbotClassic(), []
    sizes: dict[str, tuple[float, float]] = {}
    before: dict[str, Measures] = {}
    for event in sorted((*payloads("cboe-burst"), *payloads("gexbot-names")), key=lambda event: event.at_s):
        if event.source == "cboe-burst":
            rows = event.document["data"]["options"]
            sizes[symbol(event)] = (sum(row["volume"] for row in rows), sum(row["open_interest"] for row in rows))
            continue
        (snapshot,) = decoder.decode(event.body)
        now, previous = measure(snapshot, conventions.of(snapshot.symbol)), before.get(snapshot.symbol)
        before[snapshot.symbol] = now
        volume, held = sizes[snapshot.symbol]
        found.append(
            Features(
                symbol=snapshot.symbol,
                source=event.source,
                data_type="real_time",
                volume=volume,
                open_interest=held,
                gamma_change=gamma_change(now.net_gex, previous.net_gex, previous.gross_gex) if previous else None,
                data_age_s=START_AT + event.at_s - snapshot.as_of,
                volume_from="chain",
                clock_skew=False,
                source_reliability=1.0,
                coverage=None,
            )
        )
    return found


def test_large_chains_come_with_the_burst():
    backfill = payloads("backfill")
    assert len(backfill) == 3
    assert all(40 < event.at_s < 46 and len(event.body) > 2_000_000 for event in backfill)
    assert all(stamp(event) < START_AT - 2 * 86_400 for event in backfill)


def test_one_feed_fails_and_comes_back():
    failures = [event for event in events() if event.kind == "fail"]
    assert {(event.source, event.reason) for event in failures} == {("gexbot-ndx", "503 Service Unavailable")}
    assert 8 <= len(failures) <= 12
    assert all(SILENCE_S[0] <= event.at_s < SILENCE_S[1] for event in failures)
    times = [event.at_s for event in payloads("gexbot-ndx")]
    gap = max(pairwise(times), key=lambda pair: pair[1] - pair[0])
    assert gap[0] < 65 < 85 < gap[1] < 86.5
