"""One target a decoder: bytes in; anything but sound snapshots or a payload error is a finding."""

import contextlib
import gzip
import json
from collections.abc import Callable, Iterator

import zstandard

from gexdesk.formats.cboe_date import parse_date_line
from gexdesk.formats.compression import expand
from gexdesk.formats.detect import FORMATS, choose
from gexdesk.model.errors import PayloadError
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

Target = Callable[[bytes], None]

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


TARGETS: dict[str, Target] = {
    **{name: _decoder(name) for name in FORMATS if name != "canonical_parquet"},
    "compression": _compression,
    "date_line": _date_line,
    "detection": _detection,
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
    }
    return [*([OWN[name]] if name in OWN else []), *more.get(name, [])]
