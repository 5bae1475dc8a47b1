"""``key``: let programs and people in over TCP, and end that again."""

import getpass
import time
from datetime import UTC, datetime
from typing import Annotated

from cyclopts import App, Parameter

from gexdesk.cli.answer import as_json, say, table
from gexdesk.cli.arguments import AsJson, StateFolder, span_s, state_folder
from gexdesk.model.errors import SettingsError

app = App(name="key", help="Keys for callers over TCP: create, list, revoke.")

READS_TOO = {
    "operate": "the desk, promote, demote, override and clear look before they act",
    "submit": "`gexdesk status` has to read how it stands",
}
"""What of a scope does not work with a key that may not read."""


@app.command
def create(
    *,
    scope: Annotated[list[str], Parameter(name="--scope", negative="", help="read, submit, operate or admin; repeat for several.")],
    name: Annotated[str, Parameter(help="Who holds it; the audit names them so.")] = "",
    duration: Annotated[str, Parameter(name="--for", help="How long it is valid, e.g. 12h; `none` has no end.")] = "none",
    per_minute: Annotated[int, Parameter(help="Calls it may make in a minute.")] = 600,
    state: StateFolder = None,
    json: AsJson = False,
) -> int:
    """Make a key and show it, this once; only its digest is kept.

    Example: `gexdesk key create --scope read --scope submit --name loader`
    """
    from gexdesk.api.keys import KeyBook, Scope
    from gexdesk.assemble.offline import audit_of

    unknown = [word for word in scope if word not in list(Scope)]
    if unknown:
        raise SettingsError(f"{unknown[0]!r} is no scope; there are {', '.join(Scope)}")
    if per_minute < 1:
        raise SettingsError(f"--per-minute {per_minute}: at least 1 is allowed")
    for_s = None if duration == "none" else span_s(duration)
    if for_s == 0:
        raise SettingsError(f"--for {duration}: such a key has ended before anybody can use it; leave it out for one without end")
    folder, now = state_folder(state), time.time()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    secret, key = KeyBook(folder).create(name or getpass.getuser(), (Scope(word) for word in scope), now, for_s, per_minute)
    audit_of(folder).append(
        at=now, actor=getpass.getuser(), act="key_create", target=f"key {key.id}", reason=key.name,
        after=f"{' '.join(key.scopes)} until {_day(key.until)}",
    )  # fmt: skip
    if json:
        as_json({"key": secret, "id": key.id, "scopes": key.scopes})
    else:
        print(secret)
        about = f"key {key.id} of {key.name} for the engine of {folder}"
        say(f"{about}: {', '.join(key.scopes)}, until {_day(key.until)}; it is not shown again")
    if not key.allows(Scope.READ):
        for word, needs in READS_TOO.items():
            if word in key.scopes:
                say(f"this key may {word} and not read, and {needs}: make one with --scope read --scope {word}")
    return 0


@app.command(name="list")
def listing(*, state: StateFolder = None, json: AsJson = False) -> int:
    """List the keys, ended and revoked ones too; never the keys themselves.

    Example: `gexdesk key list`
    """
    from gexdesk.api.keys import KeyBook

    keys = KeyBook(state_folder(state)).all()
    if json:
        as_json({
            "keys": [
                {"id": k.id, "name": k.name, "scopes": k.scopes, "created_at": k.created_at, "until": k.until,
                 "revoked_at": k.revoked_at, "per_minute": k.per_minute}
                for k in keys
            ]
        })  # fmt: skip
        return 0
    rows = [
        (k.id, k.name, " ".join(k.scopes), _day(k.created_at), _day(k.until), "revoked" if k.revoked_at else
         "ended" if k.until is not None and k.until <= time.time() else "in force")
        for k in keys
    ]  # fmt: skip
    if rows:
        table("Keys", ["id", "name", "scopes", "created", "until", "state"], rows)
    else:
        say("no keys; `gexdesk key create --scope read` makes one")
    return 0


@app.command
def revoke(
    key_id: Annotated[str, Parameter(help="As `key list` shows it.")], *, state: StateFolder = None, json: AsJson = False
) -> int:
    """End a key at once, for a running engine too.

    Example: `gexdesk key revoke 1f00ba12`
    """
    from gexdesk.api.keys import KeyBook
    from gexdesk.assemble.offline import audit_of

    folder, now = state_folder(state), time.time()
    key = KeyBook(folder).revoke(key_id, now)
    audit_of(folder).append(
        at=now, actor=getpass.getuser(), act="key_revoke", target=f"key {key.id}", reason=key.name, before="in force",
        after="revoked",
    )  # fmt: skip
    if json:
        as_json({"id": key.id, "revoked_at": now})
    else:
        say(f"key {key.id} of {key.name} is revoked")
    return 0


def _day(at: float | None) -> str:
    return "no end" if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="minutes").replace("+00:00", "Z")
