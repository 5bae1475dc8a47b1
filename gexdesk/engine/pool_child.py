"""One pool process: reads tasks on stdin, decodes foreign bytes, answers on stdout, dies with its parent.

Runs under a memory limit; what kills it is known to the parent by the pipe's end, never by a hung engine.
"""

import contextlib
import ctypes
import fcntl
import os
import resource
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from msgspec import structs

from gexdesk.engine.columns import read_columns, write_columns
from gexdesk.engine.tasks import (
    BEGUN,
    ENCODER,
    LENGTH,
    LIVE_SYMBOLS,
    PIPE_BYTES,
    TASKS_DECODER,
    Computed,
    Head,
    Processed,
    ProcessTask,
    Refused,
    Reply,
    Triaged,
    TriageTask,
)
from gexdesk.formats.compression import expand
from gexdesk.formats.detect import choose
from gexdesk.gates.evidence import evidence
from gexdesk.gex.summary import Measures, analyse, measure
from gexdesk.model.errors import GexdeskError, OversizePayload, PayloadError
from gexdesk.model.exposure import Conventions, Exposure
from gexdesk.model.market import settles_at
from gexdesk.model.snapshot import Snapshot
from gexdesk.model.text import printable
from gexdesk.stores.spool import read_payload

_HEAD_BYTES = 64 * 1024
_PR_SET_PDEATHSIG = 1


def _decode(task: TriageTask | ProcessTask) -> tuple[str, Sequence[Snapshot]]:
    body = expand(read_payload(task.ref))
    chosen = choose(body[:_HEAD_BYTES], task.format)
    snapshots = chosen.decode(body, task.time_shift_s)
    if not task.names:
        return chosen.name, snapshots
    return chosen.name, [replace(one, symbol=task.names.get(one.symbol, one.symbol)) for one in snapshots]


def head_of(snapshot: Snapshot, conventions: Conventions, exposure: Exposure | None = None) -> Head:
    """Measure what triage and the checks need of a snapshot; ``exposure`` where all of it is computed already."""
    found = measure(snapshot, conventions) if exposure is None else Measures.of(exposure)
    return Head(
        symbol=snapshot.symbol,
        as_of=snapshot.as_of,
        delay_s=snapshot.delay_s or 0.0,
        contracts=found.contracts,
        spot=found.spot,
        zero_dte_share=found.zero_dte_share,
        open_interest=found.total_open_interest,
        volume=found.total_volume,
        net_gex=found.net_gex,
        gross_gex=found.gross_gex,
        coverage=found.coverage,
        evidence=evidence(snapshot, conventions.rate, conventions.dividend_yield),
    )


def triage(task: TriageTask) -> Triaged:
    """Decode once and measure; leave the columns of a large chain for processing."""
    name, snapshots = _decode(task)
    if task.received_at is not None and (count := len({snapshot.symbol for snapshot in snapshots})) > LIVE_SYMBOLS:
        raise OversizePayload(
            f"it holds {count:,} distinct symbols; a source may bring {LIVE_SYMBOLS:,} live: split it, or send it as history"
        )
    if task.columns_path is not None and len(snapshots) == 1:
        write_columns(Path(task.columns_path), snapshots[0])
    results = tuple(_computed(snapshot, task) for snapshot in snapshots) if task.whole else ()
    return Triaged(format=name, heads=_heads(snapshots, task, results), results=results)


def process(task: ProcessTask) -> Processed:
    """Compute every exposure, from the columns triage left or else from the payload."""
    kept = read_columns(Path(task.columns_path)) if task.columns_path is not None else None
    snapshots = [kept] if kept is not None else _decode(task)[1]
    results = tuple(_computed(snapshot, task) for snapshot in snapshots)
    if not task.judged:
        heads = _heads(snapshots, task, results)
        results = tuple(structs.replace(computed, head=head) for computed, head in zip(results, heads, strict=True))
    return Processed(results=results)


def _heads(
    snapshots: Sequence[Snapshot], task: TriageTask | ProcessTask, results: Sequence[Computed]
) -> tuple[Head, ...]:
    """Return each snapshot's head; ``results`` has those of all of them, or none."""
    if not results:
        return tuple(head_of(snapshot, task.conventions.of(snapshot.symbol)) for snapshot in snapshots)
    return tuple(
        head_of(snapshot, task.conventions.of(snapshot.symbol), computed.exposure)
        for snapshot, computed in zip(snapshots, results, strict=True)
    )


def _computed(snapshot: Snapshot, task: TriageTask | ProcessTask) -> Computed:
    exposure, strikes = analyse(snapshot, task.conventions.of(snapshot.symbol), _late_s(snapshot, task))
    return Computed(exposure=exposure, delay_s=snapshot.delay_s or 0.0, strikes=strikes.to_bytes())


def _late_s(snapshot: Snapshot, task: TriageTask | ProcessTask) -> float | None:
    if task.received_at is None:
        return None
    delay_s = (snapshot.delay_s or 0.0) if task.delay_s is None else task.delay_s
    return task.received_at - snapshot.as_of - delay_s


def answer(task: TriageTask | ProcessTask) -> Reply:
    """Do one task; whatever the bytes do to a decoder comes back as a value."""
    try:
        return triage(task) if isinstance(task, TriageTask) else process(task)
    except PayloadError as error:
        return Refused(kind=error.kind, message=printable(error.message, 400), final=True)
    except MemoryError:
        return Refused(kind="oversize_payload", message="decoding it needs more memory than a pool process may take", final=True)
    except (OSError, GexdeskError) as error:
        return Refused(kind="store_error", message=printable(str(error), 400), final=False)
    except Exception as error:
        # A fault of ours on these bytes: the payload is kept, and the operator reads where it happened.
        return Refused(kind="decoder_fault", message=printable(f"{type(error).__name__}: {error}", 400), final=True)


def _read_exactly(stream: BinaryIO, size: int) -> bytes | None:
    data = stream.read(size)
    return data if len(data) == size else None


def _die_with_the_parent() -> None:
    """End with the engine also in the middle of a task, where nobody reads the end of stdin."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(sys.argv[2]):
        sys.exit(1)  # it died before we could ask to be told


def main() -> None:
    """Serve tasks until stdin ends. ``argv``: the memory limit in MB, the engine's process id."""
    _die_with_the_parent()
    limit_bytes = int(sys.argv[1]) * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (limit_bytes, limit_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stdin, stdout = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    with contextlib.suppress(OSError):  # where the host allows no more it works with less
        fcntl.fcntl(stdout, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    settles_at("SPX", 20_000)  # reads the calendar now (a sixth of a second), not on the first payload
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # nothing a library prints may enter the protocol
    with contextlib.suppress(BrokenPipeError):
        while (length := _read_exactly(stdin, LENGTH.size)) is not None:
            body = _read_exactly(stdin, LENGTH.unpack(length)[0])
            if body is None:
                return
            stdout.write(BEGUN)
            stdout.flush()
            replies = ENCODER.encode([answer(task) for task in TASKS_DECODER.decode(body)])
            stdout.write(LENGTH.pack(len(replies)) + replies)
            stdout.flush()


if __name__ == "__main__":
    main()
