"""Documents that no desk may take, and file names that no terminal may see."""

import gzip
import json
import time

from tests.engine.desk_setting import chain_at, gexbot_at
from tests.formats.format_samples import HTML, LOG, LONG_TABLE, leg

OSC_TITLE = "\x1b]0;owned\x07"
OSC_CLIPBOARD = "\x1b]52;c;cm0gLXJm\x1b\\"
CLEAR = "\x1b[2J\x1b[H"


def with_raw(field: str, raw: bytes) -> bytes:
    """Return a GEXBot record in which one field is these very bytes."""
    document = json.loads(gexbot_at(1.0))
    document[field] = "HERE"
    return json.dumps(document).encode().replace(b'"HERE"', raw)


def bad_documents() -> dict[str, bytes]:
    """Return bad documents by file name; each ends as a dead letter."""
    good, chain = gexbot_at(1.0), chain_at(1.0)
    return {
        "blank.json": b" \n",
        "null.json": b"null",
        "array.json": b"[]",
        "cut.json": good[:-60],
        "cut-chain.json": chain[: len(chain) // 2],
        "login-page.json": HTML,
        "log.txt": LOG,
        "long-table.csv": LONG_TABLE,
        "two-documents.json": good + b" trailing",
        "utf-16.json": good.decode().encode("utf-16"),
        "bad-utf-8.json": good.replace(b'"SPX"', b'"SP\xff"'),
        "nan.json": with_raw("spot", b"NaN"),
        "beyond-a-float.json": with_raw("spot", b"1e999"),
        "negative-spot.json": gexbot_at(1.0, spot=-1.0),
        "digits.json": with_raw("timestamp", b"1" * 5000),
        "deep.json": b'{"timestamp": ' + b"[" * 100_000,
        "deep-strikes.json": with_raw("strikes", b"[" * 5000 + b"]" * 5000),
        "no-strikes.json": gexbot_at(1.0, strikes=[]),
        "traversal.json": gexbot_at(1.0, "../../etc/passwd"),
        "homoglyph.json": gexbot_at(1.0, "S\u0420X"),
        "markup.json": gexbot_at(1.0, "SPX[/]"),
        "long-symbol.json": gexbot_at(1.0, "A" * 300),
        "milliseconds.json": gexbot_at(1.0, timestamp=time.time() * 1000),
        "escape-in-symbol.json": gexbot_at(1.0, OSC_TITLE),
        "escape-in-contract.json": json.dumps(
            {"timestamp": "2026-03-02 15:00:10", "data": {"options": [leg(OSC_CLIPBOARD)], "current_price": 1.0, "symbol": CLEAR}}
        ).encode(),
        "bomb.json.gz": gzip.compress(b"0" * 30_000_000, 9),
        "twice.json.gz": gzip.compress(gzip.compress(good)),
        "cut.json.gz": gzip.compress(chain)[:-9],
        "not-zstd.json.zst": b"\x28\xb5\x2f\xfd" + b"\x00" * 40,
        f"{OSC_TITLE}.json": b"{}",
        f"{CLEAR}[red]FAKE ALERT[].json": b"{ }",
        "[@click=app.quit]SPX[].json": b"{  }",
        "line\nfeed \u202exps.json": b"{   }",
    }
