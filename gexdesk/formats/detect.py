"""Choose a format by name or by content, and say why where none fits."""

from collections.abc import Mapping, Sequence

from gexdesk.formats.base import Format
from gexdesk.formats.canonical import Canonical
from gexdesk.formats.canonical_parquet import CanonicalParquet
from gexdesk.formats.cboe_csv import CboeCsv
from gexdesk.formats.cboe_json import CboeJson
from gexdesk.formats.deribit import Deribit
from gexdesk.formats.gexbot import GexbotClassic
from gexdesk.formats.json_text import HEAD_BYTES
from gexdesk.formats.schwab import Schwab
from gexdesk.formats.tradier import Tradier
from gexdesk.formats.yahoo import Yahoo
from gexdesk.model.errors import UnrecognisedFormat
from gexdesk.model.snapshot import Snapshot
from gexdesk.model.text import printable

FORMATS: Mapping[str, Format] = {
    part.name: part
    for part in (CboeJson(), CboeCsv(), GexbotClassic(), Canonical(), Yahoo(), Tradier(), Schwab(), Deribit(), CanonicalParquet())
}
"""Every format by name, most used first."""


def choose(head: bytes, name: str | None) -> Format:
    """Return the format of a configured name, or the one that recognises a document's beginning.

    Args:
        head: The first 64 KB, no longer compressed; may be shorter.
        name: As configured; None to go by the content.

    Raises:
        UnrecognisedFormat: No such name, or no format recognises the head; says why each does not, in one line.
    """
    if name is not None:
        if name not in FORMATS:
            raise UnrecognisedFormat(f"no format is called '{printable(name, 40)}'; allowed: {', '.join(FORMATS)}")
        return FORMATS[name]
    if not head.strip():
        raise UnrecognisedFormat("the document is empty")
    reasons: dict[str, str] = {}
    for part in FORMATS.values():
        reasons[part.name] = part.recognises(head)
        if not reasons[part.name]:
            return part
    start = printable(head[:200].decode("utf-8", "replace"), 40)
    alike: dict[str, list[str]] = {}
    for format_name, reason in reasons.items():
        alike.setdefault(reason, []).append(format_name)
    why = "; ".join(f"{', '.join(names)}: {reason}" for reason, names in alike.items())
    raise UnrecognisedFormat(f"no format fits a document that begins '{start}'. {why}", reasons=reasons)


def decode(body: bytes, name: str | None = None, time_shift_s: float = 0.0) -> tuple[Format, Sequence[Snapshot]]:
    """Choose a format and decode a whole document with it.

    Args:
        body: The document, no longer compressed, see ``compression.expand``.
        name: The configured format; None to go by the content.
        time_shift_s: Added to every ``as_of``.

    Raises:
        PayloadError: No format fits, or the one that does refuses the document.
    """
    chosen = choose(body[:HEAD_BYTES], name)
    return chosen, chosen.decode(body, time_shift_s)
