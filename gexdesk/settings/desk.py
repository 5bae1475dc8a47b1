"""One desk's whole configuration, and what must fit together in it."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, PrivateAttr, field_validator, model_validator

from gexdesk.model.exposure import ConventionBook
from gexdesk.model.level import DEFAULT_PROMISE_S, Level
from gexdesk.model.text import printable
from gexdesk.settings.engine import EngineSettings, LogSettings, PagerSettings, RedisSettings, Submit
from gexdesk.settings.guidelines import GuidelineSettings, ScheduleSettings
from gexdesk.settings.sources import AnySource
from gexdesk.settings.strict import Strict
from gexdesk.settings.symbols import Rates, SymbolSettings


class Settings(Strict):
    """Hold one desk's whole configuration.

    Attributes:
        state: Folder of everything the engine keeps.
        symbols: What is expected; a symbol that only a source names has the usual of everything.
        guidelines: A table, or only the rule file's path.
        promises_s: Seconds from receipt to available per level; 0 is best effort.
        listen: ``HOST:PORT`` to answer on TCP, where keys are needed; None answers on the state folder's socket alone.
        read_only: Nothing can be changed through the engine, whatever a caller's key says.
        socket_group: Users of this group may operate through the socket, too; None is its owner alone.
        redis: None keeps the queue in the state folder, for this engine alone.
    """

    state: Path
    sources: tuple[AnySource, ...] = ()
    symbols: tuple[SymbolSettings, ...] = ()
    engine: EngineSettings = EngineSettings()
    rates: Rates = Rates()
    submit: Submit = Submit()
    guidelines: GuidelineSettings = GuidelineSettings()
    promises_s: dict[Level, Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)]] = Field(
        default_factory=lambda: {level: promise_s or 0.0 for level, promise_s in DEFAULT_PROMISE_S.items()}
    )
    listen: str | None = None
    read_only: bool = False
    socket_group: str | None = None
    pager: PagerSettings = PagerSettings()
    schedules: tuple[ScheduleSettings, ...] = ()
    redis: RedisSettings | None = None
    log: LogSettings = LogSettings()
    mode: Literal["live", "sample"] = "live"
    _read_from: Path | None = PrivateAttr(None)

    @property
    def conventions(self) -> ConventionBook:
        """Return the conventions of every computed exposure."""
        return self.rates.conventions({symbol.name: symbol.multiplier for symbol in self.symbols if symbol.multiplier is not None})

    @property
    def named(self) -> str:
        """Return the file this was read from as a refusal begins, ``gexdesk.toml: ``; empty without one."""
        return "" if self._read_from is None else f"{printable(str(self._read_from))}: "

    def read_from(self, path: Path) -> Self:
        """Note the file this was read from."""
        self._read_from = path
        return self

    @field_validator("guidelines", mode="before")
    @classmethod
    def _path_alone(cls, value: object) -> object:
        return {"file": value} if isinstance(value, str | Path) else value

    @field_validator("sources")
    @classmethod
    def _names_differ(cls, sources: tuple[AnySource, ...]) -> tuple[AnySource, ...]:
        names = [s.name for s in sources]
        twice = {n for n in names if names.count(n) > 1}
        if twice:
            raise ValueError(f"two sources are named {sorted(twice)[0]!r}; every name stands once")
        return sources

    @model_validator(mode="after")
    def _symbols_fit(self) -> Self:
        sources = {source.name: source for source in self.sources}
        owner: dict[str, str] = {}
        for symbol in self.symbols:
            for name in (symbol.name, *symbol.aliases):
                if name in owner:
                    raise ValueError(f"symbols: {name!r} stands under {owner[name]} and {symbol.name}; every name stands once")
                owner[name] = symbol.name
            for role, named in (("serving", symbol.serving), ("standby", symbol.standby)):
                as_role = f"symbols: {symbol.name} names {named!r} as {role}"
                if named is not None and named not in sources:
                    raise ValueError(f"{as_role}; there are {', '.join(sources) or 'no sources'}")
                if named is not None and sources[named].data_type == "historical":
                    raise ValueError(f"{as_role}, which brings history; that is never served")
            if symbol.serving is not None and symbol.serving == symbol.standby:
                raise ValueError(f"symbols: {symbol.name} is served by {symbol.serving!r} and has it as standby; name two sources")
        return self

    @model_validator(mode="after")
    def _schedules_have_targets(self) -> Self:
        sources = {source.name for source in self.sources}
        symbols = {symbol for source in self.sources for symbol in source.symbols} | {symbol.name for symbol in self.symbols}
        names = [schedule.name for schedule in self.schedules]
        for schedule in self.schedules:
            if names.count(schedule.name) > 1:
                raise ValueError(f"two schedules are named {schedule.name!r}; every name stands once")
            if schedule.target not in sources | symbols:
                known = ", ".join(sorted(sources) + sorted(symbols))
                words = f"target {schedule.target!r} is no source and no symbol of one; there are {known}"
                raise ValueError(f"schedule {schedule.name}: {words}")
        return self

    def promise_s(self, level: Level) -> float | None:
        """Return a level's promise in seconds; None is best effort."""
        return self.promises_s.get(level, DEFAULT_PROMISE_S[level] or 0.0) or None
