"""Keep each source's account: what it gave, what failed, how reliable it is."""

from collections import deque
from dataclasses import dataclass, field

from gexdesk.model.level import Level

ERROR_WINDOW_S = 300.0
RATE_WINDOW_S = 60.0


@dataclass(slots=True)
class Account:
    """Count one source since the engine started.

    Attributes:
        configured_delay_s: Known delay of its quotes; None takes each payload's format's own.
        delay_s: The delay of its last payload.
        due_s: Expected interval between payloads; None where nobody knows.
        last_at: Receipt of its last payload.
        last_heard_at: Last request that succeeded, with or without a payload.
        decided: Level of its last decision.
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
    requests: int = 0
    successes: int = 0
    received: int = 0
    completed: int = 0
    dead: int = 0
    last_at: float | None = None
    last_heard_at: float | None = None
    last_error: str = ""
    last_refusal: str = ""
    refused_in_a_row: int = 0
    failing_since: float | None = None
    decided: Level | None = None
    ended: bool = False
    revision: int = 1
    seen_symbols: set[str] = field(default_factory=set)
    _errors: deque[float] = field(default_factory=deque)
    _arrivals: deque[float] = field(default_factory=deque)

    @property
    def assigned(self) -> bool:
        """Say whether the source has a standing level at all."""
        return self.standing != ""

    @property
    def reliability(self) -> float:
        """Return successful over total requests; 1 before the first."""
        return self.successes / self.requests if self.requests else 1.0

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

    def succeeded(self, at: float) -> None:
        """Note a request that worked."""
        self.requests += 1
        self.successes += 1
        self.last_heard_at = at
        self.last_error = ""
        self.failing_since = None

    def failed(self, at: float, reason: str) -> None:
        """Note a request that did not, with the reason."""
        self.requests += 1
        self.last_error = reason
        self._errors.append(at)
        if self.failing_since is None:
            self.failing_since = at

    def arrived(self, at: float) -> None:
        """Note an acknowledged payload."""
        self.received += 1
        self.last_at = at
        self._arrivals.append(at)

    def stored(self) -> None:
        """Note a payload that is completed."""
        self.completed += 1
        self.refused_in_a_row = 0

    def refused(self, at: float, reason: str) -> None:
        """Note a payload that ended in the dead letters, with the reason."""
        self.dead += 1
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
