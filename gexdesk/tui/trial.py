"""Write what a set that waits would change: level by level on the recorded decisions, the symbols it moves, and its lines."""

from itertools import zip_longest

from gexdesk.model.level import LEVELS
from gexdesk.model.look.guidelines import GuidelinesSeen, TrialView
from gexdesk.tui import figures
from gexdesk.tui.ink import Run, fit

TRIAL_CELLS = 64
"""Width of the grid of levels; the symbols that move most stand beside it where there is room for both."""


def diff_line(line: str) -> list[Run]:
    """Write one line of a unified diff."""
    ink = "bold" if line[:1] in "+-" else "faint"
    return [(f"   {line}", ink)]


def staged_lines(seen: GuidelinesSeen, width: int) -> list[list[Run]]:
    """Write what is staged: what it would have decided of the record, and its changes."""
    if seen.staged is None:
        return [[(" nothing is staged: e edits the set, and what you save is checked and staged", "faint")]]
    trial, note = seen.staged.trial, [[(f" {seen.staged.trial_note}", "faint")]]
    lines = _trial(trial, width) if trial is not None else note
    return [*lines, [], [(" CHANGES", "bold")], *(diff_line(line) for line in seen.staged.diff.splitlines()[2:])]


def _trial(trial: TrialView, width: int) -> list[list[Run]]:
    """Write in force and staged side by side: level by level, and the symbols that would move most beside it or below."""
    head: list[Run] = [(f" ON THE LAST {trial.rows:,} DECISIONS  ", "bold"), (trial.words, "")]
    grid: list[list[Run]] = [
        [(fit("   in force \\ staged", 20), "faint"), *((fit(level, 10, right=True), "faint") for level in LEVELS)]
    ]
    for before in LEVELS:
        row: list[Run] = [(fit(f"   {before}", 20), "")]
        for after in LEVELS:
            count = trial.counts.get(before, {}).get(after, 0)
            moved = before is not after and count
            row.append((fit(figures.count(count) if count else ".", 10, right=True), "bold" if moved else "faint"))
        grid.append(row)
    sums = [(before, sum(trial.counts.get(before, {}).values())) for before in LEVELS]
    would = [sum(trial.counts.get(before, {}).get(after, 0) for before in LEVELS) for after in LEVELS]
    totals = "   ".join(f"{level} {count:,} -> {after:,}" for (level, count), after in zip(sums, would, strict=True))
    movers: list[list[Run]] = [[("most moved", "faint")]]
    movers += [[(f"{fit(mover.symbol, 10)} {mover.before} -> {mover.after}  {mover.count:,}", "")] for mover in trial.movers[:12]]
    lines = [head, [(f"   {totals}", "")], []]
    if width < TRIAL_CELLS + 40:
        return [*lines, *grid, [], *([("   ", ""), *mover] for mover in movers)]
    nothing: list[Run] = []
    for row, mover in zip_longest(grid, movers, fillvalue=nothing):
        taken = sum(len(text) for text, _ in row)
        lines.append([*row, (" " * (TRIAL_CELLS - taken), ""), *mover])
    return lines
