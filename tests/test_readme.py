"""Hold the README to the program: its configuration loads, its verbs exist, its picture is there."""

import re
from pathlib import Path

import pytest

from gexdesk.cli.main import app
from gexdesk.settings.load import load_settings

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


def test_every_configuration_in_the_readme_loads(tmp_path: Path) -> None:
    texts = blocks("toml")
    assert texts
    for text in texts:
        path = tmp_path / "gexdesk.toml"
        path.write_text(text, encoding="utf-8")
        assert len(load_settings(path).sources) == 3


def test_every_verb_in_the_readme_exists() -> None:
    named = set(re.findall(r"gexdesk ([a-z]+)(?=[ `])", " ".join(blocks("sh")) + README))
    named -= {"python"}
    verbs = {name for name in app if not name.startswith("-")}
    assert named
    assert named <= verbs, f"the README names verbs that are not there: {sorted(named - verbs)}"


@pytest.mark.parametrize("name", re.findall(r"\]\(([^)#:]+)\)", README))
def test_every_link_to_a_file_leads_somewhere(name: str) -> None:
    assert (ROOT / name).is_file()
