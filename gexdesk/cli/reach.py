"""Reach the engine a verb means: the one named by ``--url``, else that of a state folder."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from gexdesk.cli.arguments import state_folder

if TYPE_CHECKING:
    from gexdesk.api.client import Client

KEY_VARIABLE = "GEXDESK_KEY"

EngineUrl = Annotated[
    str | None, Parameter(name="--url", help=f"An engine elsewhere, http://HOST:PORT; its key is taken from ${KEY_VARIABLE}.")
]


def engine_at(state: Path | None, url: str | None) -> "Client":
    """Return a client of the engine that is meant; nothing is sent yet. Raises SettingsError."""
    from gexdesk.api.client import Client

    key = os.environ.get(KEY_VARIABLE)
    return Client(url, key=key) if url is not None else Client(state_folder(state))
