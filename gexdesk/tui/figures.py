"""Put numbers into words of a fixed, small width. Every time of day is New York's."""

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from math import isnan
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")
UNKNOWN = "-"


def age(seconds: float | None) -> str:
    """Say how long ago: ``0.2 s``, ``42 s``, ``6 m``, ``1 h 05``, ``3 d``; coarser as it grows, so that it rarely changes."""
    if seconds is None:
        return UNKNOWN
    seconds = max(0.0, seconds)
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{int(seconds)} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} m"
    if seconds < 86400:
        return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60):02d}"
    return f"{int(seconds // 86400)} d"


def latency(seconds: float | None) -> str:
    """Say how long something took: ``41 ms``, ``2.1 s``, ``38 s``, ``14 m``."""
    if seconds is None or seconds >= 0.9995:
        return age(seconds)
    return f"{max(0.0, seconds) * 1000:.0f} ms"


def promise(seconds: float | None) -> str:
    """Say what was promised: ``30 s``, ``5 min``; ``best`` effort where there is no promise."""
    if seconds is None:
        return "best"
    if seconds < 60:
        return f"{seconds:g} s"
    return f"{seconds / 60:g} min" if seconds < 3600 else f"{seconds / 3600:g} h"


def engine(name: str, among: Iterable[str]) -> str:
    """Shorten an engine's name: its host, or where several are on that host four more digits."""
    host, _, own = name.rpartition("-")
    if len(own) != 12 or not host:
        return name
    return name[:-8] if sum(other.rpartition("-")[0] == host for other in among) > 1 else host


def count(number: int) -> str:
    """Write a count with thousands marks, shortened from a million on."""
    if abs(number) < 1_000_000:
        return f"{number:,}"
    return f"{number / 1e6:.1f}M" if abs(number) < 1e9 else f"{number / 1e9:.1f}G"


def short_count(number: int) -> str:
    """Write a count in five cells at most: ``310``, ``1.3k``, ``12k``, ``1.2M``."""
    if number < 1000:
        return str(number)
    for scale, mark in ((1000, "k"), (1_000_000, "M"), (1_000_000_000, "G")):
        if number < 9_950 * scale // 1000:
            return f"{number / scale:.1f}{mark}"
        if number < 1000 * scale:
            return f"{number // scale}{mark}"
    return "many"


def many(number: int, one: str) -> str:
    """Write a count of things: ``1 job``, ``2 jobs``."""
    return f"{count(number)} {one}{'' if number == 1 else 's'}"


def rate(per_s: float) -> str:
    """Write a rate per second: one decimal below 1,000."""
    return f"{per_s:.1f}" if per_s < 1000 else count(int(per_s))


def billions(usd: float | None, gross: float | None = None) -> str:
    """Write USD per 1% move, signed, in three digits: ``-3.20 bn``, ``+0.251 bn``, ``+9.51 mn``.

    Args:
        usd: What is written; None and NaN are unknown.
        gross: What the unit follows where it is known, so that a net amount that goes through zero keeps its unit: millions
            below 0.1 bn.
    """
    if usd is None or isnan(usd):
        return UNKNOWN
    leads = usd if gross is None or isnan(gross) else gross
    scaled, unit = (usd / 1e9, "bn") if abs(leads) >= 0.1e9 else (usd / 1e6, "mn")
    places = 3 if abs(scaled) < 0.9995 else 2 if abs(scaled) < 9.995 else 1 if abs(scaled) < 99.95 else 0
    if round(scaled, places) == 0:
        return f"0.00 {unit}"
    return f"{scaled:+,.{places}f} {unit}"


def price(number: float | None) -> str:
    """Write a price or strike: no decimals from 1,000 on."""
    if number is None or isnan(number):
        return UNKNOWN
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.2f}"


def share(part: int, whole: int) -> str:
    """Write part of whole in per cent, cut and never rounded up, so that 100 % means all."""
    if whole <= 0:
        return UNKNOWN
    if part >= whole:
        return "100 %"
    return f"{int(1000 * part / whole) / 10:.1f} %"


def size(octets: int) -> str:
    """Write a size in decimal units: ``8.1 MB``."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if octets >= scale:
            return f"{octets / scale:.1f} {unit}"
    return f"{octets} B"


def _local(at: float) -> datetime:
    return datetime.fromtimestamp(at, NEW_YORK)


@lru_cache(maxsize=512)
def time_of_day(at: int) -> str:
    """Write a moment (whole UTC seconds) as ``09:41:17`` in New York."""
    return _local(at).strftime("%H:%M:%S")


@lru_cache(maxsize=8)
def day_and_time(at: int) -> str:
    """Write a moment (whole UTC seconds) as ``Mon 23 Nov 09:41:17`` in New York."""
    return _local(at).strftime("%a %d %b %H:%M:%S")


def stamp(at: float) -> str:
    """Write a moment for a file's name: ``20261123-094117`` in New York."""
    return _local(int(at)).strftime("%Y%m%d-%H%M%S")


def until(at: float | None, now: float) -> str:
    """Write when something ends: ``09:56``, with its day where that is not today, ``no end`` without one."""
    if at is None:
        return "no end"
    end = _local(at)
    return end.strftime("%H:%M" if end.date() == _local(now).date() else "%a %H:%M")
