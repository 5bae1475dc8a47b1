"""Choosing a format: by name, by content, and the word on what no format fits."""

import json
import re
from typing import get_args

import pytest
from format_samples import DUMP, HTML, LOG, OTHERS, OWN, gexbot

from gexdesk.formats.detect import FORMATS, choose, decode
from gexdesk.model.errors import MalformedPayload, UnrecognisedFormat
from gexdesk.model.text import printable
from gexdesk.settings.sources import FormatName


def test_the_names_and_delays_are_those_of_the_configuration() -> None:
    delays = {name: part.default_delay_s for name, part in FORMATS.items()}
    assert set(delays) == set(get_args(FormatName))
    assert {name: delay for name, delay in delays.items() if delay} == {"cboe_json": 900.0, "cboe_csv": 900.0, "yahoo": 900.0}


@pytest.mark.parametrize("name", OWN)
def test_content_chooses_exactly_one(name: str) -> None:
    assert [part.name for part in FORMATS.values() if not part.recognises(OWN[name])] == [name]
    part, snapshots = decode(OWN[name], time_shift_s=60.0)
    assert part.name == name
    assert all(snapshot.format == name and snapshot.as_of == snapshot.quoted_at + 60 for snapshot in snapshots)


@pytest.mark.parametrize("name", FORMATS)
def test_a_configured_name_is_obeyed(name: str) -> None:
    assert choose(b"anything", name).name == name
    with pytest.raises(MalformedPayload, match=f"this is no {name} document"):
        decode(DUMP, name)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UnrecognisedFormat, match="'bloomberg'; allowed: cboe_json, cboe_csv, gexbot, canonical"):
        choose(OWN["gexbot"], "bloomberg")


@pytest.mark.parametrize("body", OTHERS.values(), ids=OTHERS)
def test_what_fits_none_is_refused_with_each_reason(body: bytes) -> None:
    with pytest.raises(UnrecognisedFormat) as refused:
        choose(body, None)
    message = refused.value.message
    assert message == printable(message, 800)
    for name, part in FORMATS.items():
        assert re.search(rf"\b{name}\b[a-z_, ]*: {re.escape(part.recognises(body))}", message)


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (DUMP, "cboe_json: no `data` with a list `options`"),
        (DUMP, "gexbot: no `strikes` as"),
        (DUMP, "canonical: no `market_symbol`"),
        (DUMP, "deribit: instruments, but not in a list `result`"),
        (b'{"options":null}', "tradier: no `options` with a list `option`"),
        (LOG, "cboe_csv: no header line with Calls, Strike and Puts"),
        (HTML, "begins '<html>"),
        (b'{"data":{"symbol":"^SPX"}}', "cboe_json: `data` holds no list `options`"),
        (b'{"options":[{"option":"SPX260320C06000000"}]}', "cboe_json: the bare `data` without its wrapper"),
        (b'{"strikes":[[6000,1,2,[]]],"ticker":"SPX"}', "gexbot: no `timestamp`"),
        (b"", "empty"),
        (b" \n", "empty"),
        (b"\x1b[2J\x1b]0;x\x07", "begins"),
    ],
)
def test_the_reason_helps(body: bytes, word: str) -> None:
    with pytest.raises(UnrecognisedFormat) as refused:
        choose(body, None)
    assert word in refused.value.message


def test_a_head_cut_in_the_middle_is_enough() -> None:
    strikes = [[price, 0.5, 1.5, [0, 0, 0, 0, 0]] for price in range(1000, 5000)]
    record = json.loads(gexbot(strikes=strikes))
    large = json.dumps(dict(reversed(record.items()))).encode()
    assert len(large) > 2 * 65_536
    assert b"ticker" not in large[:65_536]
    assert choose(large[:65_536], None).name == "gexbot"
