"""Every format passes the one contract, each on its own documents."""

import json

from format_samples import (
    CHAIN_COLUMNS,
    OWN,
    cboe_csv,
    gexbot,
    gexbot_low_tier,
    parquet,
    strangers_to,
    tradier,
    tradier_option,
    yahoo_result,
)

from gexdesk.formats.canonical import Canonical
from gexdesk.formats.canonical_parquet import CanonicalParquet
from gexdesk.formats.cboe_csv import CboeCsv
from gexdesk.formats.cboe_json import CboeJson
from gexdesk.formats.deribit import Deribit
from gexdesk.formats.gexbot import GexbotClassic
from gexdesk.formats.schwab import Schwab
from gexdesk.formats.tradier import Tradier
from gexdesk.formats.yahoo import Yahoo
from tests.contracts.format_contract import FormatContract


class TestCboeJson(FormatContract):
    part = CboeJson()
    sample = OWN["cboe_json"]
    strangers = strangers_to("cboe_json")


class TestCboeCsv(FormatContract):
    part = CboeCsv()
    sample = OWN["cboe_csv"]
    strangers = strangers_to("cboe_csv")
    cut_is_seen = False


class TestCboeCsvAsSavedOnWindows(FormatContract):
    part = CboeCsv()
    sample = cboe_csv(end="\r\n")
    strangers = strangers_to("cboe_csv")
    cut_is_seen = False


class TestGexbotDocument(FormatContract):
    part = GexbotClassic()
    sample = OWN["gexbot"]
    strangers = strangers_to("gexbot")


class TestGexbotLines(FormatContract):
    part = GexbotClassic()
    sample = gexbot() + b"\n" + gexbot_low_tier() + b"\n"
    strangers = strangers_to("gexbot")
    cut_is_seen = False


class TestGexbotHistory(FormatContract):
    part = GexbotClassic()
    sample = b"[" + gexbot() + b",\n" + gexbot(timestamp=1772463601) + b"]"
    strangers = strangers_to("gexbot")


class TestCanonical(FormatContract):
    part = Canonical()
    sample = OWN["canonical"]
    strangers = strangers_to("canonical")


class TestYahoo(FormatContract):
    part = Yahoo()
    sample = OWN["yahoo"]
    strangers = strangers_to("yahoo")


class TestYahooWithoutItsWrapper(FormatContract):
    part = Yahoo()
    sample = json.dumps(yahoo_result()).encode()
    strangers = strangers_to("yahoo")


class TestTradier(FormatContract):
    part = Tradier()
    sample = OWN["tradier"]
    strangers = strangers_to("tradier")


class TestTradierOfOneContract(FormatContract):
    part = Tradier()
    sample = tradier(tradier_option())
    strangers = strangers_to("tradier")


class TestSchwab(FormatContract):
    part = Schwab()
    sample = OWN["schwab"]
    strangers = strangers_to("schwab")


class TestDeribit(FormatContract):
    part = Deribit()
    sample = OWN["deribit"]
    strangers = strangers_to("deribit")


class TestCanonicalParquetByStrike(FormatContract):
    part = CanonicalParquet()
    sample = OWN["canonical_parquet"]
    strangers = strangers_to("canonical_parquet")
    is_text = False


class TestCanonicalParquetByContract(FormatContract):
    part = CanonicalParquet()
    sample = parquet(CHAIN_COLUMNS)
    strangers = strangers_to("canonical_parquet")
    is_text = False
