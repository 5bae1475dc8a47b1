"""Read the operator's configuration and refuse, with file and key, what cannot be used."""

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self

from msgspec import structs
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, field_validator, model_validator

from gexdesk.model.daytime import WEEKDAYS, days_since_1970, read_span, read_time
from gexdesk.model.errors import SettingsError
from gexdesk.model.exposure import ConventionBook, Conventions
from gexdesk.model.level import DEFAULT_PROMISE_S, Level
from gexdesk.model.market import Hours
from gexdesk.model.text import printable, symbol_of

LOCK_NAME = "engine.lock"
"""File of a state folder that its engine holds locked."""

StandingLevel = Literal["CRITICAL", "HIGH", "MEDIUM", "LOW", "auto", ""]
FormatName = Literal[
    "cboe_json", "cboe_csv", "gexbot", "canonical", "yahoo", "tradier", "schwab", "deribit", "canonical_parquet"
]  # fmt: skip
JSON_PATH = r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$"
"""Names of JSON objects, the outer one first, e.g. ``data.seq``."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Assume(_Strict):
    """Stand in for volume and open interest where neither the format nor another chain of the symbol carries them."""

    volume: float = Field(ge=0)
    open_interest: float = Field(ge=0)


class _SourceBase(_Strict):
    """What every kind of source shares.

    Attributes:
        vendor: Who runs it: sources of one vendor that fail together are one incident. Empty takes a URL's host, else the name
            up to its first ``-``.
        level: Standing level; without it the source is shown as unassigned and not processed.
        delay_s: Known delay of its quotes; None takes the format's own.
        format: None lets the content decide.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,31}$")
    vendor: str = Field(default="", pattern=r"^[A-Za-z0-9._-]{0,64}$")
    symbols: tuple[str, ...] = ()
    format: FormatName | None = None
    level: StandingLevel = ""
    delay_s: float | None = Field(default=None, ge=0, le=86_400)
    data_type: Literal["real_time", "snapshot", "historical"] = "real_time"
    assume: Assume | None = None

    @field_validator("symbols")
    @classmethod
    def _symbols(cls, symbols: tuple[str, ...]) -> tuple[str, ...]:
        bad = [s for s in symbols if symbol_of(s) != s]
        if bad:
            raise ValueError(f"not a symbol: {bad[0]!r}; allowed is upper case [A-Z0-9._^-]{{1,16}}")
        return symbols


class _LiveBase(_SourceBase):
    """What the kinds share that hear of the market while it is on.

    Attributes:
        extended: It also has something to say from 04:00 to four hours after the close, New York.
        always: It has something to say around the clock, every day.
        key_env, key_file: Where its key comes from: an environment variable, or a file of ours with mode 0600.
    """

    extended: bool = False
    always: bool = False
    key_env: str | None = None
    key_file: Path | None = None

    @property
    def hours(self) -> Hours:
        """Return when its silence means something; without a word on it that is regular hours."""
        return "always" if self.always else "extended" if self.extended else "regular"

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if self.extended and self.always:
            raise ValueError("extended and always contradict each other: leave one out")
        if self.key_env is not None and self.key_file is not None:
            raise ValueError("a key needs one of key_env, key_file, not both")
        return self

    @property
    def has_key(self) -> bool:
        """Say whether there is a key to send."""
        return self.key_env is not None or self.key_file is not None


class HttpSource(_LiveBase):
    """Poll a URL.

    Attributes:
        base_url: What submitted requests may ask for under this source's name and key; None is the folder of ``url``.
        every_s: Interval while the market is on.
        every_outside_s: Interval while it is not; None is ten times ``every_s``, at most 300 s.
        rate_per_s: Most requests a second, retries included.
        key_header, key_param: How the key is sent.
    """

    kind: Literal["http"]
    url: str = Field(pattern=r"^https?://")
    base_url: str | None = Field(default=None, pattern=r"^https?://")
    every_s: float = Field(default=15.0, ge=0.2, le=3600)
    every_outside_s: float | None = Field(default=None, ge=0.2, le=86_400)
    rate_per_s: float | None = Field(default=None, gt=0, le=100)
    timeout_s: float = Field(default=10.0, gt=0, le=120)
    key_header: str | None = None
    key_param: str | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = [w for w in (self.key_header, self.key_param) if w is not None]
        if len(ways) > 1 or bool(ways) != self.has_key:
            raise ValueError("a key needs one of key_env, key_file and one of key_header, key_param")
        return self


class WebSocketSource(_LiveBase):
    """Listen to messages that a server pushes.

    Attributes:
        subscribe: Sent in this order once connected; ``{key}`` in them is replaced by the key.
        every_s: Expected interval between data messages; None where nobody knows.
        data: Path of a JSON field, e.g. ``data.strikes``, that only data messages have; others (heartbeats, answers to a
            subscription) are not handed over.
        sequence: Path of the JSON field in which the sender counts its messages.
        key_header, key_param: How the key is sent, where it is not in ``subscribe``.
    """

    kind: Literal["websocket"]
    url: str = Field(pattern=r"^wss?://")
    subscribe: tuple[str, ...] = ()
    every_s: float | None = Field(default=None, gt=0, le=3600)
    data: str | None = Field(default=None, pattern=JSON_PATH)
    sequence: str | None = Field(default=None, pattern=JSON_PATH)
    timeout_s: float = Field(default=10.0, gt=0, le=120)
    key_header: str | None = None
    key_param: str | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = [w for w in (self.key_header, self.key_param) if w is not None]
        in_words = any("{key}" in words for words in self.subscribe)
        if len(ways) + in_words > 1 or bool(ways or in_words) != self.has_key:
            raise ValueError("a key needs one of key_env, key_file and one of key_header, key_param, {key} in subscribe")
        return self


class RedisStreamSource(_LiveBase):
    """Read a Redis stream as one consumer of a group.

    Attributes:
        url: ``redis://host:port/db``, ``rediss://...`` (TLS) or ``unix:///path``, without user and password.
        stream: Key of the stream.
        group: Consumer group, made at the first start where it is not there; it begins with what the stream then holds.
        field: Of each entry: it holds the payload.
        username: Of the ACL; the password comes from ``key_env`` or ``key_file``.
        every_s: Expected interval between entries; None where nobody knows.
    """

    kind: Literal["redis_stream"]
    url: str = Field(pattern=r"^(rediss?|unix)://")
    stream: str = Field(min_length=1, max_length=512)
    group: str = Field(default="gexdesk", min_length=1, max_length=128)
    field: str = Field(default="payload", min_length=1, max_length=128)
    username: str | None = None
    every_s: float | None = Field(default=None, gt=0, le=3600)
    timeout_s: float = Field(default=10.0, gt=0, le=120)


class DirectorySource(_SourceBase):
    """Watch a folder that files are renamed into."""

    kind: Literal["directory"]
    path: Path


class ReplaySource(_SourceBase):
    """Play one feed of a recorded morning as if it came in now."""

    kind: Literal["replay"]
    path: Path
    every_s: float | None = None


AnySource = Annotated[
    HttpSource | WebSocketSource | RedisStreamSource | DirectorySource | ReplaySource, Field(discriminator="kind")
]


class EngineSettings(_Strict):
    """Size the engine.

    Attributes:
        workers: Jobs processed at once; one more slot is reserved for CRITICAL.
        pool_processes: Killable processes that decode and compute; one more is reserved for CRITICAL.
        gate_bytes: Documents up to this size share a segment file; larger ones have a file of their own and leave their
            decoded columns beside it.
        lease_s, sweep_s: How long a worker may be silent, and how often expired leases are looked for.
        task_limit_s, memory_limit_mb: What a pool process may take before it is killed.
        keep_days, keep_gb: How long payloads are kept, whichever ends first.
        lake_keep_days: How long strikes are kept; None for ever.
        shared: Folder that every host of a fleet has mounted, for the lake, the tables that others may ask for, and what was taken
            from folders; None keeps all of it in the state folder.
        high_jobs, high_gb: How many payloads, of how many bytes, may be under way: at 80% of either LOW is set aside in the spool,
            at 90% MEDIUM is held back.
        critical_burst, critical_per_s: CRITICAL payloads a source may bring, at once and a second in the long run, before an
            incident says that the promise is not proven; None is what the desk finds it can carry.
    """

    workers: int = Field(default=2, ge=1, le=64)
    pool_processes: int = Field(default=1, ge=1, le=32)
    gate_bytes: int = Field(default=64 * 1024, ge=0)
    payload_limit_bytes: int = Field(default=256 * 1024 * 1024, ge=1024)
    lease_s: float = Field(default=5.0, gt=0)
    sweep_s: float = Field(default=1.0, gt=0)
    task_limit_s: float = Field(default=20.0, ge=0.5, le=600)
    memory_limit_mb: int = Field(default=2048, ge=256)
    keep_days: float = Field(default=2.0, gt=0)
    keep_gb: float = Field(default=20.0, gt=0)
    lake_keep_days: float | None = Field(default=None, gt=0)
    shared: Path | None = None
    high_jobs: int = Field(default=200_000, ge=10)
    high_gb: float = Field(default=8.0, gt=0)
    critical_burst: int | None = Field(default=None, ge=1)
    critical_per_s: float | None = Field(default=None, gt=0)


class Submit(_Strict):
    """Say what other programs may make the desk fetch, beside what lies under the configured sources.

    Attributes:
        hosts: Public host names, lower case; fetched over HTTPS alone.
    """

    hosts: tuple[Annotated[str, Field(pattern=r"^[a-z0-9.-]{1,253}$")], ...] = ()
    timeout_s: float = Field(default=20.0, gt=0, le=120)


class SymbolRates(_Strict):
    """Give one symbol's own rates; what is None is the usual one."""

    rate: float | None = Field(default=None, ge=-0.1, le=1)
    dividend_yield: float | None = Field(default=None, ge=0, le=1)


class PagerSettings(_Strict):
    """Say how somebody is paged for an incident.

    Attributes:
        command: Program and arguments; gets the incident as JSON on stdin. Empty pages nobody.
        min_severity: 2 pages only where readers are hit, 1 for everything.
        timeout_s: The command is killed after this long.
        on_worse, on_closed: Page again when an incident gets worse, and when it is over.
    """

    command: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    min_severity: Literal[1, 2] = 2
    timeout_s: float = Field(default=10.0, gt=0, le=120)
    on_worse: bool = True
    on_closed: bool = False


class Rates(_Strict):
    """Give the conventions of every computed exposure, and those of symbols that have their own."""

    rate: float = Field(default=0.043, ge=-0.1, le=1)
    dividend_yield: float = Field(default=0.013, ge=0, le=1)
    multiplier: float = Field(default=100.0, gt=0)

    symbols: dict[str, SymbolRates] = {}

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


class GuidelineSettings(_Strict):
    """Say where the guidelines come from and how they may change.

    Attributes:
        file: Rule file; None takes the shipped default set.
        apply_on_save: A good file comes into force when it is saved; else it waits for an operator.
        locked_hours: ``HH:MM-HH:MM``, New York, on trading days: nothing comes into force meanwhile unless it is forced.
        backtest_last: How many of the last decisions a changed set is tried on.
    """

    file: Path | None = None
    apply_on_save: bool = False
    locked_hours: tuple[str, ...] = ()
    backtest_last: int = Field(default=100_000, ge=1, le=1_000_000)

    @field_validator("locked_hours")
    @classmethod
    def _spans(cls, spans: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(read_span(span)) for span in spans)


class GateSettings(_Strict):
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


class CompareSettings(_Strict):
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


class SymbolSettings(_Strict):
    """Say what is expected of one symbol, who reads it, and from where.

    Attributes:
        session: When it has something to say: New York's regular hours, ``extended`` (04:00 to four hours after the close),
            ``index`` (to a quarter of an hour after the close) or ``always``; None is ``index`` for the indices that trade so,
            else ``regular``.
        readers: Who is to be named when it fails, e.g. a pit or a program.
        serving, standby: Sources; None takes the first and the second configured source that names the symbol.
        aliases: Other names and roots under which feeds carry it.
        multiplier: Underlying units a contract controls; None takes that of ``rates``. A document's own goes before.
        failover_after_s: Serve it from the standby once the serving source was frozen, silent or held back for so long; None
            leaves that to operators.
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


class ScheduleSettings(_Strict):
    """Give a source or symbol a level at certain times of the day, New York.

    Attributes:
        target: Name of a source, else a symbol.
        begins, to: ``from`` and ``to`` in the file, ``HH:MM``; one that ends before it begins runs past midnight.
        days: ``mon`` to ``sun`` and dates, ``YYYY-MM-DD``: those on which it begins.
        trading_days: Only those of them on which the exchange trades.
    """

    model_config = ConfigDict(validate_by_alias=True, validate_by_name=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,31}$")
    target: str
    level: Level
    begins: str = Field(alias="from")
    to: str
    days: tuple[str, ...] = WEEKDAYS[:5]
    bound: Literal["exactly", "at_least", "at_most"] = "exactly"
    reason: str = Field(min_length=1, max_length=200)
    trading_days: bool = True

    @field_validator("begins", "to")
    @classmethod
    def _times(cls, text: str) -> str:
        return f"{read_time(text):%H:%M}"

    @field_validator("days", mode="before")
    @classmethod
    def _dates(cls, days: object) -> object:
        return [str(day) for day in days] if isinstance(days, list | tuple) else days

    @field_validator("days")
    @classmethod
    def _days(cls, days: tuple[str, ...]) -> tuple[str, ...]:
        if not days:
            raise ValueError("a schedule needs a day: mon to sun, or dates")
        for day in days:
            if day not in WEEKDAYS:
                days_since_1970(day)
        return days

    @model_validator(mode="after")
    def _lasts(self) -> Self:
        if self.begins == self.to:
            raise ValueError(f"it begins and ends at {self.to}")
        return self


class RedisSettings(_Strict):
    """Share the queue with other hosts through Redis 7.0 or later, or Valkey.

    Attributes:
        url: ``redis://host:port/db``, ``rediss://...`` (TLS) or ``unix:///path``, without user and password.
        prefix: Of every key there; desks with the same one share a queue.
        username: Of the ACL; the password comes from ``key_env`` or ``key_file``.
        allow_unauthenticated: Take a server on another host although it asks for no password.
    """

    url: str
    prefix: str = Field(default="gexdesk", pattern=r"^[A-Za-z0-9._-]{1,64}$")
    username: str | None = None
    key_env: str | None = None
    key_file: Path | None = None
    allow_unauthenticated: bool = False

    @model_validator(mode="after")
    def _one_place(self) -> "RedisSettings":
        if self.key_env is not None and self.key_file is not None:
            raise ValueError("a password comes from key_env or from key_file, not from both")
        return self


class LogSettings(_Strict):
    """Say where the engine's log goes.

    Attributes:
        file: It may be rotated by renaming it; None writes what is grave, and what happens to sources, to stderr.
        format: ``text`` is ``key=value`` pairs, ``json`` an object a line.
    """

    file: Path | None = None
    format: Literal["text", "json"] = "text"


class Settings(_Strict):
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


def default_state() -> Path:
    """Return the user's state folder, after XDG."""
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "gexdesk"


def find_configuration() -> Path | None:
    """Return the configuration the user has, or None: ``$GEXDESK_CONFIG``, else ``gexdesk/gexdesk.toml`` under XDG config.

    Raises:
        SettingsError: ``$GEXDESK_CONFIG`` names a file that is not there; never the sample in its place.
    """
    named = os.environ.get("GEXDESK_CONFIG")
    if named:
        if not Path(named).is_file():
            raise SettingsError(f"$GEXDESK_CONFIG names {named}, which is not a file; correct it, or unset it for the sample desk")
        return Path(named)
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    path = Path(base) / "gexdesk" / "gexdesk.toml"
    return path if path.is_file() else None


def named_state() -> Path | None:
    """Return the state folder that ``$GEXDESK_STATE`` names, None without it."""
    named = os.environ.get(f"{_PREFIX}STATE")
    return Path(named).absolute() if named else None


def load_settings(path: Path | None, state: Path | None = None) -> Settings:
    """Read and validate a configuration: what is built in, then the file, then the environment, then ``state``.

    ``GEXDESK_LISTEN=127.0.0.1:8765`` sets ``listen``, ``GEXDESK_ENGINE__WORKERS=4`` sets ``workers`` of ``[engine]``,
    ``GEXDESK_SOURCES__0__URL=...`` the first source's ``url``; a value is read as in the file, or else as text.

    Args:
        path: TOML file; None for none.
        state: Replaces every other ``state``; a relative one is read from where the caller is, not from the file's folder.

    Raises:
        SettingsError: File or variable, key, what was found, what is allowed.
    """
    raw = _read(path) if path is not None else {}
    named = _layer(raw, os.environ)
    if state is None and path is None:
        state = named_state() or default_state()
    raw["state"] = state.absolute() if state is not None else named_state() or raw.get("state", default_state())
    try:
        settings = Settings.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        said = first["msg"].removeprefix("Value error, ")
        what = "no such key here; is it misspelt?" if first["type"] == "extra_forbidden" else said
        # What stands under a key that does not exist may be a misplaced secret: only its name is shown.
        found = "" if first["type"] == "extra_forbidden" else _found(first["type"], first.get("input"))
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        # A source's kind stands in the way to its key, and in no file.
        key = ".".join(str(part) for number, part in enumerate(first["loc"]) if (number, first["loc"][0]) != (2, "sources"))
        origin = next((f"${name}" for way, name in named.items() if f"{key}.".startswith(f"{way}.")), str(path))
        raise SettingsError(printable(f"{origin}: {where}: {what}{found}{more}", 600)) from None
    if path is None:
        return settings
    settings._read_from = path
    return _relative_to(path.parent, settings)


def _found(fault: str, value: object) -> str:
    """Say what was found as a file would have it; where keys lack or do not go together their place says it."""
    if isinstance(value, bool):
        return f"; found {str(value).lower()}"
    if isinstance(value, int | float):
        return f"; found {value:.6g}" if abs(value) > 1e15 else f"; found {value}"
    if isinstance(value, str):
        return f"; found {value[:80]!r}"
    if fault in ("missing", "value_error"):
        return ""
    return "; found a list" if isinstance(value, list | tuple) else "; found a table" if isinstance(value, dict) else ""


_PREFIX = "GEXDESK_"
_OTHERS = ("CONFIG", "KEY")
"""Variables of ours that are no settings: which configuration, and the key for an engine elsewhere."""

_KEYS_AS_WRITTEN = (("promises_s",), ("rates", "symbols"))
"""Tables whose keys are names in upper case."""


def _layer(raw: dict[str, Any], environment: Mapping[str, str]) -> dict[str, str]:
    """Lay the environment's settings over a file's; returns the variable of each key, ``sources.0.url`` -> ``GEXDESK_...``."""
    if isinstance(raw.get("guidelines"), str):
        raw["guidelines"] = {"file": raw["guidelines"]}
    named = {}
    for name, text in sorted(environment.items()):
        first = name.removeprefix(_PREFIX).partition("__")[0]
        if not name.startswith(_PREFIX) or first in (*_OTHERS, "STATE"):
            continue
        if first.lower() not in Settings.model_fields or first == "MODE":
            near = difflib.get_close_matches(first.lower(), [*Settings.model_fields], 1, 0.8)
            if near:
                raise SettingsError(f"${name} is no setting; did you mean {_PREFIX}{near[0].upper()}?")
            continue  # somebody's own, e.g. a key that a source names
        named[".".join(_place(raw, name, text))] = name
    return named


def _place(raw: dict[str, Any], name: str, text: str) -> tuple[str, ...]:
    """Put one variable's value where its name says, and return the way there. Raises SettingsError."""
    try:
        value = tomllib.loads(f"x = {text}")["x"]
    except tomllib.TOMLDecodeError:
        value = text
    way: tuple[str, ...] = ()
    inside: Any = raw
    *outer, last = name.removeprefix(_PREFIX).split("__")
    for step in (*outer, None):
        key = last if step is None else step
        key = key if way in _KEYS_AS_WRITTEN else key.lower()
        if isinstance(inside, list):
            if not key.isdecimal() or int(key) > len(inside):
                where = ".".join(way)
                raise SettingsError(f"${name}: {where} has {len(inside)} entries; name one of them by its number, or the next")
            number = int(key)
            if number == len(inside):
                inside.append({} if step is not None else value)
            if step is None:
                inside[number] = value
            following = inside[number]
        elif isinstance(inside, dict):
            if step is None:
                inside[key] = value
            following = inside.setdefault(key, [] if key in ("sources", "symbols", "schedules") and not way else {})
        else:
            raise SettingsError(f"${name}: {'.'.join(way)} is no table, so nothing stands in it")
        inside, way = following, (*way, key)
    return way


def _read(path: Path) -> dict[str, Any]:
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"{path}: no such file; `gexdesk init` writes one to start from") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: not valid TOML: {error}") from None
    if "mode" in raw:
        raise SettingsError(f"{path}: mode: not a key of a configuration; the sample desk is `gexdesk` without one")
    return raw


def _relative_to(folder: Path, settings: Settings) -> Settings:
    """Read relative paths of a configuration from where the configuration lies."""
    sources = tuple(
        s.model_copy(update={name: folder / path.expanduser() for name in ("path", "key_file") if (path := getattr(s, name, None))})
        for s in settings.sources
    )
    state = folder / settings.state.expanduser()
    for source in sources:
        if isinstance(source, DirectorySource) and source.path.absolute() == state.absolute():
            raise SettingsError(f"source {source.name} watches the state folder itself ({state}); give it a folder of its own")
    symbols = tuple(
        s.model_copy(update={"history": folder / s.history.expanduser()}) if s.history is not None else s for s in settings.symbols
    )
    update: dict[str, object] = {"sources": sources, "symbols": symbols, "state": state}
    shared = settings.engine.shared
    if shared is not None:
        update["engine"] = settings.engine.model_copy(update={"shared": folder / shared.expanduser()})
    rules = settings.guidelines.file
    if rules is not None:
        update["guidelines"] = settings.guidelines.model_copy(update={"file": folder / rules.expanduser()})
    if settings.log.file is not None:
        update["log"] = settings.log.model_copy(update={"file": folder / settings.log.file.expanduser()})
    if settings.redis is not None and settings.redis.key_file is not None:
        update["redis"] = settings.redis.model_copy(update={"key_file": folder / settings.redis.key_file.expanduser()})
    return settings.model_copy(update=update)
