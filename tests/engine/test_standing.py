"""What operators set is kept whole, by however many threads it comes."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gexdesk.engine.standing import Pause, Standing
from gexdesk.model.decision import Bound, Override
from gexdesk.model.level import Level
from gexdesk.stores.durable import write_durably


def test_what_is_set_here_and_what_comes_from_elsewhere_at_once_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def slowly(path: Path, body: bytes) -> None:
        time.sleep(0.05)
        write_durably(path, body)

    monkeypatch.setattr("gexdesk.engine.standing.write_durably", slowly)
    standing = Standing(tmp_path / "standing.json")
    override = Override(Level.HIGH, "jm", "an event", since=1.0, until=None, bound=Bound.EXACTLY)
    pause = Pause("kl", "an incident", 1.0)
    with ThreadPoolExecutor(3) as threads:
        acts = [
            threads.submit(standing.set_override, "spx", override),
            threads.submit(standing.take, "pause", "rut", pause),
            threads.submit(standing.take, "stopped", "", pause),
        ]
        for act in acts:
            act.result(5.0)
    again = Standing(tmp_path / "standing.json")
    again.open()
    for one in (standing, again):
        assert (one.own("spx"), one.pause_of("rut"), one.stopped) == (override, pause, pause)
