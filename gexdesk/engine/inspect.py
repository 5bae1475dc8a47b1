"""Decode a file and compute its exposure, storing nothing."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from gexdesk.formats.compression import expand
from gexdesk.formats.detect import decode
from gexdesk.gex.summary import analyse
from gexdesk.model.errors import MalformedPayload
from gexdesk.model.exposure import ConventionBook

_CURVE = ("profile_spot", "profile_net_gex")


def inspect_file(path: Path, format_name: str | None, conventions: ConventionBook) -> list[dict[str, Any]]:
    """Return one JSON-able document a snapshot, fields as in ``Exposure``; ``as_of`` is ISO 8601, UTC.

    Raises:
        PayloadError: The file cannot be read, or is no payload any format knows.
    """
    try:
        body = path.read_bytes()
    except OSError as error:
        raise MalformedPayload(f"cannot be read: {error.strerror}") from error
    found = []
    for snapshot in decode(expand(body), format_name)[1]:
        document: dict[str, Any] = msgspec.to_builtins(analyse(snapshot, conventions.of(snapshot.symbol))[0])
        for name in _CURVE:
            del document[name]
        document["as_of"] = datetime.fromtimestamp(snapshot.as_of, UTC).isoformat().replace("+00:00", "Z")
        found.append(document)
    return found
