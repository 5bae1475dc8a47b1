"""Let four operators pull levers on one thing at the same moment, each on what all of them just saw, through the engine's socket.

One of them may act; the others are refused with 409 and told who changed it, and nobody's act is lost: each finds what the last one
did. ``run(full=True)`` has three thousand rounds over a source's level, a symbol's, the guidelines and an incident.
"""

import asyncio
import getpass
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from gexdesk.api.client import Client
from gexdesk.engine.engine import Engine
from gexdesk.guidelines.rules import DEFAULT_FILE
from gexdesk.model.errors import GexdeskError, LeverRefused
from gexdesk.model.level import LEVELS, Level
from gexdesk.model.lever import Lever, LeverOutcome, Verb
from tests.api.served_engine import served
from tests.engine.desk_setting import drop, gexbot_at, rows
from tests.until import until

OPERATORS = ("jm", "kd", "ls", "mt")
FULL_ROUNDS, SHORT_ROUNDS = 3_000, 40


class Outcome(NamedTuple):
    """Count what became of it.

    Attributes:
        acts: That were done, by lever; one a round is right.
        refused: Levers that were refused with who had changed the target.
        lost_updates: Rounds in which two acts were done on what both had seen, or in which an act did not find what the last one
            had left.
        stuck: Rounds in which nobody could act.
        untold: Refusals that do not name who was first.
        unlogged: Acts that were done and are not in the audit, or there and not done.
        lever_p50_ms: From four levers being sent to the last one's answer.
    """

    rounds: int
    acts: dict[str, int]
    refused: int
    lost_updates: int
    stuck: int
    untold: int
    unlogged: int
    lever_p50_ms: float

    @property
    def sound(self) -> bool:
        """Say whether one acted each time and all others knew."""
        wrong = self.lost_updates + self.stuck + self.untold + self.unlogged
        return not wrong and self.refused == (len(OPERATORS) - 1) * self.rounds and len(self.acts) == len(_THINGS)


class _Thing(NamedTuple):
    """Describe what they meet at: the lever that each of them pulls in a round."""

    name: str
    lever: Callable[[int, int], Lever]
    verb: Verb


def run(full: bool) -> Outcome:
    """Let them."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_meet(Path(folder), FULL_ROUNDS if full else SHORT_ROUNDS))


async def _meet(folder: Path, rounds: int) -> Outcome:
    async with served(folder) as (engine, _):
        drop(folder / "in", "one.json", gexbot_at(1.0, "SPX"))
        await until(lambda: engine.closing().completed == 1)
        hands = {name: Client(folder / "state", operator=name) for name in OPERATORS}
        await hands["jm"].pull(Lever(Verb.REPORT, "SPX", "", text="looks wrong"))
        seen = await _seen(engine)
        found, left, took = Counter[str](), dict[str, str](), list[float]()
        acts = Counter[str]()
        for number in range(rounds):
            thing = _THINGS[number % len(_THINGS)]
            turn = number // len(_THINGS)
            began = time.monotonic()
            answers = await asyncio.gather(
                *(_pull(hand, thing.lever(turn, at), seen[thing.name]) for at, hand in enumerate(hands.values()))
            )
            took.append(time.monotonic() - began)
            done = {name: answer for name, answer in zip(hands, answers, strict=True) if isinstance(answer, LeverOutcome)}
            acts[thing.name] += len(done)
            found["stuck"] += not done
            found["lost"] += len(done) > 1
            for first, outcome in done.items():
                # What is found is what the last act left: an act in between that nobody saw would stand there.
                found["lost"] += left.get(thing.name, first) not in outcome.before and thing.name in left
                left[thing.name], seen[thing.name] = first, outcome.revision
            refusals = [answer for answer in answers if isinstance(answer, GexdeskError)]
            found["refused"] += len([one for one in refusals if isinstance(one, LeverRefused)])
            told = [f"was changed by {name} " for name in _known(done)] + [" already"]  # whoever was first and asked for what stood
            found["untold"] += sum(not any(words in one.message for words in told) for one in refusals)
    audited = Counter({row["act"]: row["n"] for row in rows("SELECT act, count(*) AS n FROM audit GROUP BY 1", folder / "state")})
    by_verb = Counter[str]()
    for thing in _THINGS:
        by_verb[str(thing.verb)] += acts[thing.name]
    return Outcome(
        rounds, dict(acts), found["refused"], found["lost"], found["stuck"], found["untold"],
        sum(abs(audited[verb] - by_verb[verb]) for verb in by_verb), round(sorted(took)[len(took) // 2] * 1e3, 1),
    )  # fmt: skip


async def _pull(hand: Client, lever: Lever, seen: int) -> LeverOutcome | GexdeskError:
    try:
        return await hand.pull(Lever(lever.verb, lever.target, lever.reason, target_kind=lever.target_kind, level=lever.level,
                                     for_s=lever.for_s, text=lever.text, seen_revision=seen))  # fmt: skip
    except GexdeskError as refused:
        return refused


async def _seen(engine: Engine) -> dict[str, int]:
    """Return the revisions that a screen has."""
    await until(lambda: _shows_incident(engine))
    view = await engine.view()
    return {
        "source": view.sources[0].revision, "symbol": 1, "guidelines": view.guidelines_revision,
        "incident": next(one.revision for one in view.incidents if one.kind == "reported"),
    }  # fmt: skip


async def _shows_incident(engine: Engine) -> bool:
    return any(one.kind == "reported" for one in (await engine.view()).incidents)


def _known(done: dict[str, LeverOutcome]) -> list[str]:
    """Return as whom those who acted are known: their own word for themselves, and whose socket it is."""
    return [f"{name} as {getpass.getuser()}" for name in done]


def _level(turn: int, at: int) -> Level:
    """Return a level that differs from operator to operator, and from that which any of them set last."""
    return LEVELS[(at + turn) % len(LEVELS)]


def _rules(turn: int, at: int) -> str:
    return DEFAULT_FILE.read_text("utf-8").partition("[[guideline]]")[0] + (
        f'[[guideline]]\nname = "round-{turn}-{OPERATORS[at]}"\nlevel = "LOW"\nwhen = "data_age_s < 3600"\n'
    )


_THINGS = (
    _Thing("source", lambda turn, at: Lever(Verb.OVERRIDE, "drop", "a test", level=_level(turn, at), for_s=900.0), Verb.OVERRIDE),
    _Thing(
        "symbol",
        lambda turn, at: Lever(Verb.OVERRIDE, "SPX", "a test", target_kind="symbol", level=_level(turn, at), for_s=900.0),
        Verb.OVERRIDE,
    ),
    _Thing(
        "guidelines",
        lambda turn, at: Lever(Verb.APPLY, "", "a test", target_kind="guidelines", text=_rules(turn, at)),
        Verb.APPLY,
    ),
    _Thing("incident", lambda turn, at: Lever(Verb.TAKE, "1", "", target_kind="incident"), Verb.TAKE),
)
