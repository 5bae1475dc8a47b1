"""Say what machine the figures are of: a figure without it is worth nothing on another."""

import os
import platform
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from msgspec import Struct

SYNCS = 20


class Machine(Struct, frozen=True):
    """Describe this machine as it was when a run began.

    Attributes:
        load_1m: Processes that ran or wanted to, the minute before: what else was on.
        fsync_ms: Median of a few synced writes of 4 KB to the folder used.
        packages: Names and versions of what the engine stands on.
    """

    processor: str
    cores: int
    memory_gb: float
    load_1m: float
    fsync_ms: float
    filesystem: str
    kernel: str
    python: str
    packages: dict[str, str]


def machine_of(folder: Path) -> Machine:
    """Look at the machine, and at the disk below ``folder``."""
    return Machine(
        processor=_field("/proc/cpuinfo", "model name") or platform.machine(),
        cores=len(os.sched_getaffinity(0)),
        memory_gb=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9,
        load_1m=os.getloadavg()[0],
        fsync_ms=_fsync_ms(folder),
        filesystem=_filesystem(folder),
        kernel=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        packages={name: _version(name) for name in ("gexdesk", "duckdb", "polars", "numpy", "msgspec", "textual")},
    )


def busy_s() -> float:
    """Return the processor seconds that this machine has worked so far, all processes and cores together; 0 where nobody says."""
    try:
        fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    except OSError:
        return 0.0
    user, nice, system, _, _, irq, softirq, *_ = (int(field) for field in fields)
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def _field(path: str, name: str) -> str:
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")


def _fsync_ms(folder: Path) -> float:
    path, took = folder / ".sync", []
    with path.open("wb") as file:
        for _ in range(SYNCS):
            file.write(bytes(4096))
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            took.append(time.perf_counter() - began)
    path.unlink()
    return sorted(took)[SYNCS // 2] * 1e3


def _filesystem(folder: Path) -> str:
    """Return the type of the file system of the longest mount point above a folder."""
    best, kind = "", "unknown"
    try:
        mounts = Path("/proc/mounts").read_text().splitlines()
    except OSError:
        return kind
    for line in mounts:
        _, point, name, *_ = line.split(" ")
        if str(folder.resolve()).startswith(point) and len(point) > len(best):
            best, kind = point, name
    return kind


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
