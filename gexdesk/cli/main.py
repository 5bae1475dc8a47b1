"""The program ``gexdesk``: one verb a task, each in the file of its family; heavy imports wait until a verb runs."""

import os
import sys
from collections.abc import Sequence

from cyclopts import App
from cyclopts.exceptions import CycloptsError, MissingArgumentError

from gexdesk import __version__
from gexdesk.cli import (
    audit,
    certify,
    dead,
    desk,
    doctor,
    engine,
    files,
    guidelines,
    importing,
    incidents,
    keys,
    levers,
    requests,
    symbols,
)
from gexdesk.cli.answer import refuse, say
from gexdesk.model.errors import GexdeskError
from gexdesk.model.text import printable

app = App(
    name="gexdesk",
    version=__version__,
    help="Open the desk: ingest gamma-exposure feeds by priority and show what matters first.",
    help_format="markdown",
    result_action="return_value",
)
app.default(desk.desk)
for verb in (
    desk.attach, desk.picture, doctor.doctor, certify.certify, requests.submit, requests.status,
    engine.run, engine.stop, files.inspect, files.query, files.sample, files.init,
    levers.sources, levers.queue, levers.promote, levers.demote, levers.override, levers.clear, levers.pause, levers.resume,
    levers.cancel, levers.undo,
    incidents.handover, symbols.failover, symbols.gaps, symbols.backfill,
):  # fmt: skip
    app.command(verb)
app.command(importing.import_files, name="import")
app.command(guidelines.app)
app.command(incidents.app)
app.command(symbols.quarantine)
app.command(dead.app)
app.command(keys.app)
app.command(audit.app)
app.register_install_completion_command()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one verb; exit 0 done, 1 refused or bad data, 2 wrong usage."""
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    for number, token in enumerate(tokens, 1):
        try:
            token.encode()
        except UnicodeEncodeError:  # bytes that the shell passed on, which neither the engine nor the audit can hold
            shown = ascii(os.fsencode(token))[2:-1]
            say(f"gexdesk: argument {number} is not valid UTF-8: {printable(shown, 60)}; write it as text")
            sys.exit(2)
    try:
        code = app(tokens, exit_on_error=False)
    except MissingArgumentError as error:  # which one is said; where to find a value is not
        if error.argument is not None and error.argument.parameter.help:
            say(f"{error.argument.name}: {error.argument.parameter.help}")
        sys.exit(2)
    except CycloptsError:
        sys.exit(2)  # cyclopts has said what is wrong
    except GexdeskError as error:
        sys.exit(refuse(error, as_json="--json" in tokens))
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output went away
        sys.exit(1)
    sys.exit(code or 0)
