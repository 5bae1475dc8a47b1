import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gexdesk.assemble.offline import inspect_file
from gexdesk.certify.documents import BYTES, Documents
from gexdesk.certify.load import FEEDS, Feed, Size, Turn

AT = datetime(2026, 3, 4, 15, 0, tzinfo=UTC).timestamp()


@pytest.fixture(scope="module")
def documents() -> Documents:
    return Documents(AT)


def read(body: bytes, folder: Path) -> dict[str, object]:
    path = folder / "document.json"
    path.write_bytes(body)
    [found] = inspect_file(path, None)
    return found


def of(size: Size) -> Feed:
    return next(feed for feed in FEEDS if feed.size is size)


@pytest.mark.parametrize("size", list(Size))
def test_a_critical_document_moves_net_by_more_than_a_tenth_of_gross_both_ways(
    size: Size, documents: Documents, tmp_path: Path
) -> None:
    feed = next((feed for feed in FEEDS if feed.size is size and feed.matters), None)
    if feed is None:
        assert size is Size.SMALL  # small names are never CRITICAL
        return
    step = len(feed.symbols)
    critical = [number for number in range(0, 30 * step, step) if feed.turn(number) is Turn.CRITICAL]
    for number in critical:
        before, now = (read(documents.body(feed, n, AT + n), tmp_path) for n in (number - step, number))
        assert before["symbol"] == now["symbol"] == feed.symbols[0]
        assert abs(now["net_gex"] - before["net_gex"]) / before["gross_gex"] > 0.11  # type: ignore[operator]
    plain = critical[0] + step
    before, now = (read(documents.body(feed, n, AT + n), tmp_path) for n in (plain, plain + step))
    assert abs(now["net_gex"] - before["net_gex"]) / before["gross_gex"] < 0.01  # type: ignore[operator]


@pytest.mark.parametrize("day", [3, 20])
def test_the_large_chain_moves_enough_on_any_day(day: int, tmp_path: Path) -> None:
    at = AT + day * 86_400.0
    written, feed = Documents(at, (Size.LARGE,)), of(Size.LARGE)
    before, now = (read(written.body(feed, n, at + n), tmp_path) for n in (0, 1))
    assert abs(now["net_gex"] - before["net_gex"]) / before["gross_gex"] > 0.11  # type: ignore[operator]


@pytest.mark.parametrize("size", list(BYTES))
def test_sizes_are_those_promised(size: Size, documents: Documents) -> None:
    assert len(documents.body(of(size), 0, AT)) == pytest.approx(BYTES[size], rel=0.05)


def test_a_document_is_stamped_and_like_no_other(documents: Documents, tmp_path: Path) -> None:
    feed = of(Size.DOCUMENT)
    bodies = [documents.body(feed, number, AT) for number in range(200)]
    assert len(set(bodies)) == 200
    now = time.time()
    as_of = datetime.fromisoformat(str(read(documents.body(feed, 0, now), tmp_path)["as_of"])).timestamp()
    assert as_of == pytest.approx(now, abs=0.01)


def test_symbols_share_no_numbers(documents: Documents, tmp_path: Path) -> None:
    feed = next(feed for feed in FEEDS if len(feed.symbols) == 8)
    nets = {read(documents.body(feed, number, AT), tmp_path)["net_gex"] for number in range(8)}
    assert len(nets) == 8


def test_a_broken_document_cannot_be_read(documents: Documents) -> None:
    feed = next(feed for feed in FEEDS if feed.kind == "directory" and feed.size is Size.DOCUMENT)
    number = next(number for number in range(1_000) if feed.turn(number) is Turn.BROKEN)
    body = documents.body(feed, number, AT)
    assert body.startswith(b'{"timestamp"')
    assert not body.endswith(b"}")
    assert 2_000 < len(body) < 4_000
