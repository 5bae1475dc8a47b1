"""Reach the engine a verb means: the one named by ``--url``, else that of a state folder."""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from gexdesk.cli.arguments import StateFolder, state_folder
from gexdesk.model.errors import SettingsError

if TYPE_CHECKING:
    from gexdesk.api.client import Client

KEY_VARIABLE = "GEXDESK_KEY"


@Parameter(name="*")
@dataclass(frozen=True)
class At:
    """Say which engine is meant: what every verb takes that talks to one."""

    state: StateFolder = None
    url: Annotated[
        str | None, Parameter(name="--url", help=f"An engine elsewhere, http://HOST:PORT; its key is taken from ${KEY_VARIABLE}.")
    ] = None


HERE = At()


def engine_at(at: At, operator: str = "") -> "Client":
    """Return a client of the engine that is meant; nothing is sent yet.

    Raises:
        SettingsError: Two are named, or over TCP there is no key.
    """
    from gexdesk.api.client import Client

    if at.url is None:
        return Client(state_folder(at.state), operator=operator)
    if at.state is not None:
        raise SettingsError("--state and --url name two engines: leave one out")
    key = os.environ.get(KEY_VARIABLE)
    if not key:
        raise SettingsError(f"over TCP a key is needed: put it into ${KEY_VARIABLE}; `gexdesk key create` makes one over there")
    return Client(at.url, key=key, operator=operator)
