"""The command line's words: what can be typed after ``:``, how it is completed, and what it means."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gexdesk.model.level import LEVELS

Words = Mapping[str, Sequence[str]]
"""By the kind of an argument, what it can be now."""


class Argument(NamedTuple):
    """Describe one argument: its kind, and whether it can be left out. A kind without words takes any text."""

    kind: str
    optional: bool = False


class Command(NamedTuple):
    """Describe one command.

    Attributes:
        name: As it is typed.
        says: What it does, in one line.
        arguments: In their order; the last one takes the rest of the line.
        page: The page it opens; empty where it opens none.
        aliases: Other names for it.
        acts: It opens a dialog that asks for a reason.
    """

    name: str
    says: str
    arguments: tuple[Argument, ...] = ()
    page: str = ""
    aliases: tuple[str, ...] = ()
    acts: bool = False

    @property
    def usage(self) -> str:
        """Return how it is typed."""
        return " ".join([self.name, *(f"[{a.kind.upper()}]" if a.optional else a.kind.upper() for a in self.arguments)])


class Suggestion(NamedTuple):
    """Offer one completion: the word, and what it is."""

    word: str
    says: str


def _page(name: str, says: str, *arguments: Argument, aliases: tuple[str, ...] = (), page: str = "") -> Command:
    return Command(name, says, arguments, page or name, aliases)


def _lever(name: str, says: str, *arguments: Argument, aliases: tuple[str, ...] = ()) -> Command:
    return Command(name, says, arguments, aliases=aliases, acts=True)


_TARGET, _LEVEL = Argument("target"), Argument("level", optional=True)

COMMANDS = (
    _page("incidents", "what needs you, each with its story", Argument("incident", True), aliases=("inc", "needs")),
    _page("queue", "what waits, in true order", Argument("source", True), aliases=("q", "jobs")),
    _page("symbol", "one symbol: curve, strikes, feeds", Argument("symbol"), aliases=("sym",)),
    _page("source", "one source: what it sends and how it fails", Argument("source"), aliases=("src",)),
    _page("compare", "two sources of a symbol side by side", Argument("symbol"), aliases=("cmp",)),
    _page("rules", "the guidelines: hits, edit, try, apply, roll back", page="guidelines", aliases=("guidelines",)),
    _page("quarantine", "what the checks held back", Argument("symbol", True), aliases=("held",)),
    _page("dead", "dead letters: read, try again, discard", Argument("source", True), aliases=("dl",)),
    _page("gaps", "holes in the data, and whether they can be filled", Argument("symbol", True)),
    _page("audit", "who did what, hash-chained"),
    _page("log", "everything that happened, newest first"),
    _page("payload", "the bytes of one job as they came", Argument("job")),
    _page("engines", "the engines that share the queue"),
    _page("engineering", "how the engine itself fares"),
    _page("handover", "hand the shift over", aliases=("shift",)),
    _lever("promote", "at least one level up", _TARGET, _LEVEL),
    _lever("demote", "at most one level down", _TARGET, _LEVEL),
    _lever("override", "exactly this level", _TARGET, _LEVEL),
    _lever("clear", "end an override", _TARGET),
    _lever("pause", "stop fetching a source and hold its jobs", Argument("source")),
    _lever("resume", "fetch again", Argument("source")),
    _lever("failover", "serve a symbol from its standby or another source", Argument("symbol"), Argument("source", True)),
    _lever("take", "you are on an incident", Argument("incident")),
    _lever("snooze", "look at an incident later", Argument("incident")),
    _lever("resolve", "end an incident by hand", Argument("incident")),
    _lever("backfill", "fill a gap from history", Argument("gap")),
    _lever("cancel", "end a queued job", Argument("job")),
    _lever("retry", "queue a dead letter again", Argument("job")),
    _lever("discard", "throw a dead letter's bytes away", Argument("job")),
    _lever("apply", "apply the staged guidelines"),
    _lever("rollback", "go back to an earlier version of the guidelines", Argument("version")),
    _lever("undo", "take your own last lever back"),
    _lever("kill", "the kill switch: pause everything, or resume it"),
    Command("at", "wind the desk back to a time of today, New York", (Argument("time"),)),
    Command("now", "show the desk as it is now again", aliases=("live",)),
    Command("theme", "use a theme", (Argument("theme"),)),
    Command("view", "use an arrangement you saved; view save NAME keeps this one", (Argument("view"),)),
    Command("export", "write the table, or its marked rows, to a new file", (Argument("format"), Argument("file", True))),
    Command("help", "every key, word and column", aliases=("h",)),
    Command("quit", "leave the desk: it asks whether the engine goes on", aliases=("exit",)),
)

FORMATS = ("csv", "json")
_TARGET_KINDS = ("source", "symbol", "job")


def find(name: str) -> Command | None:
    """Return a command by its name or an alias."""
    name = name.casefold()
    return next((c for c in COMMANDS if name == c.name or name in c.aliases), None)


def rank(typed: str, word: str) -> tuple[int, int, str] | None:
    """Say how well what was typed fits a word, best first; None where it does not.

    Best is the word itself, then its beginning, then the beginning of one of its parts, then its letters in order, closest
    together.
    """
    wanted, whole = typed.casefold(), word.casefold()
    if whole == wanted:
        return (0, 0, whole)
    if whole.startswith(wanted):
        return (1, len(whole), whole)
    if any(part.startswith(wanted) for part in re.split(r"[-_ .]", whole)):
        return (2, len(whole), whole)
    at, first = -1, -1
    for c in wanted:
        at = whole.find(c, at + 1)
        if at < 0:
            return None
        first = at if first < 0 else first
    return (3, at - first, whole)


def fitting(typed: str, words: Sequence[str]) -> list[str]:
    """Return the words that fit, best first; all of them, as they stand, where nothing was typed."""
    if not typed:
        return list(dict.fromkeys(words))
    ranked = [(found, word) for word in dict.fromkeys(words) if (found := rank(typed, word)) is not None]
    return [word for _, word in sorted(ranked)]


def split(line: str) -> tuple[str, list[str], str]:
    """Split a line into what stands before its last word, the words before it, and the last word, empty after a space."""
    last = re.search(r"\S*$", line)
    word = last[0] if last is not None else ""
    before = line[: len(line) - len(word)]
    return before, before.split(), word


def words_of(argument: Argument, words: Words) -> Sequence[str]:
    """Return what an argument can be."""
    if argument.kind == "target":
        return [*words.get("symbol", ()), *words.get("source", ())]
    if argument.kind == "level":
        return LEVELS
    return FORMATS if argument.kind == "format" else words.get(argument.kind, ())


def suggest(line: str, words: Words) -> list[Suggestion]:
    """Return what the last word of a line may become, best first."""
    _, before, typed = split(line)
    if not before:
        if not typed:
            return [Suggestion(c.name, c.says) for c in COMMANDS]
        named = {alias: c for c in COMMANDS for alias in (c.name, *c.aliases)}
        found = dict.fromkeys(named[word].name for word in fitting(typed, list(named)))
        return [Suggestion(name, named[name].says) for name in found]
    command = find(before[0])
    if command is None or len(before) > len(command.arguments):
        return []
    argument = command.arguments[len(before) - 1]
    return [Suggestion(word, "") for word in fitting(typed, words_of(argument, words))]


def read(line: str) -> tuple[Command, list[str]]:
    """Read a whole line.

    Raises:
        ValueError: No such command, or an argument is missing or too many: the message says how it is typed.
    """
    parts = line.split()
    if not parts:
        raise ValueError("type a command; ? shows every key")
    command = find(parts[0])
    if command is None:
        near = fitting(parts[0], [c.name for c in COMMANDS])
        raise ValueError(f"no command {parts[0]}{': ' + ' or '.join(near[:3]) + '?' if near else '; Tab shows what there is'}")
    arguments, most = parts[1:], len(command.arguments)
    if len(arguments) < sum(not argument.optional for argument in command.arguments):
        raise ValueError(f"it is typed  {command.usage}")
    if len(arguments) > most:
        if not most:
            raise ValueError(f"{command.name} takes nothing after it")
        arguments = [*arguments[: most - 1], " ".join(arguments[most - 1 :])]
    return command, arguments
