"""What verbs ask of a state folder without an engine: files, questions, guidelines, the audit."""

from pathlib import Path
from typing import Any

from msgspec import structs

from gexdesk.assemble.state_folder import AUDIT_NAME, GUIDELINES_NAME, METADATA_NAME
from gexdesk.engine import inspect
from gexdesk.engine.measure import RESERVED
from gexdesk.guidelines.backtest import Backtest, backtest
from gexdesk.guidelines.decide import decide
from gexdesk.guidelines.hours import hours
from gexdesk.guidelines.labelled import Report, check, read_labelled
from gexdesk.guidelines.rules import RuleSet, load, load_default, text_of
from gexdesk.guidelines.rules import read as read_rules
from gexdesk.guidelines.versions import Version, Versions
from gexdesk.model.decision import Decision
from gexdesk.model.errors import GuidelineError, StoreError
from gexdesk.model.features import Features
from gexdesk.settings.symbols import Rates
from gexdesk.stores.audit import Audit, BrokenLink, verify
from gexdesk.stores.query import Rows, run_query


def audit_of(state: Path) -> Audit:
    """Return the audit of a state folder; nothing is opened before it is used."""
    return Audit(state / AUDIT_NAME)


def verify_audit(state: Path) -> int | BrokenLink:
    """Check every link of a state folder's audit: the number of lines, or the first broken one."""
    return verify(state / AUDIT_NAME)


def inspect_file(path: Path, format_name: str | None) -> list[dict[str, Any]]:
    """Decode a file and compute its exposure under the default conventions. Raises PayloadError."""
    return inspect.inspect_file(path, format_name, Rates().conventions())


def ask(sql: str, state: Path, metadata_copy: Path | None) -> Rows:
    """Answer one read-only question over a state folder's stores; errors as in ``run_query``, and where nothing is kept there."""
    if metadata_copy is None and not (state / METADATA_NAME).exists():
        raise StoreError(f"no desk has kept anything in {state}: name its folder with --state, or its file in $GEXDESK_CONFIG")
    return run_query(sql, state=state, metadata_copy=metadata_copy or state / METADATA_NAME)


def guidelines_in_force(state: Path, file: Path | None) -> RuleSet:
    """Return the set a desk decides by: the last version its state folder keeps, else the configured file, else the default.

    Raises:
        GuidelineError: It cannot be read.
    """
    versions = Versions(state / GUIDELINES_NAME)
    last = versions.last()
    if last is not None:
        return read_rules(versions.text(last), last.version)
    return rules_of(file)


def rules_of(file: Path | None) -> RuleSet:
    """Read a rule file, or the default set. Raises GuidelineError."""
    return load(file) if file is not None else load_default()


def rule_text(file: Path) -> str:
    """Return the text of a rule file that can be used. Raises GuidelineError."""
    text = text_of(file)
    read_rules(text, str(file))
    return text


def guideline_history(state: Path) -> tuple[Version, ...]:
    """Return every version of the guidelines a state folder keeps, the oldest first. Raises GuidelineError."""
    return Versions(state / GUIDELINES_NAME).history()


def explain(features: Features, rules: RuleSet, at: float) -> Decision:
    """Decide features as the engine would at a moment, in the session of that moment."""
    kind, minutes_to_close = hours(at)
    return decide(structs.replace(features, session=kind, minutes_to_close=minutes_to_close), rules, at=at)


def check_labelled(file: Path, rules: RuleSet) -> Report:
    """Decide the rows of a labelled CSV. Raises GuidelineError naming bad lines."""
    return check(read_labelled(file), rules)


def try_on_record(before: RuleSet, after: RuleSet, state: Path, metadata_copy: Path | None, last: int) -> Backtest:
    """Compare two sets over the last recorded decisions of a state folder; errors as in ``ask``, and GuidelineError."""
    import polars as pl

    if metadata_copy is None and not (state / METADATA_NAME).is_file():
        raise GuidelineError(f"{state} has no recorded decisions: let the desk run, or name its state folder with --state")
    names = ", ".join(f"'{name}'" for name in (*Features.__struct_fields__, "override_level"))
    columns = f"COLUMNS(lambda c: c IN ({names})), epoch_us(decided_at) / 1e6 AS decided_at"
    rows = ask(f"SELECT {columns} FROM decisions ORDER BY decided_at DESC LIMIT {int(last)}", state, metadata_copy)  # noqa: S608
    if not rows:
        raise GuidelineError(f"{state} has no recorded decisions yet: let the desk run")
    service = "SELECT max(epoch(available_at - started_at)) AS longest_s FROM jobs WHERE level = 'CRITICAL'"
    longest_s = ask(service, state, metadata_copy)[0]["longest_s"]
    capacity_per_min = RESERVED * 60 / longest_s if longest_s else None
    return backtest(pl.DataFrame(rows, infer_schema_length=None), before, after, capacity_per_min)
