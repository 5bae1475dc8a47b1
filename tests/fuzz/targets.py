"""One target a decoder, and the guidelines': bytes in; anything but sound values or an error in words is a finding."""

import contextlib
import gzip
import json
from collections.abc import Callable, Iterator
from math import nan
from typing import TypeVar

import polars as pl
import zstandard

from gexdesk.formats.cboe_date import parse_date_line
from gexdesk.formats.compression import expand
from gexdesk.formats.detect import FORMATS, choose
from gexdesk.guidelines.batch import decide_batch
from gexdesk.guidelines.condition import parse
from gexdesk.guidelines.decide import decide
from gexdesk.guidelines.matcher import fuse
from gexdesk.guidelines.rules import DEFAULT_FILE, RuleSet, load_default, read
from gexdesk.model.errors import GuidelineError, PayloadError
from gexdesk.model.features import Features
from gexdesk.model.text import printable
from tests.contracts.format_contract import decode_or_refuse
from tests.formats.format_samples import (
    CHAIN_COLUMNS,
    DATE,
    OWN,
    cboe_csv,
    cboe_json,
    gexbot,
    gexbot_low_tier,
    parquet,
    yahoo_result,
)

T = TypeVar("T")
Target = Callable[[bytes], None]

_ANY = load_default().guidelines[0]
_NUMBERS = (None, 0.0, -1.0, 1.0, 0.07, 60_000.0, float("nan"), float("inf"), -1e300)
_FEATURES = [
    Features(
        symbol=("SPX", "NDX")[n % 2], source="a", data_type=("real_time", "snapshot")[n % 2], volume=number,
        open_interest=_NUMBERS[(n + 3) % 9], gamma_change=_NUMBERS[(n + 5) % 9], data_age_s=_NUMBERS[(n + 1) % 9] or 0.0,
        clock_skew=n % 3 == 0, session=("regular", "closed")[n % 2], spot_move=_NUMBERS[(n + 2) % 9],
        change_percentile=_NUMBERS[(n + 4) % 9], priority_hint=(None, "low", "high")[n % 3], data_quality=(None, "medium")[n % 2],
    )
    for n, number in enumerate(_NUMBERS)
]  # fmt: skip
_FRAME = pl.DataFrame(
    {name: [getattr(features, name) for features in _FEATURES] for name in Features.__struct_fields__}, infer_schema_length=None
)
_CAP = 4 * 1024 * 1024


def _decoder(name: str) -> Target:
    part = FORMATS[name]

    def target(body: bytes) -> None:
        part.recognises(body[:65_536])
        decode_or_refuse(part, body)

    return target


@contextlib.contextmanager
def _refused_in_words() -> Iterator[None]:
    refused = "refused"
    try:
        yield
    except PayloadError as error:
        refused = error.message
    assert refused == printable(refused, 2000), ascii(refused)


def _compression(body: bytes) -> None:
    with _refused_in_words():
        assert len(expand(body, cap_bytes=_CAP)) <= max(_CAP, len(body))


def _date_line(body: bytes) -> None:
    with _refused_in_words():
        parse_date_line(body.decode("utf-8", "replace"))


def _detection(body: bytes) -> None:
    with _refused_in_words():
        choose(body, None)


def _taken(read_it: Callable[[], T]) -> T | None:
    """Return what was read; None where it was refused in words that can be shown."""
    fault: GuidelineError | None = None
    try:
        return read_it()
    except GuidelineError as error:
        fault = error
    assert fault.message == printable(fault.message, 600), ascii(fault.message)
    assert fault.details["allowed"], ascii(fault.message)
    return None


def _condition(body: bytes) -> None:
    """Refuse with a place, or compile twice to the same answer."""
    written = body.decode("utf-8", "replace")
    test = _taken(lambda: parse(written).test)
    if test is None:
        return
    matcher, classes = fuse([test]), load_default().classes
    one_by_one = [bool(matcher(classes.read(features), features, nan)) for features in _FEATURES]
    rules = RuleSet("fuzz", "v-0", classes, load_default().weights, (_ANY,), (_ANY,), (test,), matcher)
    together = [winner == _ANY.name for winner in decide_batch(_FRAME, rules)["winner"]]
    assert one_by_one == together, ascii(written)


def _rule_file(body: bytes) -> None:
    """Refuse with a line, or decide by it."""
    rules = _taken(lambda: read(body.decode("utf-8", "replace")))
    for features in _FEATURES if rules is not None else ():
        assert decide(features, rules, at=1.8e9).guidelines_version == rules.version


TARGETS: dict[str, Target] = {
    **{name: _decoder(name) for name in FORMATS if name != "canonical_parquet"},
    "compression": _compression,
    "date_line": _date_line,
    "detection": _detection,
    "guideline_condition": _condition,
    "guideline_file": _rule_file,
}
"""By name. Parquet's reader aborts processes: ``tests.faults.parquet_flips`` is its fuzzer."""


def seeds(name: str) -> list[bytes]:
    """Return good documents to start from."""
    more = {
        "cboe_csv": [cboe_csv(end="\r\n"), cboe_csv(date="Jun 28 2020 @ 14:27 ET,Bid,1", name="SPX (S&P),3009.05,-74.71,")],
        "cboe_json": [cboe_json([], note="x"), cboe_json(data={"symbol": None})],
        "gexbot": [gexbot_low_tier(), gexbot() + b"\n" + gexbot_low_tier(), b"[" + gexbot() + b"]"],
        "yahoo": [json.dumps(yahoo_result()).encode()],
        "compression": [gzip.compress(b"a") * 2, gzip.compress(b"0" * 9999), gzip.compress(gexbot()), zstandard.compress(gexbot())],
        "date_line": [DATE.encode(), "Date: 29 de setembro de 2023 às 09:29 GMT-4".encode(), b"Jun 28 2020 @ 14:27 ET,Bid,1"],
        "detection": [*OWN.values(), parquet(CHAIN_COLUMNS)],
        "guideline_condition": [guideline.when.encode() for guideline in load_default().guidelines] + [
            b"symbol in ['SPX', 'NDX'] and not session == 'closed'", b"-(volume / 2) + 1 < open_interest * 3 or clock_skew",
            b"priority_hint >= high and data_quality not in [low, medium]", b"1 < change_percentile <= 99 != spot_move",
        ],
        "guideline_file": [DEFAULT_FILE.read_bytes()],
    }
    return [*([OWN[name]] if name in OWN else []), *more.get(name, [])]
