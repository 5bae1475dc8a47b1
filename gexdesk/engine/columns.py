"""Keep decoded columns as Arrow between triage and processing, so that a large document is parsed once."""

from dataclasses import fields
from pathlib import Path

import polars as pl
from msgspec import Struct, msgpack

from gexdesk.model.snapshot import Chain, Snapshot

_CHAIN_COLUMNS = tuple(f.name for f in fields(Chain) if f.name != "roots")


class _Scalars(Struct, frozen=True):
    format: str
    symbol: str
    as_of: float
    quoted_at: float
    spot: float | None
    delay_s: float | None
    vendor_net_gex: float | None
    vendor_zero_gamma: float | None
    multiplier: float | None
    warnings: tuple[str, ...]
    roots: tuple[str, ...]


def write_columns(path: Path, snapshot: Snapshot) -> None:
    """Write a chain snapshot as an uncompressed Arrow file with its scalars beside; whole or not at all.

    The file is no promise: after a crash it is decoded again from the payload, so it is not synced.
    """
    chain = snapshot.chain
    if chain is None:
        return
    frame = pl.DataFrame({name: getattr(chain, name) for name in _CHAIN_COLUMNS})
    part = path.with_suffix(".part")
    frame.write_ipc(part, compression="uncompressed")
    scalars = _Scalars(
        format=snapshot.format,
        symbol=snapshot.symbol,
        as_of=snapshot.as_of,
        quoted_at=snapshot.quoted_at,
        spot=snapshot.spot,
        delay_s=snapshot.delay_s,
        vendor_net_gex=snapshot.vendor_net_gex,
        vendor_zero_gamma=snapshot.vendor_zero_gamma,
        multiplier=snapshot.multiplier,
        warnings=snapshot.warnings,
        roots=chain.roots,
    )
    path.with_suffix(".head").write_bytes(msgpack.encode(scalars))
    part.rename(path)


def read_columns(path: Path) -> Snapshot | None:
    """Map what ``write_columns`` left, or return None where it is not (or no longer) there whole."""
    try:
        head = msgpack.decode(path.with_suffix(".head").read_bytes(), type=_Scalars)
        frame = pl.read_ipc(path)
    except (OSError, ValueError, pl.exceptions.PolarsError):
        return None
    columns = {name: frame[name].to_numpy() for name in _CHAIN_COLUMNS}
    return Snapshot(
        format=head.format,
        symbol=head.symbol,
        as_of=head.as_of,
        quoted_at=head.quoted_at,
        spot=head.spot,
        chain=Chain(roots=head.roots, **columns),
        delay_s=head.delay_s,
        vendor_net_gex=head.vendor_net_gex,
        vendor_zero_gamma=head.vendor_zero_gamma,
        multiplier=head.multiplier,
        warnings=head.warnings,
    )


def drop_columns(path: Path) -> None:
    """Remove what ``write_columns`` left, if anything."""
    path.unlink(missing_ok=True)
    path.with_suffix(".head").unlink(missing_ok=True)

