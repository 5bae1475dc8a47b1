"""Keep each source's account: what it gave, what failed, how reliable it is."""

from collections import deque
from dataclasses import dataclass, field

from gexdesk.engine.reliability import Reliability
from gexdesk.model.level import Level
from gexdesk.model.market import Hours, open_since

ERROR_WINDOW_S = 300.0
RATE_WINDOW_S = 60.0
RESPONSE_WEIGHT = 0.2
STORE_REFUSES_S = 10.0
"""Longer than a source waits before it hands over again."""
"""Of the newest request in the moving average of response times."""


@dataclass(slots=True)
class Account:
    """Count one source since the engine started.

    Attributes:
        configured_delay_s: Known delay of its quotes; None takes each payload's format's own.
        delay_s: The delay of its last payload.
        due_s: Expected interval between payloads while ``hours`` are on; None where nobody knows.
        hours: When it has something to say; outside of them its silence means nothing.
        repeats: Payloads of ``received`` that were the one before, byte for byte: acknowledged, and no job.
        reorders: Snapshots older than one of the same symbol that came before them, and messages out of the sender's own order.
        missed, last_missed: Messages that never came by the sender's own count, and where the last of them were missing.
        breaker, probe_at: State of its breaker, and UTC seconds of the next probe while it is open.
        response_s: Exponential moving average of what a successful request takes; None before the first.
        last_at: Receipt of its last payload.
        last_heard_at: Last request that succeeded, with or without a payload; a heartbeat is none.
        connected: It pushes, and a connection to it stood.
        listening_since: Since when it could have been heard without a break; None before it first ran.
        decided: Level of its last decision.
        vendor: Who runs it; empty where nobody else fails with it.
        base_url: Where it gets its data, without key and query.
        runs_on: Another engine of the fleet, which fetches from it now; empty where that is this one, or nobody.
        failing_since: First failure after the last success; None while it is well.
    """

    name: str
    kind: str
    symbols: tuple[str, ...]
    format: str
    standing: str
    configured_delay_s: float | None
    due_s: float | None
    data_type: str
    assumed: tuple[float, float] | None = None
    delay_s: float = 0.0
    hours: Hours = "always"
    received: int = 0
    completed: int = 0
    dead: int = 0
    repeats: int = 0
    reorders: int = 0
    missed: int = 0
    last_missed: str = ""
    breaker: str = "closed"
    probe_at: float | None = None
    response_s: float | None = None
    listening_since: float | None = None
    connected: bool = False
    last_at: float | None = None
    last_heard_at: float | None = None
    last_error: str = ""
    last_refusal: str = ""
    unkept: int = 0
    refused_in_a_row: int = 0
    failing_since: float | None = None
    store_refused_at: float | None = None
    store_refusal: str = ""
    decided: Level | None = None
    ended: bool = False
    revision: int = 1
    base_url: str = ""
    vendor: str = ""
    runs_on: str = ""
    seen_symbols: set[str] = field(default_factory=set)
    tries: Reliability = field(default_factory=Reliability)
    _newest: dict[str, float] = field(default_factory=dict)
    _errors: deque[float] = field(default_factory=deque)
    _arrivals: deque[float] = field(default_factory=deque)

    @property
    def assigned(self) -> bool:
        """Say whether the source has a standing level at all."""
        return self.standing != ""

    @property
    def reliability(self) -> float:
        """Return successful over total requests of its lifetime; 1 before the first."""
        return self.tries.lifetime

    @property
    def requests(self) -> int:
        """Return the requests since the engine started."""
        return self.tries.requests

    @property
    def successes(self) -> int:
        """Return the successful ones among ``requests``."""
        return self.tries.successes

    @property
    def answered(self) -> bool:
        """Say whether its server answered at all."""
        return self.connected or self.requests > 0

    @property
    def carries(self) -> str:
        """Name what it carries, in words short enough for a column."""
        symbols = self.symbols or tuple(sorted(self.seen_symbols))
        if len(symbols) <= 3:
            return " ".join(symbols)
        return f"{symbols[0]} {symbols[1]} +{len(symbols) - 2}"

    def delay_of(self, format_delay_s: float) -> float:
        """Return the delay of quotes that came in a format with a known delay of its own."""
        return format_delay_s if self.configured_delay_s is None else self.configured_delay_s

    def quiet_s(self, now: float) -> float | None:
        """Return for how long nothing was heard that could have been; None while its hours are not on, or it does not run."""
        opened_at = open_since(now, self.hours)
        if opened_at is None or self.listening_since is None:
            return None
        return now - max(opened_at, self.listening_since, self.last_heard_at or 0.0)

    def succeeded(self, at: float, elapsed_s: float) -> None:
        """Note a request that worked, and how long it took."""
        self.tries.add(at, worked=True)
        if self.response_s is None:
            self.response_s = elapsed_s
        else:
            self.response_s += RESPONSE_WEIGHT * (elapsed_s - self.response_s)
        self.last_heard_at = at
        self.last_error = ""
        self.failing_since = None

    def store_refused(self, at: float, why: str) -> None:
        """Note that what the source brought could not be kept here: no fault of its own."""
        self.store_refused_at, self.store_refusal = at, why

    def store_refuses(self, now: float) -> bool:
        """Say whether that is so at present: it hands over again every few seconds."""
        return self.store_refused_at is not None and now - self.store_refused_at < STORE_REFUSES_S

    def failed(self, at: float, reason: str) -> None:
        """Note a request that did not, with the reason."""
        if not self.store_refuses(at):
            self.tries.add(at, worked=False)
        self.last_error = reason
        self._errors.append(at)
        if self.failing_since is None:
            self.failing_since = at

    def arrived(self, at: float) -> None:
        """Note an acknowledged payload."""
        self.received += 1
        self.store_refused_at = None
        self.last_at = at
        self._arrivals.append(at)

    def repeated(self, at: float) -> None:
        """Note an acknowledged payload that was the one before again."""
        self.arrived(at)
        self.repeats += 1

    def missed_some(self, count: int, words: str) -> None:
        """Note messages that never came."""
        self.missed += count
        self.last_missed = words

    def stamped(self, symbol: str, as_of: float) -> None:
        """Note the stamp of a snapshot in order of arrival; one that is older than the newest of its symbol is a reorder."""
        newest = self._newest.get(symbol)
        if newest is not None and as_of < newest:
            self.reorders += 1
        else:
            self._newest[symbol] = as_of

    def stored(self) -> None:
        """Note a payload that is completed."""
        self.completed += 1
        self.refused_in_a_row = 0

    def refused(self, at: float, reason: str, job_id: str = "") -> None:
        """Note a payload that ended in the dead letters, with the reason; one that never became a job has no id."""
        self.dead += 1
        self.unkept += not job_id
        self.refused_in_a_row += 1
        self.last_refusal = reason
        self._errors.append(at)

    def errors_5m(self, now: float) -> int:
        """Return failed requests and refused payloads of the last five minutes."""
        return _recent(self._errors, now - ERROR_WINDOW_S)

    def rate_per_min(self, now: float) -> int:
        """Return payloads of the last minute."""
        return _recent(self._arrivals, now - RATE_WINDOW_S)


def _recent(times: deque[float], since: float) -> int:
    while times and times[0] < since:
        times.popleft()
    return len(times)


class Ledger:
    """Hold the account of every configured source, in the order of the configuration."""

    def __init__(self, accounts: list[Account]) -> None:
        self._accounts = {account.name: account for account in accounts}

    def __getitem__(self, source: str) -> Account:
        return self._accounts[source]

    def __contains__(self, source: object) -> bool:
        return source in self._accounts

    def all(self) -> list[Account]:
        """Return every account, in a fixed order."""
        return list(self._accounts.values())

    def adopt(self, source: str) -> Account:
        """Return the account of a source, opening one for a name that only an earlier configuration knew."""
        if source not in self._accounts:
            self._accounts[source] = Account(
                name=source, kind="former", symbols=(), format="", standing="auto", configured_delay_s=None, due_s=None,
                data_type="historical", ended=True,
            )  # fmt: skip
        return self._accounts[source]
