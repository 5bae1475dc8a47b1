"""What was acknowledged is found again, byte for byte, whatever happened to the files meanwhile."""

import asyncio
import hashlib
import os
import random
import shutil
import stat
from pathlib import Path

import pytest

from gexdesk.model.errors import StoreError
from gexdesk.model.payload import Payload, PayloadRef
from gexdesk.stores.spool import Spool, read_payload
from tests.stores.spool_samples import DAY, NOON, StillClock, arrival, bodies, opened, segments, text


async def test_a_kept_payload_comes_back_as_it_was_with_its_provenance(tmp_path: Path) -> None:
    body = text(1)
    async with opened(tmp_path) as spool:
        sent = arrival(body, NOON + 0.25, content_type="application/json", name="SPX.json", time_shift_s=-60.0)
        payload, ref = await spool.keep(sent)
        assert read_payload(ref) == body
        assert ref.zstd
        assert ref.stored_bytes < len(body)
    expected = Payload(
        payload.payload_id, "cboe", NOON + 0.25, hashlib.sha256(body).hexdigest(), len(body), "application/json", "SPX.json", -60.0
    )
    assert payload == expected
    async with opened(tmp_path) as spool:
        assert list(spool.scan()) == [(expected, ref)]
        assert spool.find(payload.payload_id) == (payload, ref)


@pytest.mark.parametrize("size", [0, 1, 999, 1000, 1001, 300_000])
async def test_any_size_and_incompressible_bytes(tmp_path: Path, size: int) -> None:
    body = random.Random(size).randbytes(size)
    async with opened(tmp_path, gate_bytes=1000) as spool:
        payload, ref = await spool.keep(arrival(body))
        assert read_payload(ref) == body
        assert not ref.zstd
        assert (ref.path.endswith(".seg")) == (size <= 1000)
    async with opened(tmp_path, gate_bytes=1000) as spool:
        assert [(p, read_payload(r)) for p, r in spool.scan()] == [(payload, body)]


async def test_an_urgent_body_waits_for_no_other_large_one(tmp_path: Path) -> None:
    bodies = [random.Random(number).randbytes(2_000_000) for number in range(12)]
    async with opened(tmp_path, gate_bytes=1000) as spool:
        others = [asyncio.create_task(spool.keep(arrival(body))) for body in bodies]
        await asyncio.sleep(0)  # they are handed to their threads
        payload, ref = await spool.keep(arrival(bodies[0][::-1]), urgent=True)
        assert sum(other.done() for other in others) < len(others) // 2
        assert read_payload(ref) == bodies[0][::-1]
        await asyncio.gather(*others)
    async with opened(tmp_path) as spool:
        assert payload.payload_id in {kept.payload_id for kept, _ in spool.scan()}


async def test_a_large_body_whose_keeping_was_cancelled_leaves_no_file_behind(tmp_path: Path) -> None:
    async with opened(tmp_path, gate_bytes=1000) as spool:
        keeping = [asyncio.create_task(spool.keep(arrival(random.Random(n).randbytes(2_000_000)))) for n in range(4)]
        await asyncio.sleep(0)  # they are handed to their threads: two are begun, two wait
        for task in keeping:
            task.cancel()
        assert all(isinstance(found, asyncio.CancelledError) for found in await asyncio.gather(*keeping, return_exceptions=True))
        await asyncio.to_thread(spool._large.shutdown)
        await asyncio.sleep(0.01)
        assert list((tmp_path / "spool" / "large").iterdir()) == []
        assert bodies(spool) == []


async def test_ids_sort_by_arrival_and_are_unique_across_restarts(tmp_path: Path) -> None:
    ids: list[str] = []
    for _ in range(2):
        async with opened(tmp_path) as spool:
            same = [await spool.keep(arrival(b"x", NOON)) for _ in range(3)]
            ids += [payload.payload_id for payload, _ in same]
            assert ids[-3:] == sorted(ids[-3:])
            later, _ = await spool.keep(arrival(b"x", NOON + 0.001))
            assert later.payload_id > max(ids)
    assert len(set(ids)) == 6


async def test_many_at_once_are_all_kept_and_scanned_in_order_of_arrival(tmp_path: Path) -> None:
    sent = [arrival(text(n, 2000 if n % 10 == 0 else 200), NOON + n) for n in range(300)]
    async with opened(tmp_path, segment_bytes=4000, gate_bytes=1500) as spool:
        for at in range(0, 300, 25):
            await asyncio.gather(*(spool.keep(one) for one in sent[at : at + 25]))
        assert bodies(spool) == [one.body for one in sent]
        assert len(segments(tmp_path)) > 1
    async with opened(tmp_path) as spool:
        assert bodies(spool) == [one.body for one in sent]


async def test_a_scan_puts_a_large_body_that_was_recorded_late_where_it_arrived(tmp_path: Path) -> None:
    async with opened(tmp_path, segment_bytes=1) as spool:  # each group gets a segment of its own
        for at in (0.0, 2.0, 1.0, 4.0, 3.0, 5.0):
            await spool.keep(arrival(text(int(at)), NOON + at))
        assert len(segments(tmp_path)) == 6
        assert [payload.received_at - NOON for payload, _ in spool.scan()] == [0, 1, 2, 3, 4, 5]


async def test_files_are_the_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        async with opened(tmp_path, gate_bytes=10) as spool:
            kept = [await spool.keep(arrival(text(n, size))) for n, size in enumerate((5, 500))]
            for payload, _ in kept:
                spool.forget(payload.payload_id)
    finally:
        os.umask(before)
    paths = list((tmp_path / "spool").rglob("*"))
    assert len([path for path in paths if path.is_file()]) == 3  # a segment, its done mark, a body
    for path in [tmp_path / "spool", *paths]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


async def test_a_closed_spool_refuses(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        await spool.keep(arrival(b"x"))
    with pytest.raises(StoreError, match="closed"):
        await spool.keep(arrival(b"y"))


async def test_every_acknowledged_byte_was_synced_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut each file back to what was synced when ``keep`` returned: what a power cut leaves at the least."""
    synced: dict[int, int] = {}
    folders: set[int] = set()
    fsync = os.fsync

    def watched(fd: int) -> None:
        fsync(fd)
        status = os.fstat(fd)
        synced[status.st_ino] = status.st_size
        if stat.S_ISDIR(status.st_mode):
            folders.add(status.st_ino)

    monkeypatch.setattr(os, "fsync", watched)
    async with opened(tmp_path, gate_bytes=1000) as spool:
        sent = [text(n, 500 + 1000 * (n % 2)) for n in range(6)]
        for n, body in enumerate(sent):
            await spool.keep(arrival(body, NOON + n))
            copy = tmp_path / f"after{n}"
            shutil.copytree(tmp_path / "spool", copy / "spool")
            for path in (tmp_path / "spool").rglob("*"):
                inode = path.stat().st_ino
                if path.is_file():
                    os.truncate(copy / path.relative_to(tmp_path), synced.get(inode, 0))
                elif any(path.iterdir()):
                    assert inode in folders
            async with opened(copy) as survivor:
                assert bodies(survivor) == sent[: n + 1]


# ---- damage ----


async def test_a_torn_last_record_is_ignored_wherever_it_was_torn(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        for n in range(3):
            await spool.keep(arrival(text(n), NOON + n))
            if n == 1:
                whole = segments(tmp_path)[0].stat().st_size
    path = segments(tmp_path)[0]
    data = path.read_bytes()
    async with opened(tmp_path) as spool:
        assert bodies(spool) == [text(0), text(1), text(2)]
        assert spool.gaps == []
    for cut in range(whole, len(data)):
        path.write_bytes(data[:cut])
        torn = Spool(tmp_path / "spool", clock=StillClock())
        torn._look_around()  # what open() does, without two threads for each of these 300 cuts
        assert bodies(torn) == [text(0), text(1)]
        assert [(gap.start, gap.skipped_bytes) for gap in torn.gaps] == ([(whole, cut - whole)] if cut > whole else [])


async def test_a_spool_with_a_torn_tail_keeps_on(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        await spool.keep(arrival(text(0)))
        await spool.keep(arrival(text(1), NOON + 1))
    path = segments(tmp_path)[0]
    os.truncate(path, path.stat().st_size - 3)
    for n in (2, 3):
        async with opened(tmp_path) as spool:
            await spool.keep(arrival(text(n), NOON + n))
            expected = [text(0), text(2), text(3)][:n]
            assert bodies(spool) == expected
            assert len(spool.gaps) == 1


async def test_one_flipped_bit_costs_one_payload_and_is_reported(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        edges = [0]
        for n in range(3):
            await spool.keep(arrival(text(n), NOON + n))
            edges.append(segments(tmp_path)[0].stat().st_size)
    path = segments(tmp_path)[0]
    data = path.read_bytes()
    start, end = edges[1:3]
    for at in range(start, end):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :])
        damaged = Spool(tmp_path / "spool", clock=StillClock())
        damaged._look_around()
        assert bodies(damaged) == [text(0), text(2)], at
        assert [(gap.start, gap.skipped_bytes) for gap in damaged.gaps] == [(start, end - start)]


async def test_foreign_bytes_between_records_are_skipped(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        await spool.keep(arrival(text(0)))
        size = segments(tmp_path)[0].stat().st_size
        await spool.keep(arrival(text(1), NOON + 1))
    path = segments(tmp_path)[0]
    data = path.read_bytes()
    for noise in (b"\0" * 4096, data[:8], data[:60], os.urandom(500)):
        path.write_bytes(data[:size] + noise + data[size:])
        async with opened(tmp_path) as spool:
            assert bodies(spool) == [text(0), text(1)]
            assert sum(gap.skipped_bytes for gap in spool.gaps) == len(noise)


@pytest.mark.parametrize("gate_bytes", [10, 10_000])
async def test_damaged_bytes_are_never_handed_out(tmp_path: Path, gate_bytes: int) -> None:
    async with opened(tmp_path, gate_bytes=gate_bytes) as spool:
        _, ref = await spool.keep(arrival(text(0)))
        path = Path(ref.path)
        data = path.read_bytes()
        for at in range(ref.offset - 4, ref.offset + ref.stored_bytes):
            path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
            with pytest.raises(StoreError, match=f"{path.name}.*damaged"):
                read_payload(ref)
        for length in (0, 3, ref.offset, len(data) - 1):
            path.write_bytes(data[:length])
            with pytest.raises(StoreError, match="damaged"):
                read_payload(ref)
        path.unlink()
        with pytest.raises(StoreError, match=path.name):
            read_payload(ref)


async def test_a_body_that_no_record_names_is_removed_but_not_where_a_record_may_be_damaged(tmp_path: Path) -> None:
    async with opened(tmp_path, gate_bytes=10) as spool:
        _, ref = await spool.keep(arrival(text(0)))
        await spool.keep(arrival(b"small", NOON + 1))
    large = Path(ref.path)
    orphan, torn = large.with_name("f" * 42), large.with_name(".x.tmp")
    for path in (orphan, torn):
        path.write_bytes(b"half")
    segment = segments(tmp_path)[0]
    data = segment.read_bytes()
    segment.write_bytes(data[:-1])
    async with opened(tmp_path):
        assert sorted(large.parent.iterdir()) == sorted([large, orphan])
    segment.write_bytes(data)
    async with opened(tmp_path):
        assert list(large.parent.iterdir()) == [large]


# ---- forgetting and retention ----


async def test_a_forgotten_payload_can_still_be_found(tmp_path: Path) -> None:
    async with opened(tmp_path, segment_bytes=1) as spool:
        kept = [await spool.keep(arrival(text(n), NOON + n)) for n in range(5)]
        for payload, _ in kept:
            spool.forget(payload.payload_id)
            spool.forget(payload.payload_id)
        assert spool._where == {}
        for payload, ref in kept:
            assert spool.find(payload.payload_id) == (payload, ref)
    async with opened(tmp_path) as spool:
        assert [spool.find(payload.payload_id) for payload, _ in kept] == kept
        with pytest.raises(StoreError, match="nobody"):
            spool.find("nobody")


async def test_a_fast_start_leaves_out_what_was_finished_with(tmp_path: Path) -> None:
    async with opened(tmp_path, segment_bytes=1) as spool:
        kept = [await spool.keep(arrival(text(n), NOON + n)) for n in range(4)]
        for n in (0, 2, 3):
            spool.forget(kept[n][0].payload_id)
    async with opened(tmp_path) as spool:
        assert bodies(spool, done=False) == [text(1)]
        assert bodies(spool) == [text(0), text(1), text(2), text(3)]
        spool.forget(kept[1][0].payload_id)
        assert bodies(spool, done=False) == []


async def test_a_segment_is_not_done_while_anything_in_it_is_unfinished(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        kept = await asyncio.gather(*(spool.keep(arrival(text(n), NOON + n)) for n in range(50)))
        for payload, _ in kept[:-1]:
            spool.forget(payload.payload_id)
    async with opened(tmp_path) as spool:
        assert len(bodies(spool, done=False)) == 50


async def test_a_segment_that_is_still_written_is_not_done(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        first, _ = await spool.keep(arrival(text(0)))
        spool.forget(first.payload_id)
        await spool.keep(arrival(text(1), NOON + 1))
    async with opened(tmp_path) as spool:
        assert bodies(spool, done=False) == [text(0), text(1)]


async def test_a_scan_that_was_left_half_way_counts_nothing_twice(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        kept = await keep_days(spool, 3)
    async with opened(tmp_path, StillClock(NOON + 99 * DAY)) as spool:
        next(spool.scan())
        assert len(bodies(spool)) == 3
        for payload, _ in kept:
            spool.forget(payload.payload_id)
        assert (await spool.retain()).removed == 3


async def keep_days(spool: Spool, days: int) -> list[tuple[Payload, PayloadRef]]:
    return [await spool.keep(arrival(text(day, 300), NOON + day * DAY)) for day in range(days)]


async def test_retention_removes_what_is_old_and_finished(tmp_path: Path) -> None:
    clock = StillClock(NOON + 5 * DAY)
    async with opened(tmp_path, clock, segment_bytes=1, gate_bytes=10) as spool:
        kept = await keep_days(spool, 5)
        for n in (0, 2, 4):
            spool.forget(kept[n][0].payload_id)
        sweep = await spool.retain(max_age_s=1.5 * DAY)
        assert (sweep.removed, sweep.blocked_segments) == (2, 2)  # 1 and 3 are unfinished
        assert [payload.payload_id for payload, _ in spool.scan()] == [kept[n][0].payload_id for n in (1, 3, 4)]
        assert not Path(kept[0][1].path).exists()
        assert read_payload(kept[1][1]) == text(1, 300)
        assert sweep.freed_bytes > 0
        assert sweep.held_bytes == sum(p.stat().st_size for p in (tmp_path / "spool").rglob("*") if p.is_file())
        with pytest.raises(StoreError, match="retention"):
            spool.find(kept[0][0].payload_id)


async def test_retention_takes_the_oldest_first_until_it_fits(tmp_path: Path) -> None:
    async with opened(tmp_path, segment_bytes=1, gate_bytes=10) as spool:
        kept = await keep_days(spool, 6)
        for payload, _ in kept:
            spool.forget(payload.payload_id)
        each = sum(p.stat().st_size for p in (tmp_path / "spool").rglob("*") if p.is_file()) // 6
        sweep = await spool.retain(max_age_s=9 * DAY, max_bytes=3 * each + each // 2)
        assert [payload.payload_id for payload, _ in spool.scan()] == [payload.payload_id for payload, _ in kept[3:]]
        assert sweep.held_bytes <= 3 * each + each // 2
        assert (await spool.retain(max_age_s=9 * DAY)).removed == 0


async def test_after_a_restart_retention_takes_nothing_that_was_not_looked_at(tmp_path: Path) -> None:
    async with opened(tmp_path, segment_bytes=1) as spool:
        kept = await keep_days(spool, 3)
        spool.forget(kept[0][0].payload_id)
    clock = StillClock(NOON + 99 * DAY)
    async with opened(tmp_path, clock) as spool:
        assert (await spool.retain()).removed == 1  # the first is marked as finished on disk
        assert [payload for payload, _ in spool.scan()] == [payload for payload, _ in kept[1:]]
        assert (await spool.retain()).blocked_segments == 2
        spool.forget(kept[1][0].payload_id)
        assert (await spool.retain()).removed == 1
        assert spool.find(kept[2][0].payload_id) == kept[2]


async def test_what_is_kept_together_is_in_order_and_shares_one_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    sync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(fd), sync(fd))[1])
    async with opened(tmp_path) as spool:
        await spool.keep(arrival(text(0)))  # the segment is there from now on
        synced.clear()
        kept = await spool.keep_together([arrival(text(at)) for at in range(1, 50)])
        assert len(synced) == 1
        assert [read_payload(ref) for _, ref in kept] == [text(at) for at in range(1, 50)]
        assert bodies(spool) == [text(at) for at in range(50)]
        with pytest.raises(ValueError, match="up to 65536 bytes"):
            await spool.keep_together([arrival(b"a"), arrival(bytes(65_537))])
    with pytest.raises(StoreError, match="closed"):
        await spool.keep_together([arrival(b"a")])
