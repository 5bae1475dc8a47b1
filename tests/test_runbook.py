"""The runbook tells every kind of incident, in keys, verbs and a question that are there."""

import re
import shlex
from collections.abc import Iterable
from pathlib import Path

import pytest

from gexdesk.cli.main import app
from gexdesk.engine.incidents.kind import Kind
from gexdesk.engine.incidents.looks import runbook
from gexdesk.model.level import Level
from gexdesk.model.lever import Verb
from gexdesk.tui.keys import KEYS, PAGE_KEYS, Key
from gexdesk.tui.screens.dead import DeadPage
from gexdesk.tui.screens.incidents import IncidentsPage
from tests.cli.program import VERBS
from tests.engine.desk_setting import drop, engine_on, folder_source, gexbot_at, pull, rows, settings_of
from tests.until import until

TEXT = (Path(__file__).resolve().parent.parent / "gexdesk" / "runbook.md").read_text(encoding="utf-8")
WATCH = Path(__file__).resolve().parent.parent / "gexdesk" / "engine" / "watch"


def test_every_kind_has_a_section_and_every_section_a_kind() -> None:
    assert list(runbook()) == re.findall(r"^## (.+)$", TEXT, flags=re.MULTILINE)
    assert set(runbook()) == set(Kind)
    assert len(runbook()) == len(re.findall(r"^## ", TEXT, flags=re.MULTILINE))


@pytest.mark.parametrize("kind", Kind)
def test_a_section_says_what_it_means_what_to_check_and_what_to_press(kind: Kind) -> None:
    section = runbook()[kind]
    assert re.findall(r"\*\*(\w+)\.\*\*", section) == ["Means", "Check", "Press"]


def test_keys_and_verbs_in_it_are_there() -> None:
    words = [word for entry in (*KEYS, *DeadPage.KEYS) for word in entry.shown.replace("-", " - ").split()]
    shown = {word for word in words if len(word) == 1} | {"+", "-"}
    keys = set(re.findall(r"`([^`\s])`", TEXT))
    assert {"P", "K", "-"} <= keys
    assert keys <= shown, f"no such keys: {sorted(keys - shown)}"
    named = re.findall(r"gexdesk ((?:[a-z]+ )?[a-z]+)", TEXT)
    verbs = {" ".join(words) for words in VERBS}
    first = {name for name in app if not name.startswith("-")}
    assert named
    for words in named:
        assert words in verbs or words.split()[0] in verbs & first, f"no such verb: {words}"


def keys_of(keys: Iterable[Key]) -> set[str]:
    return {name for key in keys for name in (*key.shown.split(), key.shown)}


def test_advice_names_keys_that_are_there_on_the_desk_and_on_the_page_of_incidents() -> None:
    advice = [text for path in WATCH.glob("*.py") for text in re.findall(r'"([^"\n]*)"', path.read_text(encoding="utf-8"))]
    verbs = "shows|compare|serves|pauses|fails|starts|sets|demotes"
    named = {key for text in advice for key in re.findall(rf"(?:^|[;,] |or )([A-Za-z-]|Enter) (?:{verbs})", text)}
    assert {"Enter", "F", "K", "O", "P", "d", "-"} <= named
    assert named - {"p"} <= keys_of(KEYS), "a payload is looked at from the page: i opens it"
    assert named <= keys_of((*IncidentsPage.KEYS, *PAGE_KEYS))


def test_keys_to_press_act_on_the_row_of_an_incident_too() -> None:
    pressed = set(re.findall(r"`([^`\s])`", " ".join(re.findall(r"\*\*Press\.\*\*([^#]*)", TEXT))))
    assert {"P", "R", "F", "K", "d", "-", "+"} <= pressed
    assert pressed <= keys_of((*IncidentsPage.KEYS, *PAGE_KEYS))


async def test_a_stored_strike_leads_back_to_payload_source_rule_version_and_operator(tmp_path: Path) -> None:
    [question] = re.findall(r"```sh\ngexdesk query (.+)\n```", TEXT)
    [sql] = shlex.split(question)
    settings = settings_of(
        tmp_path / "state", folder_source("drop", tmp_path / "drop", assume={"volume": 600_000, "open_interest": 1_400_000})
    )
    async with engine_on(settings) as engine:
        drop(tmp_path / "drop", "first.json", gexbot_at(1.0))
        await until(lambda: engine.closing().completed == 1)
        await pull(engine, Verb.OVERRIDE, "drop", "CPI", level=Level.CRITICAL)
        drop(tmp_path / "drop", "second.json", gexbot_at(0.5))
        await until(lambda: engine.closing().completed == 2)
        version = (await engine.view()).guidelines_version
    found = rows(sql, tmp_path / "state")
    assert [(row["payload_name"], row["strike"]) for row in found] == [
        ("second.json", 5990.0), ("second.json", 6010.0), ("first.json", 5990.0), ("first.json", 6010.0),
    ]  # fmt: skip
    late, early = found[0], found[2]
    assert (late["source"], late["level"], late["winner"], late["override_author"], late["override_reason"]) == (
        "drop", "CRITICAL", "override", "jm", "CPI",
    )  # fmt: skip
    assert (early["level"], early["winner"], early["override_author"]) == ("HIGH", "high-realtime", None)
    assert {row["guidelines_version"] for row in found} == {version}
    assert len({row["payload_sha256"] for row in found}) == 2
