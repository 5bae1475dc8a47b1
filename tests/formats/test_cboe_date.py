"""The date line: its spellings, its zones, and what is no date."""

from datetime import UTC, datetime

import pytest

from gexdesk.formats.cboe_date import parse_date_line
from gexdesk.model.errors import MalformedPayload


@pytest.mark.parametrize(
    ("line", "utc"),
    [
        ('"Date: March 2, 2026 at 8:30 PM EST",Bid: 1,Ask: 2,Size: 1*1,Volume: 0', "2026-03-03 01:30:00"),
        ('"Date: August 29, 2025 at 8:30 PM EDT",Bid: 1', "2025-08-30 00:30:00"),
        ('"Date: February 5 2022, 8:09 PM EST",Bid: 4420.5,Ask: 4615.4302', "2022-02-06 01:09:00"),
        ('Date: February 5 2022, 8:09 PM EST,Bid: 4420.5,"Volume: 75,744,434"', "2022-02-06 01:09:00"),
        ("Date: February 5 2022, 8:09 PM EST,,,,", "2022-02-06 01:09:00"),
        ("Date: February 5 2022, 8:09 PM EST", "2022-02-06 01:09:00"),
        ("Date: May 16, 2025 at 7:23\u202fPM GMT-4,Bid: 1", "2025-05-16 23:23:00"),
        ("Date: May 16, 2025 at 12:05 AM UTC", "2025-05-16 00:05:00"),
        ("Date: May 16, 2025 at 12:05 p.m. PDT", "2025-05-16 19:05:00"),
        ("Date: 29 de setembro de 2023 às 09:29 GMT-4,Bid: 1", "2023-09-29 13:29:00"),
        ('"Date: setembro 29, 2023 09:29 AM GMT-4",Bid: 1', "2023-09-29 13:29:00"),
        ("Date: 5 de março de 2024 às 16:15:30 GMT-3", "2024-03-05 19:15:30"),
        ("Date: 3 сентября 2021 г., 23:15 GMT+3,Bid: 1", "2021-09-03 20:15:00"),
        ("Date: 5 mai. 2023 16:00 GMT+5:30", "2023-05-05 10:30:00"),
        ("Date: 5 mai. 2023 16:00 UTC\u22120330", "2023-05-05 19:30:00"),
        ("Jun 28 2020 @ 14:27 ET,Bid,3000,Ask,3018,Size,1x1,Vol,0,", "2020-06-28 18:27:00"),
        ("Dec 29 2013 @ 19:06 ET,Bid,184.60,Ask,185.24", "2013-12-30 00:06:00"),
        ("Jun 29 2018 @ 09:45 ET,", "2018-06-29 13:45:00"),
    ],
)
def test_a_date_line_is_a_moment(line: str, utc: str) -> None:
    at, warning = parse_date_line(line)
    assert datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S") == utc
    assert warning == ""


MONTHS = {
    "en": "January February March April May June July August September October November December",
    "pt": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "ru": "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
}


@pytest.mark.parametrize("language", MONTHS)
def test_every_month_is_known_in_full_and_short(language: str) -> None:
    for number, name in enumerate(MONTHS[language].split(), start=1):
        for word in (name, name[:3], name.upper()):
            at, _ = parse_date_line(f"Date: 7 {word} 2024 10:00 UTC")
            assert datetime.fromtimestamp(at, UTC) == datetime(2024, number, 7, 10, tzinfo=UTC), word


def test_the_name_of_the_zone_decides_and_a_wrong_season_is_warned_of() -> None:
    at, warning = parse_date_line('"Date: August 29, 2025 at 8:30 PM EST",Bid: 1')
    assert datetime.fromtimestamp(at, UTC) == datetime(2025, 8, 30, 1, 30, tzinfo=UTC)
    assert "New York is on EDT" in warning
    assert "New York is on EST" in parse_date_line("Date: January 5, 2026 at 8:30 PM EDT")[1]


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("Date: August 29, 2025 at 8:30 PM", "no zone"),
        ("Date: August 29, 2025 EST", "no time"),
        ("Date: August 29 at 8:30 PM EST", "no year"),
        ("Date: August 2025 at 8:30 PM EST", "no day"),
        ("Date: 29 2025 at 8:30 PM EST", "no month"),
        ("Date: 08/29/2025 8:30 PM EST", "'/' is not understood"),
        ("Date: Augustus 29, 2025 at 8:30 PM EST", "'Augustus' is not understood"),
        ("Date: August 29, 2025 at 8:30 PM XYZ", "'XYZ' is not understood"),
        ("Date: August 29, 2025 at 8:30 PM EST CST", "two readings of its zone"),
        ("Date: August 29, 2025 at 8:30 PM EST 7", "two readings of its day"),
        ("Date: August 29, 2025 at 13:30 PM EST", "hour 13"),
        ("Date: August 29, 2025 at 0:30 AM EST", "hour 0"),
        ("Date: August 29, 2025 at 25:30 EST", "hour"),
        ("Date: August 29, 2025 at 8:60 PM EST", "minute"),
        ("Date: February 30, 2026 at 8:30 PM EST", "day"),
        ("Date: August 29, 1985 at 8:30 PM EST", "1990 to 2100"),
        ("Date: August 29, 2101 at 8:30 PM EST", "1990 to 2100"),
        ("Date: August 29, 9999 at 11:30 PM EST", "1990 to 2100|range"),
        ("Date: August 29, 0000 at 8:30 PM EST", "year"),
        ("Date: August 29, 2025 at 8:30 PM GMT+99", "offset|utcoffset"),
        ("Mar 8 2026 @ 02:30 ET,Bid,1", "does not exist or comes twice"),
        ("Nov 1 2026 @ 01:30 ET,Bid,1", "does not exist or comes twice"),
        ("Date: ", "no month"),
        ("", "no month"),
        ("\x1b[2J", "not understood"),
    ],
)
def test_what_is_no_moment_is_refused(line: str, word: str) -> None:
    with pytest.raises(MalformedPayload, match=word) as refused:
        parse_date_line(line)
    assert "\x1b" not in refused.value.message
