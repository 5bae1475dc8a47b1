"""What a dialog needs of the screen it stands on."""

from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from textual.worker import Worker

from gexdesk.tui.forms.base import Form, Step


class Stage(Protocol):
    """Show one form at a time and run what it starts."""

    def open(self, form: Form, step: Callable[[Step], None]) -> None:
        """Show a form; ``step`` is told what its keys ask for. Esc closes it."""
        ...

    def close(self) -> None:
        """Put the form away."""
        ...

    def acted(self) -> None:
        """Take back the marks of rows once a lever was pulled on them."""
        ...

    def redraw(self, form: Form) -> None:
        """Draw a form anew if it is still the one that is shown."""
        ...

    def shows(self, form: Form) -> bool:
        """Tell whether it is the form that is shown."""
        ...

    def work(self, job: Coroutine[Any, Any, None], group: str) -> Worker[None]:
        """Run a job beside the screen; an error of its own never ends the desk."""
        ...
