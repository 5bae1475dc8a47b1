"""What every screen shares: the sight of the engine, the way to it, and who sits here."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from gexdesk.desk import Desk
from gexdesk.tui.at_engine import AtEngine
from gexdesk.tui.sight import Sight


def config_folder() -> Path:
    """Return the folder of the operator's own keys, themes and views."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "gexdesk"


@dataclass(frozen=True)
class House:
    """Hold what a screen is given.

    Attributes:
        sight: The newest picture, how old it is, and whether it is frozen.
        desk: Gives the engine; None while none answers.
        sample: Whether this is the sample desk; said on every screen.
        operator: Who sits here, as the engine will know them.
        keymap: Keys that were moved, by the name of what they do.
        config: Folder of the operator's own keys, themes and views.
        remote: The engine answers from another host: its files are not here.
        engine: Whose questions and levers these are, of the engines of a fleet; empty is the one that answers.
        here: Gives the engine that answers, where ``engine`` is another one.
    """

    sight: Sight
    desk: Callable[[], Desk | None]
    sample: bool
    operator: str
    keymap: Mapping[str, str] = field(default_factory=dict)
    config: Path = field(default_factory=config_folder)
    remote: bool = False
    engine: str = ""
    here: Callable[[], Desk | None] | None = None

    def at(self, engine: str) -> "House":
        """Return the house for pages about another engine; with an empty name that of the one that answers."""
        here = self.here or self.desk

        def there() -> Desk | None:
            desk = here()
            return AtEngine(desk, engine) if desk is not None else None

        return replace(self, desk=there if engine else here, here=here, engine=engine)
