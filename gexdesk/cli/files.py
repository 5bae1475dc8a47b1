"""Verbs on files: ``inspect``, ``query``, ``sample``, ``init``; none needs a running engine."""

import os
import shutil
import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from gexdesk.cli.answer import LINE_LIMIT, as_json, refuse, say, table
from gexdesk.cli.arguments import AsJson, StateFolder, state_folder
from gexdesk.cli.service import Service
from gexdesk.model.errors import SettingsError
from gexdesk.model.text import printable


def inspect(
    files: Annotated[list[Path], Parameter(help="Payload files, compressed or not.", negative="")],
    *,
    format: Annotated[str | None, Parameter(help="Format name; default: by content.")] = None,
    json: AsJson = False,
) -> int:
    """Decode files and compute their exposure; store nothing. GEX in USD per 1% move.

    Example: `gexdesk inspect spx.json --json`
    """
    from gexdesk.assemble.offline import inspect_file
    from gexdesk.model.errors import PayloadError

    answers: list[dict[str, Any] | list[dict[str, Any]]] = []
    for path in files:
        try:
            found = inspect_file(path, format)
        except PayloadError as error:
            error.details["file"] = str(path)
            error.message = printable(f"{path}: {error.message}", LINE_LIMIT)
            if len(files) == 1:
                raise
            refuse(error, as_json=False)
            answers.append({"file": str(path), "error": error.kind, "message": error.message})
            continue
        answers.append(found[0] if len(found) == 1 else found)
        if not json:
            _print_exposures(path, found)
    if json:
        as_json(answers[0] if len(answers) == 1 else answers)
    return 1 if any(isinstance(a, dict) and "error" in a for a in answers) else 0


def query(
    sql: Annotated[str, Parameter(help="One SELECT.")],
    *,
    state: StateFolder = None,
    json: AsJson = False,
) -> int:
    """Ask one read-only SQL question over metadata and lake: snapshots, strikes, jobs, decisions, sources, dead_letters, ...

    Example: `gexdesk query "SELECT symbol, as_of, net_gex FROM snapshots ORDER BY received_at DESC LIMIT 5"`
    """
    from gexdesk.assemble.offline import ask
    from gexdesk.cli.copied import metadata_copy

    folder = state_folder(state)
    with metadata_copy(folder) as copy:
        rows = ask(sql, folder, copy)
    if rows.note:
        say(rows.note)
    if json:
        as_json(rows)
    elif rows:
        table("", list(rows[0]), [["" if value is None else str(value) for value in row.values()] for row in rows])
    else:
        say("no rows")
    return 0


def sample(folder: Annotated[Path, Parameter(help="Folder to write to; made if missing.")], *, seed: int | None = None) -> int:
    """Generate the sample morning: synthetic feeds in the real formats, with a story.

    Example: `gexdesk sample /tmp/morning`
    """
    from gexdesk.sample.generate import generate

    if folder.exists() and any(folder.iterdir()):
        raise SettingsError(f"{folder} is not empty; name a new folder")
    if seed is None:
        generate(folder)
    else:
        generate(folder, seed)
    files = [p for p in folder.rglob("*") if p.is_file()]
    say(f"{len(files)} files, {sum(p.stat().st_size for p in files):,} bytes in {folder}")
    return 0


def init(
    folder: Annotated[Path | None, Parameter(help="Where to; default: the user's configuration folder.")] = None, *,
    systemd: Annotated[bool, Parameter(negative="", help="Write a hardened unit for the engine, too.")] = False,
    prometheus: Annotated[bool, Parameter(negative="", help="Write a scrape configuration and alert rules, too.")] = False,
) -> int:  # fmt: skip
    """Write a commented configuration and the default guidelines to start from.

    With --systemd the state is in /var/lib/gexdesk, the members of group gexdesk operate, and what root has to do is said.

    Example: `gexdesk init /etc/gexdesk --systemd --prometheus`
    """
    from importlib.resources import files

    base = (folder or Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "gexdesk").absolute()
    cli, deploy = files("gexdesk.cli"), files("gexdesk.cli") / "deploy"
    starters = {"gexdesk.toml": cli / "starter.toml", "guidelines.toml": files("gexdesk.guidelines") / "default.toml"}
    if systemd:
        starters["gexdesk.service"] = deploy / "gexdesk.service"
    if prometheus:
        starters |= {"prometheus.yml": deploy / "prometheus.yml", "alerts.yml": deploy / "alerts.yml"}
    there = [name for name in starters if (base / name).exists()]
    if there:
        raise SettingsError(f"{base / there[0]} is there already; nothing was written")
    own = Path(sys.argv[0]).absolute()
    program = str(own) if own.name == "gexdesk" else shutil.which("gexdesk") or f"{sys.executable} -m gexdesk"
    service = Service(base, program) if systemd else None
    try:
        made = not base.exists()
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, starter in starters.items():
            text = starter.read_text(encoding="utf-8")
            (base / name).write_text(text if service is None else service.fitted(text), encoding="utf-8")
            say(f"wrote {base / name}")
        if service is not None:
            service.open_to_group([base / name for name in starters], made=made)
    except OSError as error:
        raise SettingsError(f"{base} cannot be written: {error.strerror}") from error
    for line in service.told() if service is not None else ():
        say(line)
    return 0


def _print_exposures(path: Path, found: list[dict[str, Any]]) -> None:
    def bn(value: float | None) -> str:
        return "-" if value is None else f"{value / 1e9:+.3f} bn"

    def flip(zero_gamma: dict[str, Any]) -> str:
        return zero_gamma["status"] if zero_gamma["value"] is None else f"{zero_gamma['value']:,.2f}"

    rows = [
        (*("-" if f[name] is None else str(f[name]) for name in ("symbol", "format", "as_of", "spot", "contracts", "strikes")),
         bn(f["net_gex"]), bn(f["gross_gex"]), flip(f["zero_gamma"]))
        for f in found
    ]  # fmt: skip
    table(str(path), ["symbol", "format", "as of", "spot", "contracts", "strikes", "net GEX", "gross GEX", "zero gamma"], rows)
    for warning in dict.fromkeys(w for f in found for w in f["warnings"]):
        say(warning)
