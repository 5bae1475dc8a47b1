"""Hear each source of each symbol: when its snapshots come and whether their numbers live."""

from dataclasses import dataclass

from gexdesk.engine.ledger import Account
from gexdesk.engine.standing import Standing
from gexdesk.engine.symbols import Symbols
from gexdesk.gates.pulse import LEARNED_FROM, Beat, Pulse, interval_s, learned, living_until, pulse


@dataclass(slots=True)
class _Heard:
    gaps: tuple[float, ...] = ()
    last_at: float | None = None
    changed_at: float | None = None
    inputs: int | None = None
    same: int = 0
    as_of: float | None = None


class Beats:
    """Judge whether a source of a symbol is alive, by what was received of it and by its market's hours."""

    def __init__(self, symbols: Symbols, standing: Standing) -> None:
        self._symbols = symbols
        self._standing = standing
        self._heard: dict[tuple[str, str], _Heard] = {}

    def heard(self, source: str, symbol: str, at: float, as_of: float, inputs: int | None) -> None:
        """Note a snapshot in order of receipt, whatever the checks say of it; one with an older stamp has no news."""
        heard = self._heard.setdefault((source, symbol), _Heard())
        if heard.last_at is not None and at > heard.last_at:
            heard.gaps = learned(heard.gaps, at - heard.last_at)
        heard.last_at = at
        if heard.as_of is not None and as_of < heard.as_of:
            return
        heard.as_of = as_of
        if inputs is not None and inputs == heard.inputs:
            heard.same += 1
        else:
            heard.inputs, heard.same, heard.changed_at = inputs, 1, at

    def beat(self, account: Account, symbol: str) -> Beat:
        """Return what is known of one source of a symbol."""
        heard = self._heard.get((account.name, symbol), _Heard())
        several = len(account.symbols) > 1 or len(account.seen_symbols) > 1
        # A source of several symbols tells when it comes; how often each of them does is learned.
        due_s = None if several and len(heard.gaps) < LEARNED_FROM else account.due_s
        return Beat(
            due_s=due_s, gaps=heard.gaps, last_at=heard.last_at, changed_at=heard.changed_at,
            same=heard.same if heard.inputs is not None else 0, heard_at=account.last_heard_at,
        )  # fmt: skip

    def interval_s(self, account: Account, symbol: str) -> float | None:
        """Return how far apart a source's snapshots of a symbol are expected; None where nobody knows."""
        return interval_s(self.beat(account, symbol))

    def state(self, account: Account, symbol: str, now: float) -> tuple[str, str]:
        """Return a word, those of ``FeedOfSymbol.state`` but ``QUARANTINE``, and one line why."""
        if account.data_type == "historical":
            return "history", ""
        pause = self._standing.pause_of(account.name) or self._standing.stopped
        if pause is not None:
            return "paused", f"{account.name} is paused by {pause.author}: {pause.reason}"
        if account.runs_on:
            return "elsewhere", f"{account.name} is run by {account.runs_on}"
        if account.ended:
            return "ended", f"{account.name} has given everything"
        found, text = pulse(self.beat(account, symbol), now, self.open_since(account, symbol, now))
        named = f"{account.name} {text}" if text else ""
        return ("closed" if found is Pulse.CLOSED else str(found)), named

    def open_since(self, account: Account, symbol: str, now: float) -> float | None:
        """Return since when it could be heard without a break while its market was open; None while that is closed."""
        since = self._symbols.on_since(symbol, account, now)
        return since if since is None or account.listening_since is None else max(since, account.listening_since)

    def living_until(self, account: Account, symbol: str, now: float) -> float | None:
        """Return until when it gave what was new, never before it could be heard; None while its market is closed."""
        beat, since = self.beat(account, symbol), self.open_since(account, symbol, now)
        return None if since is None else living_until(pulse(beat, now, since)[0], beat, since)
