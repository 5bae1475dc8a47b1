"""Write ``sample_data/``: the same seed gives the same bytes."""

import gzip
import json
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from functools import cache
from pathlib import Path

from gexdesk.sample import canonical, cboe, story
from gexdesk.sample.gexbot import Classic
from gexdesk.sample.market import Chain, Quotes
from gexdesk.sample.story import LENGTH_S, SOURCES, START_AT, Moment
from gexdesk.sample.symbols import FORTY
from gexdesk.sample.underlying import NEW_YORK, Underlying

DEFAULT_SEED = 20_260_302
STORY = "story.jsonl"

_SINGLE = {"cboe-spx": ".json.gz", "cboe-qqq": ".json.gz", "cboe-spy": ".json.gz", "backfill": ".json.gz", "csv-xsp": ".csv.gz"}
"""Sources that keep one file a payload; the others are JSON lines, one payload a line."""

_SENT_COMPRESSED = "cboe-qqq"
"""The source that hands its gzip files over as they lie."""

NAME_STRIKES = 15
"""How many strikes a small name's GEXBot document has."""


def generate(folder: Path, seed: int = DEFAULT_SEED) -> None:
    """Write the sample morning: payload files in the vendors' layouts, ``story.jsonl`` and ``README.md``.

    The first line of the story is ``{"kind": "start", "starts_at", "length_s"}``: UTC seconds since the epoch of story second
    0, and how long the story is. Every other line is an event, in the order of delivery: ``at_s`` (story seconds), ``source``,
    ``kind`` (``payload`` or ``fail``), ``file`` (below the folder), ``record`` (line of a JSON-lines file from 0, else null),
    ``compressed`` (hand the file over as it lies) and ``reason`` (of a failure).

    Args:
        folder: Made where it is missing; files of the same name are replaced, others left alone.
        seed: Decides contracts, open interest, quotes and the jitter of deliveries; never what happens.
    """
    press = _Press(seed)
    lines: dict[str, list[bytes]] = defaultdict(list)
    files: dict[str, bytes] = {}
    events: list[dict[str, object]] = [{"kind": "start", "starts_at": START_AT, "length_s": LENGTH_S}]
    for moment in story.moments(seed):
        event: dict[str, object] = {"at_s": moment.at_s, "source": moment.source}
        if moment.reason:
            events.append({**event, "kind": "fail", "file": "", "record": None, "reason": moment.reason})
            continue
        name, body = _file_name(moment), press.payload(moment)
        record: int | None = None
        if moment.source in _SINGLE:
            files[name] = body
        else:
            record = len(lines[name])
            lines[name].append(body)
        event |= {"kind": "payload", "file": name, "record": record}
        events.append({**event, "compressed": True} if moment.source == _SENT_COMPRESSED else event)
    for name, body in (*files.items(), *((name, b"\n".join(records) + b"\n") for name, records in lines.items())):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(body, 9, mtime=0))
    (folder / STORY).write_bytes(b"".join(json.dumps(event, separators=(",", ":")).encode() + b"\n" for event in events))
    (folder / "README.md").write_bytes(_README.encode())


def _file_name(moment: Moment) -> str:
    if moment.source in _SINGLE:
        stamp = datetime.fromtimestamp(START_AT + moment.stamp_s, NEW_YORK)
        return f"{moment.source}/{stamp:%Y%m%d-%H%M%S}{_SINGLE[moment.source]}"
    return f"{moment.source}/wave-{moment.wave}.jsonl.gz" if moment.wave else f"{moment.source}.jsonl.gz"


class _Press:
    """Print payloads; chains are listed once and quoted anew for each."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._formats = {source.name: source.format for source in SOURCES}
        self._delays_s = {source.name: source.delay_s for source in SOURCES}
        self._chain: Callable[[Underlying], Chain] = cache(lambda underlying: Chain(underlying, seed))
        self._listed: Callable[[Underlying], cboe.Listed] = cache(lambda u: cboe.Listed(self._chain(u), seed, START_AT))
        self._classic: Callable[[Underlying], Classic] = cache(self._classic_of)

    def payload(self, moment: Moment) -> bytes:
        """Return the bytes of a payload, not compressed."""
        underlying, at = moment.underlying, START_AT + moment.stamp_s
        delay_s = self._delays_s[moment.source]
        match self._formats[moment.source]:
            case "gexbot":
                body = self._classic(underlying).document(at)
            case "canonical":
                body = canonical.document(self._chain(underlying), self._quotes(underlying, at, delay_s), at)
            case "cboe_csv":
                body = cboe.csv_file(self._listed(underlying), self._quotes(underlying, at, delay_s), at)
            case _:
                first = moment.source == "cboe-names"
                quotes = self._quotes(underlying, at, delay_s)
                body = cboe.json_document(self._listed(underlying), quotes, at, symbol_first=first)
        return body[: len(body) * 3 // 5] if moment.truncated else body

    def _quotes(self, underlying: Underlying, at: float, delay_s: float = 0.0) -> Quotes:
        at_s = at - START_AT
        # A delayed feed quotes what was so long ago; the story goes round, so that it is known what that was.
        quoted_s = (at_s - delay_s) % story.LENGTH_S if delay_s else at_s
        quotes = self._chain(underlying).quotes(at, story.spot(underlying, quoted_s), story.traded(underlying, max(at_s, -60.0)))
        return self._chain(underlying).with_blocks(quotes, story.blocks(underlying, at_s))

    def _classic_of(self, underlying: Underlying) -> Classic:
        # The index is subscribed in full; the others are of the tier that writes 0 for open interest and the flip.
        chain = self._chain(underlying)

        def quote(at: float) -> Quotes:
            return self._quotes(underlying, at)

        if underlying in FORTY:
            return Classic(chain, quote, full_tier=False, strikes=NAME_STRIKES, decimals=4)
        return Classic(chain, quote, full_tier=underlying.symbol == "SPX")


_README = """# The sample morning

Everything in this folder is synthetic: written by gexdesk's own generator, from a seeded model of a market, in the layouts that
vendors use. No number was ever quoted anywhere. Do not edit it by hand; write it anew with

    gexdesk sample DIR

which gives the same bytes for the same seed (a test compares). The story runs 120 s from Monday 2026-03-02 09:30 New York; a
replay shifts its times to the present.

| file | what |
|---|---|
| `story.jsonl` | first line: the story's start and length; then an event a line: when, source, file and line, or why it failed |
| `gexbot-spx.jsonl.gz` | GEXBot classic documents, one a line and second; one in ten repeats its predecessor |
| `gexbot-ndx.jsonl.gz` | the same of the tier without open interest, where 0 means missing |
| `gexbot-spy.jsonl.gz` | likewise; one document is cut off on purpose |
| `gexbot-names.jsonl.gz` | likewise, small ones of forty single names, 360 a second for six seconds; stamps of whole seconds |
| `cboe-spx/` | Cboe delayed-quotes documents; the expiry of 20 March stands under both roots, SPX and SPXW |
| `cboe-qqq/` | the same with fractional strikes; handed over compressed, as it lies |
| `cboe-names.jsonl.gz` | the same for AAPL, NVDA, TSLA and AMD in turn, with another order of keys |
| `cboe-burst/` | the same for forty single names, five waves within five seconds |
| `cboe-spy/` | the same, declared 15 minutes delayed |
| `csv-xsp/` | Cboe quote tables, CRLF, declared 15 minutes delayed |
| `inhouse-rut.jsonl.gz`, `inhouse-vix.jsonl.gz` | canonical snapshots |
| `backfill/` | three large NDX chains of the Friday before |
"""
