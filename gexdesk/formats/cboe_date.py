"""Read the date line of a Cboe quote table. The zone's name decides UTC; nothing else does.

Seen: ``Date: August 29, 2025 at 8:30 PM EST``, ``Date: February 5 2022, 8:09 PM EST``, ``Jun 28 2020 @ 14:27 ET``, and
exports by browsers in other languages: ``Date: 29 de setembro de 2023 às 09:29 GMT-4``.
"""

import re
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from gexdesk.formats.ranges import stamp_in_range
from gexdesk.model.errors import MalformedPayload
from gexdesk.model.text import printable

_NEW_YORK = ZoneInfo("America/New_York")
_MONTHS = (
    "january january janeiro enero января",
    "february fevereiro febrero февраля",
    "march março marzo марта",
    "april abril апреля",
    "may maio mayo мая",
    "june junho junio июня",
    "july julho julio июля",
    "august agosto августа",
    "september setembro septiembre сентября",
    "october outubro octubre октября",
    "november novembro noviembre ноября",
    "december dezembro diciembre декабря",
)
"""English, Portuguese, Spanish, Russian; a first part of three letters or more will do."""
_FILLERS = frozenset(("at", "de", "del", "a", "à", "às", "as", "la", "las", "el", "of", "o", "um", "в", "г"))
_NEW_YORK_NAME = "et"
_ZONE_HOURS = {"utc": 0, "gmt": 0, "est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7}
_ALLOWED = "month name, day, year, time and zone, e.g. 'Date: August 29, 2025 at 8:30 PM EDT'"

_CUT = re.compile(r"\"|,\s*(?:bid|ask|size|vol(?:ume)?)\b|,[\s,]*$", re.IGNORECASE)
_TOKEN = re.compile(
    r"(?P<offset>(?:GMT|UTC)\s?[+\-\u2212][0-9]{1,2}(?::?[0-9]{2})?)|(?P<time>[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?)"
    r"|(?P<number>[0-9]+)|(?P<word>[^\W\d_]+)|(?P<other>[^\s,.@])",
    re.IGNORECASE,
)


def parse_date_line(line: str) -> tuple[float, str]:
    """Return the moment a quote table's date line names, and a warning or an empty text.

    Args:
        line: The whole line, quoted or not, with or without ``Date:`` and the bid, ask, size and volume behind it.

    Returns:
        UTC seconds since the epoch. The warning tells of a zone name that New York did not use at that time of the
        year (``EST`` in August): the name is taken at its word, the stamp may be an hour off.

    Raises:
        MalformedPayload: No such date, a part is missing, or a word is not known.
    """
    text = re.sub(r"^[\s\"]*(?:date\s*:)?\s*", "", line, count=1, flags=re.IGNORECASE)
    cut = _CUT.search(text)
    text = text[: cut.start()] if cut else text

    def refuse(why: str) -> MalformedPayload:
        return MalformedPayload(f"the date line '{printable(text, 60)}': {printable(why, 80)}; allowed: {_ALLOWED}")

    parts: dict[str, str] = {}

    def take(part: str, value: str) -> None:
        if part in parts:
            raise refuse(f"two readings of its {part}, {parts[part]} and {value}")
        parts[part] = value

    for match in _TOKEN.finditer(re.sub(r"\b([ap])\.\s?m\.", r"\1m", text, flags=re.IGNORECASE)):
        token = match.group().casefold()
        kind = match.lastgroup
        if kind == "offset":
            take("zone", token)
        elif kind == "time":
            take("time", token)
        elif kind == "number":
            take("year" if len(token) == 4 else "day", token)
        elif kind == "word" and token in ("am", "pm"):
            take("half", token)
        elif kind == "word" and (token in _ZONE_HOURS or token == _NEW_YORK_NAME):
            take("zone", token)
        elif kind == "word" and (month := _month(token)):
            take("month", str(month))
        elif kind == "other" or token not in _FILLERS:
            raise refuse(f"'{match.group()}' is not understood")
    missing = [part for part in ("month", "day", "year", "time", "zone") if part not in parts]
    if missing:
        raise refuse(f"it has no {missing[0]}")
    try:
        local = _local(parts)
        at, warning = _utc(local, parts["zone"])
        return stamp_in_range(at.timestamp(), "the date line"), warning
    except (ValueError, OverflowError) as error:
        raise refuse(str(error)) from None


def _month(word: str) -> int:
    if len(word) < 3:
        return 0
    return next((i for i, names in enumerate(_MONTHS, start=1) if any(n.startswith(word) for n in names.split())), 0)


def _local(parts: dict[str, str]) -> datetime:
    hour, minute, second = [*(int(part) for part in parts["time"].split(":")), 0][:3]
    if "half" in parts:
        if not 1 <= hour <= 12:
            raise ValueError(f"hour {hour} with {parts['half']}")
        hour = hour % 12 + (12 if parts["half"] == "pm" else 0)
    return datetime(int(parts["year"]), int(parts["month"]), int(parts["day"]), hour, minute, second)


def _utc(local: datetime, zone: str) -> tuple[datetime, str]:
    if zone == _NEW_YORK_NAME:
        first, second = (local.replace(tzinfo=_NEW_YORK, fold=fold) for fold in (0, 1))
        if first.utcoffset() != second.utcoffset():
            raise ValueError("this hour does not exist or comes twice in New York; name EST or EDT")
        return first.astimezone(UTC), ""
    if zone in _ZONE_HOURS:
        offset = timedelta(hours=_ZONE_HOURS[zone])
    else:
        digits = re.sub(r"[^0-9]", "", zone)
        hours, minutes = (int(digits[:-2]), int(digits[-2:])) if len(digits) > 2 else (int(digits), 0)
        offset = timedelta(hours=hours, minutes=minutes) * (1 if "+" in zone else -1)
    at = local.replace(tzinfo=timezone(offset))
    if zone in ("est", "edt") and at.astimezone(_NEW_YORK).utcoffset() != offset:
        other = "EDT" if zone == "est" else "EST"
        return at, f"the file says {zone.upper()} on {local.date()}, when New York is on {other}: its stamp may be an hour off"
    return at, ""
