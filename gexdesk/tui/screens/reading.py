"""A page of a table and of lines about its row: Tab says which of the two the cursor keys move."""

from gexdesk.tui.keys import Key
from gexdesk.tui.screens.page import Page
from gexdesk.tui.widgets.lines import LinesPane

CROSS = Key("tab", "cross", "Tab", "", "the cursor keys scroll the text, or move in the table again")


class ReadingPage(Page):
    """Be a page with ``lines`` to scroll; without a table they are all there is to move."""

    lines: LinesPane
    reading = False

    def action_cross(self) -> None:
        """Let the cursor keys move the lines, or the table."""
        if self.table is None:
            return
        self.reading = not self.reading
        words = "the cursor keys scroll the text; Tab goes back to the rows" if self.reading else "the cursor keys move in the rows"
        self.notice.say(words)

    def action_move(self, by: int) -> None:
        """Move the cursor, or the lines."""
        if self.reading or self.table is None:
            self.lines.scroll(by)
        else:
            self.lines.first = 0
            super().action_move(by)
