"""``submit`` and ``status``: ask a running engine for a document, and see how that stands."""

import asyncio
import math
import re
from typing import Annotated

import msgspec
from cyclopts import Parameter

from gexdesk.cli.answer import as_json, say, table
from gexdesk.cli.arguments import AsJson
from gexdesk.cli.reach import HERE, At, engine_at
from gexdesk.model.errors import SettingsError
from gexdesk.model.text import printable


def submit(
    address: Annotated[str, Parameter(name="URL", help="Under a configured source's base, or HTTPS to an allowed host.")], *,
    symbol: Annotated[str, Parameter(help="Market symbol, 1 to 10 characters.")],
    data_type: Annotated[str, Parameter(help="real_time, snapshot or historical.")] = "snapshot",
    metadata: Annotated[
        list[str] | None,
        Parameter(negative="", help="expected_records=N, data_quality=low|medium|high, priority_hint=low|normal|high|critical."),
    ] = None,
    at: At = HERE, json: AsJson = False,
) -> int:  # fmt: skip
    """Ask the engine to fetch one document; it is durable once this returns.

    Example: `gexdesk submit https://feed.example/options/SPX.json --symbol SPX --data-type real_time`
    """
    from gexdesk.model.request import Submission

    said: dict[str, object] = {}
    for pair in metadata or ():
        name, equals, value = pair.partition("=")
        if not equals:
            raise SettingsError(f"--metadata {pair!r}: write name=value")
        said[name] = int(value) if name == "expected_records" and value.lstrip("-").isdecimal() else value
    document = {"source_url": address, "data_type": data_type, "market_symbol": symbol, "metadata": said}
    try:
        asked = msgspec.convert(document, Submission)
    except msgspec.ValidationError as error:
        raise SettingsError(f"that cannot be asked for: {error}") from None
    taken = asyncio.run(engine_at(at).submit(asked))
    if json:
        as_json(taken)
    else:
        print(taken.request_id)
        ready = _span(taken.estimated_processing_time)
        say(f"taken at {taken.priority_level}, place {taken.queue_position}, ready in about {ready}")
    return 0


def status(
    request_id: Annotated[str | None, Parameter(name="ID", help="As `submit` gave it; without it, how the desk stands.")] = None, *,
    at: At = HERE, json: AsJson = False,
) -> int:  # fmt: skip
    """Say how a request stands, or without an ID how the desk does.

    Example: `gexdesk status req-64f1a2`
    """
    engine = engine_at(at)
    if request_id is not None:
        stands = asyncio.run(engine.request(request_id))
        if json:
            as_json(stands)
        else:
            table("", ["field", "value"], [(name, str(value)) for name, value in msgspec.to_builtins(stands).items()])
        return 0
    view = asyncio.run(engine.view())
    if json:
        as_json(view)
        return 0
    open_incidents = sum(1 for incident in view.incidents if incident.closed_at is None)
    print(f"{printable(view.session)}; received {view.received:,}, completed {view.completed:,}, dead letters {view.dead:,}")
    print(f"promises kept {view.promises_kept:,} of {view.promises_total:,}; open incidents {open_incidents}")
    return 0


def _span(duration: str) -> str:
    """Return an ISO 8601 duration in seconds for people: ``PT2.0S`` is ``2 s``, ``PT150.0S`` is ``3 min``."""
    found = re.fullmatch(r"PT(\d+(?:\.\d+)?)S", duration)
    if found is None:
        return duration
    seconds = float(found[1])
    return f"{seconds:g} s" if seconds < 120 else f"{math.ceil(seconds / 60)} min"
