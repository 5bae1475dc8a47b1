"""The tables of sources, a class a kind."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from gexdesk.model.market import Hours
from gexdesk.model.text import symbol_of
from gexdesk.settings.strict import Strict

StandingLevel = Literal["CRITICAL", "HIGH", "MEDIUM", "LOW", "auto", ""]

FormatName = Literal[
    "cboe_json", "cboe_csv", "gexbot", "canonical", "yahoo", "tradier", "schwab", "deribit", "canonical_parquet"
]  # fmt: skip

JSON_PATH = r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$"
"""Names of JSON objects, the outer one first, e.g. ``data.seq``."""


class Assume(Strict):
    """Stand in for volume and open interest where neither the format nor another chain of the symbol carries them."""

    volume: float = Field(ge=0)
    open_interest: float = Field(ge=0)


class _SourceBase(Strict):
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
        base_url: What submitted requests may ask for under this source's name and key; None is the folder of ``url``, or
            ``url`` itself where that would be the whole host.
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
    """Watch a folder that files are renamed into.

    Attributes:
        every_s: Expected interval between files; None where nobody knows: that none come means nothing then.
    """

    kind: Literal["directory"]
    path: Path
    every_s: float | None = Field(default=None, gt=0, le=86_400)


class ReplaySource(_SourceBase):
    """Play one feed of a recorded morning as if it came in now."""

    kind: Literal["replay"]
    path: Path
    every_s: float | None = None


AnySource = Annotated[
    HttpSource | WebSocketSource | RedisStreamSource | DirectorySource | ReplaySource, Field(discriminator="kind")
]
