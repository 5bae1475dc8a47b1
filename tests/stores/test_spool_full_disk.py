"""A full disk refuses payloads; it loses none, and the spool works again once there is space."""

import asyncio
import random
import resource
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gexdesk.model.errors import StoreError
from gexdesk.model.payload import Payload, PayloadRef
from gexdesk.stores.spool import Spool, read_payload
from tests.stores.spool_samples import NOON, StillClock, arrival, bodies

KIB = 1024


@dataclass
class SmallDisk:
    """A folder in which about 300 KiB fit."""

    folder: Path
    make_space: Callable[[], None]
    is_real: bool


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """Give a real file system where mounting one is allowed, else a limit on each file's size, which fails in the same place."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", folder], capture_output=True, check=False)
    if mounted.returncode == 0:
        filler = folder / "filler"
        filler.write_bytes(b"\0" * 724 * KIB)
        yield SmallDisk(folder, filler.unlink, True)
        subprocess.run(["umount", "-l", folder], check=True)
    else:
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300 * KIB, limits[1]))
        yield SmallDisk(folder, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limits), False)
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize(("size", "gate_bytes"), [(5_000, 10_000), (30_000, 10_000)], ids=["in segments", "in own files"])
async def test_a_full_disk(disk: SmallDisk, size: int, gate_bytes: int) -> None:
    folder = disk.folder
    spool = Spool(folder / "spool", clock=StillClock(), gate_bytes=gate_bytes)
    await spool.open()
    kept: list[tuple[Payload, PayloadRef, bytes]] = []
    refused: list[StoreError] = []

    async def keep(n: int) -> None:
        body = random.Random(n).randbytes(size)
        try:
            kept.append((*await spool.keep(arrival(body, NOON + n)), body))
        except StoreError as error:
            refused.append(error)

    for n in range(0, 120, 8):
        await asyncio.gather(*(keep(n + k) for k in range(8)))
    if disk.is_real or size < gate_bytes:  # the limit on one file's size is beyond a single body
        assert refused
    assert all(str(folder) in error.message for error in refused)
    assert len(kept) > 5
    for _, ref, body in kept:
        assert read_payload(ref) == body
    assert sorted(bodies(spool)) == sorted(body for _, _, body in kept)
    assert spool.gaps == []

    disk.make_space()
    before = len(refused)
    await asyncio.gather(*(keep(1000 + n) for n in range(8)))
    assert len(refused) == before
    await spool.close()
    again = Spool(folder / "spool", clock=StillClock())
    await again.open()
    assert sorted(bodies(again)) == sorted(body for _, _, body in kept)
    assert again.gaps == []
    assert len(list((folder / "spool" / "large").iterdir())) == (len(kept) if size > gate_bytes else 0)
    await again.close()



async def test_a_body_whose_record_did_not_fit_is_not_left_behind(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", clock=StillClock(), gate_bytes=10_000)
    await spool.open()
    await spool.keep(arrival(random.Random(0).randbytes(9_000)))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (9_200, limits[1]))
    try:
        with pytest.raises(StoreError):
            await spool.keep(arrival(bytes(50_000)))  # compressed it fits into a file; the segment is full
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list((tmp_path / "spool" / "large").iterdir()) == []
    await spool.close()


async def test_of_what_is_kept_together_a_full_disk_refuses_all(disk: SmallDisk) -> None:
    spool = Spool(disk.folder / "spool", clock=StillClock())
    await spool.open()
    group = [arrival(random.Random(n).randbytes(20_000), NOON + n) for n in range(20)]
    with pytest.raises(StoreError, match="could not be kept"):
        await spool.keep_together(group)
    assert bodies(spool) == []
    disk.make_space()
    await spool.keep_together(group)
    assert bodies(spool) == [one.body for one in group]
    await spool.close()
