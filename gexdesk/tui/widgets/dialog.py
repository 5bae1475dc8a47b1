"""The pane at the bottom that shows the open form."""

from collections.abc import Iterable

from gexdesk.tui.forms.base import Form
from gexdesk.tui.ink import Run
from gexdesk.tui.sight import Sight
from gexdesk.tui.widgets.pane import BLANK, Pane


class DialogPane(Pane):
    """Draw one form; it never dims, for it says why it refuses."""

    def __init__(self, id: str, sight: Sight) -> None:
        super().__init__(id, sight)
        self.form: Form | None = None

    def draw(self, y: int) -> Iterable[Run]:
        """Draw one line of the form."""
        return BLANK if self.form is None else self.form.draw(y, self.size.width)
