"""The live value: whose it is, which one wins, what stays when numbers freeze, and what a slow reader loses."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from gexdesk.model.errors import StoreError
from gexdesk.model.exposure import Conventions, Exposure
from gexdesk.model.level import Level
from gexdesk.stores.base import LiveValue
from gexdesk.stores.cache import EmbeddedCache


def value(
    as_of: float, *, source: str = "cboe", symbol: str = "SPX", received_at: float | None = None, **numbers: Any
) -> LiveValue:
    exposure = Exposure("cboe_json", symbol, as_of, numbers.pop("spot", 5000.0), Conventions(), **numbers)
    receipt = as_of + 1 if received_at is None else received_at
    return LiveValue(symbol, source, f"job-{as_of}", Level.HIGH, "decided", receipt, receipt + 1, -1.0, 0.0, -1, exposure)


async def test_the_newest_stamp_wins_and_a_late_job_never_overwrites() -> None:
    cache = EmbeddedCache()
    assert await cache.publish(value(100.0, net_gex=1.0))
    assert await cache.publish(value(110.0, net_gex=2.0))
    assert not await cache.publish(value(105.0, net_gex=3.0, received_at=500.0))
    live = cache.get("SPX")
    assert live is not None
    assert (live.exposure.net_gex, live.revision) == (2.0, 2)


async def test_a_stamp_from_the_future_keeps_no_later_value_from_readers() -> None:
    cache = EmbeddedCache()
    await cache.publish(value(4_102_000_000.0, net_gex=1.0, received_at=100.0))
    assert await cache.publish(value(109.0, net_gex=2.0, received_at=110.0))
    assert cache.get("SPX").exposure.net_gex == 2.0  # type: ignore[union-attr]


async def test_the_first_source_serves_until_another_is_named() -> None:
    cache = EmbeddedCache()
    await cache.publish(value(100.0, source="cboe"))
    assert not await cache.publish(value(200.0, source="gexbot"))
    cache.serve("SPX", "gexbot")
    assert cache.get("SPX").source == "cboe"  # type: ignore[union-attr]
    assert not await cache.publish(value(300.0, source="cboe"))


async def test_a_standby_takes_over_though_its_stamps_are_older() -> None:
    cache = EmbeddedCache()
    await cache.publish(value(1000.0, source="live", net_gex=5.0))
    cache.serve("SPX", "delayed")
    assert await cache.publish(value(100.0, source="delayed", net_gex=5.0))
    live = cache.get("SPX")
    assert live is not None
    # The numbers agree by chance, but sources are never mixed: the change is dated by the new source.
    assert (live.source, live.revision, live.changed_at) == ("delayed", 2, 100.0)


@pytest.mark.parametrize(
    ("receipt", "net_gex", "published"), [(102.0, 7.0, True), (101.0, 7.0, True), (102.0, 1.0, False), (100.5, 7.0, False)]
)
async def test_of_equal_stamps_a_later_receipt_replaces_only_with_other_content(
    receipt: float, net_gex: float, published: bool
) -> None:
    cache = EmbeddedCache()
    await cache.publish(value(100.0, net_gex=1.0))
    assert await cache.publish(value(100.0, net_gex=net_gex, received_at=receipt)) is published


async def test_a_document_delivered_again_does_not_undo_its_correction() -> None:
    cache = EmbeddedCache()
    assert await cache.publish(value(100.0, net_gex=1.0))
    assert await cache.publish(value(100.0, net_gex=2.0, received_at=150.0))
    assert not await cache.publish(value(100.0, net_gex=1.0, received_at=200.0))
    assert cache.get("SPX").exposure.net_gex == 2.0  # type: ignore[union-attr]
    assert await cache.publish(value(100.0, net_gex=3.0, received_at=250.0))
    # Of another stamp the same numbers are news.
    assert await cache.publish(value(160.0, net_gex=1.0, received_at=260.0))


async def test_frozen_numbers_keep_the_moment_they_last_changed() -> None:
    cache = EmbeddedCache()
    for as_of, net in ((100.0, 1.0), (115.0, 1.0), (130.0, 1.0)):
        await cache.publish(value(as_of, net_gex=net, gross_gex=2.0, warnings=(f"at {as_of}",)))
    live = cache.get("SPX")
    assert live is not None
    assert (live.exposure.as_of, live.changed_at, live.revision) == (130.0, 100.0, 3)
    await cache.publish(value(145.0, net_gex=1.0, gross_gex=2.5))
    assert cache.get("SPX").changed_at == 145.0  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["net_gex", "gross_gex", "total_open_interest", "total_volume", "spot", "call_wall", "put_wall"])
async def test_each_number_counts_as_a_change(name: str) -> None:
    cache = EmbeddedCache()
    await cache.publish(value(100.0, **{name: 1.0}))
    await cache.publish(value(101.0, **{name: 2.0}))
    assert cache.get("SPX").changed_at == 101.0  # type: ignore[union-attr]


async def test_subscribers_get_published_values_in_order_and_nothing_refused() -> None:
    cache = EmbeddedCache()
    with cache.subscribe() as notices:
        await cache.publish(value(100.0))
        await cache.publish(value(90.0))
        await cache.publish(value(110.0, net_gex=3.0))
        seen = [(await anext(notices)).exposure.as_of for _ in range(2)]
        assert seen == [100.0, 110.0]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(notices), 0.01)


async def test_a_slow_subscriber_loses_the_oldest_and_holds_up_nobody() -> None:
    cache = EmbeddedCache()
    with cache.subscribe(limit=2) as slow, cache.subscribe() as quick:
        for as_of in range(5):
            await cache.publish(value(float(as_of)))
        assert slow.dropped == 3
        assert [(await anext(slow)).exposure.as_of for _ in range(2)] == [3.0, 4.0]
        assert [(await anext(quick)).exposure.as_of for _ in range(5)] == [0.0, 1.0, 2.0, 3.0, 4.0]
        assert quick.dropped == 0


async def test_a_closed_subscription_receives_nothing() -> None:
    cache = EmbeddedCache()
    with cache.subscribe() as notices:
        pass
    notices.close()
    await cache.publish(value(1.0))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(notices), 0.01)


async def test_values_survive_a_restart_and_go_on_from_there(tmp_path: Path) -> None:
    cache, path = EmbeddedCache(), tmp_path / "state" / "live.msgpack"
    await cache.publish(value(100.0, net_gex=1.0))
    await cache.publish(value(110.0, net_gex=1.0, profile_spot=(1.0, 2.0)))
    await cache.publish(value(50.0, symbol="NDX"))
    cache.save(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["live.msgpack"]
    after = EmbeddedCache()
    assert after.load(path) == 2
    assert list(after.all()) == list(cache.all())
    assert [live.symbol for live in after.all()] == ["NDX", "SPX"]
    assert not await after.publish(value(105.0))
    assert await after.publish(value(120.0, net_gex=1.0))
    live = after.get("SPX")
    assert live is not None
    assert (live.revision, live.changed_at) == (3, 100.0)


async def test_a_load_never_replaces_what_was_published_meanwhile(tmp_path: Path) -> None:
    old, new = EmbeddedCache(), EmbeddedCache()
    await old.publish(value(100.0))
    old.save(tmp_path / "live")
    await new.publish(value(110.0))
    assert new.load(tmp_path / "live") == 0
    assert new.get("SPX").exposure.as_of == 110.0  # type: ignore[union-attr]


@pytest.mark.parametrize("damage", [b"", b"\x00" * 64, b"\xff\xff not msgpack", b"\x93\x01\x02"])
def test_a_damaged_file_is_a_cold_start(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "live"
    assert EmbeddedCache().load(path) == 0
    path.write_bytes(damage)
    with pytest.raises(StoreError, match=r"live values and cannot be believed"):
        EmbeddedCache().load(path)


async def test_one_damaged_byte_in_a_text_is_a_cold_start(tmp_path: Path) -> None:
    cache, path = EmbeddedCache(), tmp_path / "live"
    await cache.publish(value(100.0))
    cache.save(path)
    path.write_bytes(path.read_bytes().replace(b"SPX", b"S\xffX"))
    with pytest.raises(StoreError, match="cannot be believed"):
        EmbeddedCache().load(path)


async def test_no_bit_of_a_saved_number_may_change_unseen(tmp_path: Path) -> None:
    cache, path = EmbeddedCache(), tmp_path / "live"
    await cache.publish(value(100.0))
    cache.save(path)
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        after = EmbeddedCache()
        with pytest.raises(StoreError, match="checksum"):
            after.load(path)
        assert not after.all()


async def test_a_truncated_file_is_a_cold_start(tmp_path: Path) -> None:
    cache, path = EmbeddedCache(), tmp_path / "live"
    await cache.publish(value(100.0))
    cache.save(path)
    whole = path.read_bytes()
    for length in range(0, len(whole), 37):
        path.write_bytes(whole[:length])
        with pytest.raises(StoreError, match="cannot be believed"):
            EmbeddedCache().load(path)


async def test_a_save_that_fails_says_so_and_keeps_the_old_file(tmp_path: Path) -> None:
    cache = EmbeddedCache()
    await cache.publish(value(100.0))
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match="could not be saved"):
        cache.save(tmp_path / "file" / "live")
