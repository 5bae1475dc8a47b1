"""The tables of symbols: rates, checks before publishing, comparison, sessions and readers."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from msgspec import structs
from pydantic import Field, field_validator

from gexdesk.model.exposure import ConventionBook, Conventions
from gexdesk.model.text import printable, symbol_of
from gexdesk.settings.strict import Strict


class SymbolRates(Strict):
    """Give one symbol's own rates; what is None is the usual one."""

    rate: float | None = Field(default=None, ge=-0.1, le=1)
    dividend_yield: float | None = Field(default=None, ge=0, le=1)


class Rates(Strict):
    """Give the conventions of every computed exposure, and those of symbols that have their own."""

    rate: float = Field(default=0.043, ge=-0.1, le=1)
    dividend_yield: float = Field(default=0.013, ge=0, le=1)
    multiplier: float = Field(default=100.0, gt=0)

    symbols: dict[str, SymbolRates] = Field(default_factory=dict)

    @field_validator("symbols")
    @classmethod
    def _symbols(cls, symbols: dict[str, SymbolRates]) -> dict[str, SymbolRates]:
        bad = [name for name in symbols if symbol_of(name) != name]
        if bad:
            raise ValueError(f"not a symbol: {bad[0]!r}; allowed is upper case [A-Z0-9._^-]{{1,16}}")
        return symbols

    def conventions(self, multipliers: Mapping[str, float] = MappingProxyType({})) -> ConventionBook:
        """Return them as stored with each snapshot, with the multipliers of symbols that have their own."""
        usual = Conventions(rate=self.rate, dividend_yield=self.dividend_yield, multiplier=self.multiplier)
        own = {name: structs.replace(usual, **rates.model_dump(exclude_none=True)) for name, rates in self.symbols.items()}
        own |= {name: structs.replace(own.get(name, usual), multiplier=multiplier) for name, multiplier in multipliers.items()}
        return ConventionBook(usual, own)


class GateSettings(Strict):
    """Set how far a symbol's snapshot may be off before it is held back from readers; what is None is the usual limit.

    Attributes:
        spot_implied: Share between the spot as given and the one the chain's own quotes imply.
        spot_jump: Share a spot may move between two snapshots of a session where nothing confirms it.
        session_gap: The same from one session to the next.
        net_jump: Share of gross GEX that net GEX may move beyond what the symbol's own history explains.
        open_interest: Share that open interest may change within a session.
        strikes_lost: Share of its contracts a chain may lose within a session.
        coverage_drop: How far coverage may fall, 0 to 1.
        skew_s: How far a stamp may lie in the future before it is flagged.
    """

    spot_implied: float | None = Field(default=None, gt=0, lt=1)
    spot_jump: float | None = Field(default=None, gt=0, lt=1)
    session_gap: float | None = Field(default=None, gt=0, lt=1)
    net_jump: float | None = Field(default=None, gt=0, le=2)
    open_interest: float | None = Field(default=None, gt=0, le=10)
    strikes_lost: float | None = Field(default=None, gt=0, lt=1)
    coverage_drop: float | None = Field(default=None, gt=0, le=1)
    skew_s: float | None = Field(default=None, gt=0, le=3600)


class CompareSettings(Strict):
    """Set how far two sources of a symbol may be apart before they disagree; what is None is the usual tolerance.

    Attributes:
        net, gross: Shares of the larger gross GEX.
        flip, walls, spot: Shares of spot.
        age_s: How much older the serving source's data may be than the other's, known delays included.
    """

    net: float | None = Field(default=None, gt=0, le=2)
    gross: float | None = Field(default=None, gt=0, le=1)
    flip: float | None = Field(default=None, gt=0, le=1)
    walls: float | None = Field(default=None, gt=0, le=1)
    spot: float | None = Field(default=None, gt=0, le=1)
    age_s: float | None = Field(default=None, gt=0)


class SymbolSettings(Strict):
    """Say what is expected of one symbol, who reads it, and from where.

    Attributes:
        session: When it has something to say: New York's regular hours, ``extended`` (04:00 to four hours after the close),
            ``index`` (to a quarter of an hour after the close) or ``always``; None is ``index`` for the indices that trade so,
            else ``regular``.
        readers: Who is to be named when it fails, e.g. a pit or a program.
        serving, standby: Sources; None takes the first and the second configured source that names the symbol.
        aliases: Other names and roots under which feeds carry it.
        multiplier: Underlying units a contract controls; None takes that of ``rates``. A document's own goes before.
        failover_after_s: Serve it from the standby once the serving source has given nothing good for so long: counted from its
            last snapshot where it is silent, from when its numbers stood still where it is frozen, from the first that was held
            back; never before it is known to be so (three of its intervals without what is due, 12 s at least for frozen), nor
            over closed hours or a pause. None leaves that to operators.
        fail_back_after_s: Serve it from the first source again once that was well for so long.
        history: Folder of files that can fill its gaps.
        gates, compare: Limits of its own.
    """

    name: str
    session: Literal["regular", "extended", "index", "always"] | None = None
    readers: tuple[str, ...] = ()
    serving: str | None = None
    standby: str | None = None
    aliases: tuple[str, ...] = ()
    multiplier: float | None = Field(default=None, gt=0)
    failover_after_s: float | None = Field(default=None, ge=1, le=3600)
    fail_back_after_s: float = Field(default=120.0, ge=1, le=86_400)
    history: Path | None = None
    gates: GateSettings = GateSettings()
    compare: CompareSettings = CompareSettings()

    @field_validator("name", "aliases")
    @classmethod
    def _symbols(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for name in (value,) if isinstance(value, str) else value:
            if symbol_of(name) != name:
                raise ValueError(f"not a symbol: {name!r}; allowed is upper case [A-Z0-9._^-]{{1,16}}")
        return value

    @field_validator("readers")
    @classmethod
    def _readers(cls, readers: tuple[str, ...]) -> tuple[str, ...]:
        bad = [name for name in readers if not name or printable(name, 32) != name]
        if bad:
            raise ValueError(f"not a reader's name: {bad[0]!r}; 1 to 32 printable characters are allowed")
        return readers
