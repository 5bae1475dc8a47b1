"""Write what an engine tells, and what its libraries warn of, to a file or to stderr; no key of anybody's goes there.

The file may be rotated by renaming it: the next line opens a new one.
"""

import logging
import os
import re
import sys
from collections.abc import Callable, Mapping, MutableMapping
from datetime import UTC, datetime
from io import TextIOWrapper
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gexdesk.cli.answer import say
from gexdesk.model.errors import SettingsError
from gexdesk.model.text import printable

if TYPE_CHECKING:
    from gexdesk.model.view.log import LogLine
    from gexdesk.settings.engine import LogSettings

LINE_LIMIT = 8_000
_OURS = re.compile(r"gxd_[A-Za-z0-9_-]{8,}")
"""Keys that let callers in."""

Redact = Callable[[str], str]
Tell = Callable[["LogLine", Mapping[str, str]], None]


class _Redacting(logging.Formatter):
    """Format as another formatter does, on one line, without keys."""

    def __init__(self, inner: logging.Formatter, redact: Redact) -> None:
        super().__init__()
        self._inner = inner
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        return printable(_OURS.sub("gxd_***", self._redact(self._inner.format(record))), LINE_LIMIT)


class _OwnerOnly(WatchedFileHandler):
    """Append to a file that nobody else can read, whatever the umask."""

    def _open(self) -> TextIOWrapper:
        return open(os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600), "a", encoding="utf-8")


def open_log(settings: "LogSettings", redact: Redact) -> Tell:
    """Let every warning of the program's libraries be logged, and return what writes the engine's own lines.

    Args:
        redact: Takes the vendors' keys out of a text.

    Raises:
        SettingsError: The file cannot be written.
    """
    root = logging.getLogger()
    if settings.file is None:
        handler: logging.Handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(_Redacting(logging.Formatter("%(asctime)s %(name)s: %(message)s"), redact))
        root.addHandler(handler)
        return lambda line, about: _to_stderr(line, redact)
    handler = _file(settings.file)
    handler.setFormatter(_Redacting(_structured(settings.format), redact))
    root.addHandler(handler)
    desk = logging.getLogger("gexdesk")
    desk.setLevel(logging.INFO)

    def tell(line: "LogLine", about: Mapping[str, str]) -> None:
        fields: dict[str, Any] = {"kind": line.kind, "sequence": line.sequence, "at": line.at, **about}
        desk.log(logging.WARNING if line.grave else logging.INFO, line.text, extra={"desk": fields})
        if line.grave:
            _to_stderr(line, redact)

    return tell


def _file(path: Path) -> logging.Handler:
    try:
        return _OwnerOnly(path, encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"log.file: {printable(str(path))} cannot be written: {error.strerror}") from None


def _structured(form: str) -> logging.Formatter:
    """Return structlog's formatter: ``json`` an object a line, ``text`` ``key=value`` pairs."""
    import structlog

    render: Any = structlog.processors.JSONRenderer() if form == "json" else structlog.processors.LogfmtRenderer(bool_as_flag=False)
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name, _desk_fields],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.format_exc_info, render,
        ],
    )  # fmt: skip


def _desk_fields(_: object, __: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Give every line a time, and the engine's own what it is about."""
    record: logging.LogRecord = event["_record"]
    fields = dict(getattr(record, "desk", {}))
    at = fields.pop("at", record.created)
    time = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"time": time, **event, **fields}


def _to_stderr(line: "LogLine", redact: Redact) -> None:
    if line.kind != "decision":
        at = datetime.fromtimestamp(line.at, UTC).isoformat(timespec="milliseconds")
        try:
            say(_OURS.sub("gxd_***", redact(f"{at} {line.kind}: {line.text}")))
        except OSError:
            return  # a log on a full disk, or a reader who went away, must not end the desk
