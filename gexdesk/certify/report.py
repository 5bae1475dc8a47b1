"""Tell how a run went: as a document for programs, as lines for a person, as a page to keep."""

import math
from datetime import UTC, datetime
from typing import Any

from msgspec import to_builtins

from gexdesk.certify.criteria import Criterion, overall
from gexdesk.certify.run import Measured


def document(m: Measured, criteria: tuple[Criterion, ...]) -> dict[str, Any]:
    """Return the whole as one JSON document; what was not measured is null."""
    begins, _ = m.parts["steady"]
    return {
        "passed": overall(criteria, m.record),
        "at": datetime.fromtimestamp(begins, UTC).isoformat(timespec="seconds"),
        "took_s": round(m.took_s, 1),
        "machine": to_builtins(m.machine),
        "others_cores": round(m.others_cores, 2),
        "plan": to_builtins(m.plan),
        "criteria": [{**to_builtins(c), "figures": {name: _finite(value) for name, value in c.figures.items()}} for c in criteria],
        "engine": {"processor_s": round(m.used_s, 1), "resident_bytes": m.resident_bytes, "state_bytes": m.state_bytes},
        "levels": m.closing["levels"],
        "escalated": m.closing["escalated"],
    }


def machine_line(m: Measured) -> str:
    """Say what machine it was, and what else ran there."""
    a = m.machine
    return (
        f"{a.processor}, {a.cores} cores, {a.memory_gb:.0f} GB, {a.filesystem} (fsync {a.fsync_ms:.1f} ms), {a.kernel}, "
        f"Python {a.python}; load {a.load_1m:.1f} at the begin, other processes took {m.others_cores:.1f} cores meanwhile"
    )


def rows(criteria: tuple[Criterion, ...]) -> list[tuple[str, str, str, str, str]]:
    """Return name, verdict, what, limit and finding of each."""
    return [(c.name, "pass" if c.passed else "FAIL", c.what, c.limit, c.found) for c in criteria]


def page(m: Measured, criteria: tuple[Criterion, ...]) -> str:
    """Return a Markdown page with everything."""
    begins, _ = m.parts["steady"]
    verdict = "PASSED" if overall(criteria, m.record) else "FAILED"
    lines = [
        f"# gexdesk certify: {verdict}",
        "",
        f"{datetime.fromtimestamp(begins, UTC):%Y-%m-%d %H:%M} UTC, {m.took_s:.0f} s. {machine_line(m)}.",
        "",
        ", ".join(f"{name} {version}" for name, version in m.machine.packages.items()) + ".",
        "",
        "| criterion | verdict | | limit | found |",
        "|---|---|---|---|---|",
        *("| " + " | ".join(cell.replace("|", "/") for cell in row) + " |" for row in rows(criteria)),
        "",
    ]
    for criterion in criteria:
        lines += [f"## {criterion.name}: {criterion.what}", ""]
        if criterion.why:
            lines += [f"**Failed:** {criterion.why}.", ""]
        lines += ["| figure | value |", "|---|---:|"]
        lines += [f"| {name.replace('_', ' ')} | {_written(value)} |" for name, value in criterion.figures.items()]
        lines.append("")
    lines += ["## Levels, receipt to available, seconds", ""]
    lines += ["| level | count | mean | p50 | p99 | max | within promise |", "|---|---:|---:|---:|---:|---:|---:|"]
    for name, level in m.closing["levels"].items():
        keys = ("count", "mean_s", "p50_s", "p99_s", "max_s", "within_promise")
        lines.append("| " + " | ".join([name, *(_written(level[key]) for key in keys)]) + " |")
    return "\n".join(lines) + "\n"


def _finite(value: float | int | str | None) -> float | int | str | None:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _written(value: float | int | str | None) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.4g}" if math.isfinite(value) else "-"
    return f"{value:,}" if isinstance(value, int) else value
