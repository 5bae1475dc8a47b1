"""Make sources and their accounts from the configuration."""

import hashlib
import os
import platform
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from gexdesk.assemble.keys import LIVE_SOURCES, key_of, password_of
from gexdesk.engine.backfill import SOURCE as GAP_FILL
from gexdesk.engine.ledger import Account
from gexdesk.engine.requests import SUBMITTED
from gexdesk.gates.hours import INDEX_AFTER_S
from gexdesk.model.clock import Clock
from gexdesk.model.text import printable
from gexdesk.settings.desk import Settings
from gexdesk.settings.sources import AnySource, DirectorySource, HttpSource, RedisStreamSource, ReplaySource, WebSocketSource
from gexdesk.sources.base import Source
from gexdesk.sources.directory import Directory
from gexdesk.sources.http import Http
from gexdesk.sources.pace import Pace
from gexdesk.sources.redis_stream import RedisStream
from gexdesk.sources.replay import Replay
from gexdesk.sources.secret import Secret
from gexdesk.sources.websocket import WebSocket

REPLAY_LEAD_S = 2.0
"""A replay that is played once waits so long for the engine to start: what is due before its source runs would be lost."""

UNKNOWN_DELAY_S = 900.0
"""Of quotes whose delay is not configured: the longest that a format has by itself."""


def account_of(source: AnySource) -> Account:
    """Return the account of a source that nothing has come from yet."""
    return Account(
        name=source.name,
        kind=source.kind,
        symbols=source.symbols,
        format=source.format or "",
        standing=source.level,
        configured_delay_s=source.delay_s,
        due_s=source.every_s,
        data_type=source.data_type,
        assumed=(source.assume.volume, source.assume.open_interest) if source.assume is not None else None,
        delay_s=source.delay_s or 0.0,
        hours=source.hours if isinstance(source, LIVE_SOURCES) else "always",
        base_url=_base_url(source),
        vendor=_vendor(source),
    )


def _base_url(source: AnySource) -> str:
    """Return where a source gets its data, for people: a key that somebody wrote into a query is not in it."""
    address = getattr(source, "url", None) or str(getattr(source, "path", ""))
    return printable(address.partition("?")[0])


def inner_accounts(settings: Settings) -> list[Account]:
    """Return the accounts of what comes from no configured source: documents of allowed hosts, and files that fill gaps."""
    accounts = []
    if settings.submit.hosts:
        accounts.append((SUBMITTED, "submitted", "auto", "snapshot"))
    if any(symbol.history is not None for symbol in settings.symbols):
        accounts.append((GAP_FILL, "backfill", "LOW", "historical"))
    return [
        Account(
            name=name, kind=kind, symbols=(), format="", standing=standing, configured_delay_s=None, due_s=None, data_type=data_type
        )
        for name, kind, standing, data_type in accounts
    ]


def _vendor(source: AnySource) -> str:
    """Name who runs a source: what the configuration says, else the host of its URL, else its name up to the first ``-``."""
    if source.vendor:
        return source.vendor
    return urlsplit(getattr(source, "url", "")).hostname or source.name.partition("-")[0]


def redactor(settings: Settings) -> Callable[[str], str]:
    """Return what takes every key that a configuration names out of a text. Raises SettingsError."""
    keys = [key for source in settings.sources if (key := key_of(source, settings)) is not None]
    if (given := password_of(settings)) is not None:
        keys.append(given)
    return lambda words: redacted(words, keys)


def redacted(words: str, keys: Iterable[Secret]) -> str:
    """Return a text without any of the keys."""
    for key in keys:
        words = key.redact(words)
    return words


def source_of(
    source: AnySource, *, keys: Mapping[str, Secret], clock: Clock, state: Path, taken: Path, once: bool, started_at: float,
    speed: float,
) -> Source:  # fmt: skip
    """Return what fetches; nothing is fetched before it runs."""
    match source:
        case HttpSource():
            return Http(
                source.name,
                source.url,
                pace=Pace(source.every_s, source.every_outside_s, source.hours, after_s=_goes_on_s(source)),
                timeout_s=source.timeout_s,
                rate_per_s=source.rate_per_s,
                clock=clock,
                key=keys.get(source.name),
                key_header=source.key_header,
                key_param=source.key_param,
            )
        case WebSocketSource():
            return WebSocket(
                source.name,
                source.url,
                clock=clock,
                subscribe=source.subscribe,
                every_s=source.every_s,
                hours=source.hours,
                data=source.data,
                sequence=source.sequence,
                timeout_s=source.timeout_s,
                key=keys.get(source.name),
                key_header=source.key_header,
                key_param=source.key_param,
            )
        case RedisStreamSource():
            return RedisStream(
                source.name,
                source.url,
                clock=clock,
                stream=source.stream,
                group=source.group,
                consumer=_consumer(state),
                field=source.field,
                username=source.username,
                password=keys.get(source.name),
                timeout_s=source.timeout_s,
            )
        case DirectorySource():
            return Directory(source.name, source.path, clock=clock, once=once, memory=taken / f"taken-{source.name}.jsonl")
        case ReplaySource():
            return Replay(source.name, source.path, started_at=started_at, clock=clock, loop=not once, speed=speed)


def _goes_on_s(source: HttpSource) -> float:
    """Return for how long after its hours a source has something new: who asks less often then takes it for silent."""
    return INDEX_AFTER_S + (source.delay_s if source.delay_s is not None else UNKNOWN_DELAY_S)


def _consumer(state: Path) -> str:
    """Name this desk among the consumers of a stream: the same after a restart, another for every other state folder."""
    return f"{platform.node()[:64]}-{hashlib.sha256(os.fsencode(state)).hexdigest()[:8]}"


def position_of(replays: list[Replay]) -> str:
    """Say where in their story the replays are; empty without any."""
    return f"replay {replays[0].position_s:.0f} of {replays[0].length_s:.0f} s" if replays else ""
