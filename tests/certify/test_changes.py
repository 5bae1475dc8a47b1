"""A refusal of invalid guidelines holds where it names the line at fault, and nothing less."""

import pytest

from gexdesk.certify.changes import Changes
from gexdesk.model.errors import GuidelineError
from gexdesk.model.lever import Lever, LeverOutcome


class Refusing:
    """Be an engine's client that refuses every text with the same words."""

    guidelines_version = "v1"

    def __init__(self, words: str) -> None:
        self._words = words

    async def view(self) -> "Refusing":
        return self

    async def pull(self, lever: Lever) -> LeverOutcome:
        raise GuidelineError(self._words)


@pytest.mark.parametrize(
    ("words", "held"),
    [
        ("guidelines.toml, line 5: guideline certify-broken: > what?", True),
        ("guidelines.toml, line 50: another fault", False),
        ("5 faults were found", False),
        ("guidelines.toml, line 1: of 15 guidelines one", False),
    ],
)
async def test_a_refusal_has_to_name_the_line(words: str, held: bool) -> None:
    changes = Changes(Refusing(words), ("SPX",))  # type: ignore[arg-type]
    await changes._refused("")
    assert [change.held for change in changes.made] == [held]
