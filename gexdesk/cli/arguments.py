"""What several verbs take: their common options, and what the values mean."""

import re
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from gexdesk.model.errors import SettingsError

AsJson = Annotated[bool, Parameter(name="--json", negative="", help="One JSON document on stdout.")]
StateFolder = Annotated[Path | None, Parameter(name="--state", help="State folder of the engine; default: the configuration's.")]

_SPAN = re.compile(r"(\d+(?:\.\d+)?)(s|m|h)?")


def state_folder(state: Path | None) -> Path:
    """Return the state folder a verb means: the one named, else ``$GEXDESK_STATE``, the configuration's, the sample desk's."""
    from gexdesk.settings.load import load_settings
    from gexdesk.settings.places import default_state, find_configuration, named_state

    if state is not None:
        return state
    if (named := named_state()) is not None:
        return named
    config = find_configuration()
    return load_settings(config).state if config is not None else default_state() / "sample"


def span_s(span: str) -> float:
    """Return seconds of ``30``, ``30s``, ``5m`` or ``1h``. Raises SettingsError."""
    found = _SPAN.fullmatch(span)
    if found is None:
        raise SettingsError(f"{span!r} is not a time; write 30s, 5m or 1h")
    return float(found[1]) * {"s": 1, None: 1, "m": 60, "h": 3600}[found[2]]
