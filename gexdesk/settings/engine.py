"""The tables of what the engine is allowed, where it pages, logs and keeps its queue."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from gexdesk.settings.strict import Strict


class EngineSettings(Strict):
    """Size the engine.

    Attributes:
        workers: Jobs processed at once; one more slot is reserved for CRITICAL.
        pool_processes: Killable processes that decode and compute; one more is reserved for CRITICAL.
        gate_bytes: Documents up to this size share a segment file; larger ones have a file of their own and leave their
            decoded columns beside it.
        lease_s, sweep_s: How long a worker may be silent, and how often expired leases are looked for.
        task_limit_s, memory_limit_mb: What a pool process may take before it is killed; a reader of Parquet needs 600 MB.
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
    memory_limit_mb: int = Field(default=2048, ge=1024)
    keep_days: float = Field(default=2.0, gt=0)
    keep_gb: float = Field(default=20.0, gt=0)
    lake_keep_days: float | None = Field(default=None, gt=0)
    shared: Path | None = None
    high_jobs: int = Field(default=200_000, ge=10)
    high_gb: float = Field(default=8.0, gt=0)
    critical_burst: int | None = Field(default=None, ge=1)
    critical_per_s: float | None = Field(default=None, gt=0)


class Submit(Strict):
    """Say what other programs may make the desk fetch, beside what lies under the configured sources.

    Attributes:
        hosts: Public host names, lower case; fetched over HTTPS alone.
    """

    hosts: tuple[Annotated[str, Field(pattern=r"^[a-z0-9.-]{1,253}$")], ...] = ()
    timeout_s: float = Field(default=20.0, gt=0, le=120)


class PagerSettings(Strict):
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


class RedisSettings(Strict):
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


class LogSettings(Strict):
    """Say where the engine's log goes.

    Attributes:
        file: It may be rotated by renaming it; None writes what is grave, and what happens to sources, to stderr.
        format: ``text`` is ``key=value`` pairs, ``json`` an object a line.
    """

    file: Path | None = None
    format: Literal["text", "json"] = "text"
