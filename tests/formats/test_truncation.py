"""Cut the generated morning's documents anywhere: refused, or right as far as they go."""

import gzip
import random
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from format_samples import OWN

from gexdesk.formats.compression import expand
from gexdesk.formats.detect import FORMATS, choose
from gexdesk.model.errors import MalformedPayload, PayloadError
from gexdesk.model.snapshot import Snapshot
from tests.contracts.format_contract import assert_sound

SAMPLE = Path(__file__).parents[2] / "sample_data"
CUTS = 200
LONGEST_S = 2.0


def _first(pattern: str, records: int | None = None) -> bytes:
    """Read the first file of a feed, or its first lines."""
    body = gzip.decompress(sorted(SAMPLE.glob(pattern))[0].read_bytes())
    return body if records is None else b"\n".join(body.split(b"\n")[:records]) + b"\n"


DOCUMENTS = {
    "cboe_json": _first("cboe-qqq/*.gz"),
    "cboe_csv": _first("csv-xsp/*.gz"),
    "gexbot": _first("gexbot-spx.jsonl.gz", 1),
    "gexbot lines": _first("gexbot-spx.jsonl.gz", 5),
    "canonical": _first("inhouse-rut.jsonl.gz", 1),
    "canonical lines": _first("inhouse-rut.jsonl.gz", 3),
    **{name: OWN[name] for name in ("yahoo", "tradier", "schwab", "deribit")},
}


def assert_right_as_far(cut: Sequence[Snapshot], whole: Sequence[Snapshot], ended: bool) -> None:
    """Check that what a cut document says stands in the whole one.

    Args:
        ended: The cut left whole lines; else its last number may be cut, and a warning has to say so.
    """
    assert 0 < len(cut) <= len(whole)
    for part, full in zip(cut, whole, strict=False):
        assert_sound(part)
        assert (part.symbol, part.as_of, part.spot) == (full.symbol, full.as_of, full.spot)
        if part.chain is None:
            assert part.given is not None
            assert full.given is not None
            np.testing.assert_array_equal(part.given.net_gex, full.given.net_gex)
            continue
        assert full.chain is not None
        n = len(part.chain)
        for name in ("strike", "expiry", "is_call", "bid", "iv", "open_interest"):
            last = n if ended else n - 1
            np.testing.assert_array_equal(getattr(part.chain, name)[:last], getattr(full.chain, name)[:last])
        assert ended or any("last number may be cut" in warning for warning in part.warnings)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_cut_document_is_refused_or_right_as_far_as_it_goes(name: str) -> None:
    body = DOCUMENTS[name]
    part = FORMATS[name.removesuffix(" lines")]
    assert choose(body[:65_536], None) is part
    whole = part.decode(body)
    dice = random.Random(f"cut {name}")
    line_ends = [i + 1 for i, byte in enumerate(body[:-1]) if byte == 10][-20:]
    taken = 0
    for at in [*(dice.randrange(len(body.rstrip())) for _ in range(CUTS)), *line_ends]:
        began = time.monotonic()
        try:
            cut = part.decode(body[:at])
        except MalformedPayload:
            continue
        finally:
            assert time.monotonic() - began < LONGEST_S
        taken += 1
        assert_right_as_far(cut, whole, ended=body[at - 1 : at] in (b"\n", b"}"))
    if "lines" not in name and name != "cboe_csv":
        assert taken == 0


@pytest.mark.parametrize("pattern", ["cboe-qqq/*.gz", "csv-xsp/*.gz", "gexbot-spx.jsonl.gz"])
def test_a_cut_compressed_document_is_refused(pattern: str) -> None:
    body = sorted(SAMPLE.glob(pattern))[0].read_bytes()
    dice = random.Random(f"cut {pattern}")
    for at in [*(dice.randrange(2, len(body)) for _ in range(CUTS)), len(body) - 1]:
        with pytest.raises(PayloadError, match=r"cut|broken"):
            expand(body[:at])
