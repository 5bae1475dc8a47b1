"""A feed that invents symbols is refused beyond a bound; what it brought before goes on, and nobody else notices."""

from pathlib import Path

import pytest
from clocked_desk import clocked, fed
from desk_setting import as_lines, parts_of
from msgspec.structs import replace
from pool_samples import task_for

from gexdesk.engine import triage as triage_module
from gexdesk.engine.pool_child import answer
from gexdesk.engine.tasks import LIVE_SYMBOLS, Refused, Triaged
from tests.moments.market import NDX, SPX, SPY, Ticker

NAMES = "".join(map(chr, range(65, 91)))


def invented(count: int) -> bytes:
    names = [f"Q{NAMES[n // 676]}{NAMES[n // 26 % 26]}{NAMES[n % 26]}" for n in range(count)]
    return as_lines([Ticker(name, 100.0, 1.0).gexbot(1_772_463_600.0) for name in names])


def test_one_file_of_too_many_symbols_is_refused_where_it_is_decoded_unless_it_is_history(tmp_path: Path) -> None:
    live = replace(task_for(tmp_path / "body", invented(LIVE_SYMBOLS + 1)), received_at=1_772_463_601.0)
    refused = answer(live)
    assert isinstance(refused, Refused)
    assert (refused.kind, refused.final) == ("oversize_payload", True)
    assert refused.message.startswith("it holds 2,001 distinct symbols; a source may bring 2,000 live")
    history = answer(replace(live, received_at=None))
    assert isinstance(history, Triaged)
    assert len(history.heads) == LIVE_SYMBOLS + 1


async def test_symbols_that_come_one_by_one_are_bounded_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triage_module, "LIVE_SYMBOLS", 2)
    async with clocked(tmp_path / "state", sources=[fed("feed", "SPX", 10.0), fed("other", "NDX", 10.0)]) as desk:
        parts, at = parts_of(desk.engine), desk.clock.now()
        await desk.send(("feed", SPX.gexbot(at)), ("feed", SPY.gexbot(at)))
        await desk.send(("feed", NDX.gexbot(at)))
        assert parts.endings.dead == 1
        reason = parts.ledger["feed"].last_refusal
        assert reason == "feed has brought 2 symbols live, and 2 are the most: NDX is refused until the engine starts anew"
        await desk.until(at + 10.0)
        await desk.send(("feed", SPX.gexbot(at + 10.0)), ("other", NDX.gexbot(at + 10.0)))
        assert parts.endings.dead == 1
        assert (desk.live("SPX").received_at, desk.live("NDX").source) == (at + 10.0, "other")
