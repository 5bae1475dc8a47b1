"""Names that would hurt as a path, a shell word, SQL or on a screen: no format makes a symbol of them."""

import pytest
from format_samples import canonical, cboe_json, gexbot, parquet, schwab, tradier, tradier_option, yahoo, yahoo_result

from gexdesk.formats.detect import FORMATS
from gexdesk.model.errors import MalformedPayload

NAMES = [
    "", ".", "..", "../x", "../../etc/cron.d/x", "/abs", "a/b", "a\\b", "a\0b", "a\nb", "a b", "~", "$HOME/x", "`id`", "$(id)",
    "%2e%2e%2f", "%", "A=B", "sym=SPX", "*", "?", "[x]", "{a,b}", "x" * 255, "x" * 300, "\u00e9", "e\u0301", "S\u0420X",
    "\u202eXPS", "\ufeffSPX", "\x1b]0;t\x07", "'; DROP TABLE t;--", '"', "\u017fpx", "\u2460\u2461", "-", "^", "$", "_.-",
]  # fmt: skip
MAKE = {
    "cboe_json": lambda name: cboe_json(symbol=name, data={"symbol": None}),
    "gexbot": lambda name: gexbot(ticker=name),
    "canonical": lambda name: canonical(market_symbol=name),
    "yahoo": lambda name: yahoo(yahoo_result(underlyingSymbol=name)),
    "tradier": lambda name: tradier([tradier_option(underlying=name or "..")]),
    "schwab": lambda name: schwab(symbol=name),
    "canonical_parquet": lambda name: parquet(market_symbol=[name] * 3),
}


@pytest.mark.parametrize("format_name", MAKE)
@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_hurtful_name_is_no_symbol(format_name: str, name: str) -> None:
    with pytest.raises(MalformedPayload, match="allowed: 1 to 16 of A-Z") as refused:
        FORMATS[format_name].decode(MAKE[format_name](name))
    assert refused.value.message.isprintable()


@pytest.mark.parametrize("format_name", MAKE)
@pytest.mark.parametrize(("name", "symbol"), [("spx", "SPX"), (" SPX ", "SPX"), ("^SPX", "SPX"), ("BRK.B", "BRK.B")])
def test_an_odd_spelling_becomes_the_houses_own(format_name: str, name: str, symbol: str) -> None:
    assert FORMATS[format_name].decode(MAKE[format_name](name))[0].symbol == symbol
