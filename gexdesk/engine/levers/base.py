"""What a family of levers owes: its verbs, and what is done for them."""

from typing import Protocol

from gexdesk.model.lever import Lever, LeverOutcome, Verb


class Family(Protocol):
    """Do what the levers of one kind ask.

    ``Levers`` calls one at a time, with a reason where the verb needs one and the lever is no dry run.
    """

    verbs: frozenset[Verb]

    async def pull(self, lever: Lever) -> LeverOutcome:
        """Do it, or say what it would do.

        Raises:
            LeverRefused: It cannot be done now, or the target changed since the operator looked; nothing was changed.
            UnknownTarget: There is no such target.
        """
        ...
