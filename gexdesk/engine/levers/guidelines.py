"""Change the guidelines: apply a text, apply what is staged, roll back."""

import asyncio

from gexdesk.engine.levers.record import Record
from gexdesk.engine.rulebook import TARGET, Rulebook
from gexdesk.guidelines.reload import Staged
from gexdesk.model.errors import LeverRefused
from gexdesk.model.lever import Lever, LeverOutcome, Verb
from gexdesk.model.text import printable

HANDED_IN = "the text handed in"


class GuidelineLevers:
    """Put another set in force; ``Lever.text`` hands one in, without it what is staged is meant."""

    verbs = frozenset({Verb.APPLY, Verb.ROLLBACK})

    def __init__(self, rulebook: Rulebook, record: Record) -> None:
        self._rulebook = rulebook
        self._record = record

    async def pull(self, lever: Lever) -> LeverOutcome:
        """Do it, or say what it would do; errors as in ``Family.pull``, and GuidelineError for a text that cannot be used."""
        if lever.target_kind != TARGET:
            raise LeverRefused(f"{lever.verb} acts on the guidelines, not on a {printable(lever.target_kind, 20)}")
        self._record.unchanged(lever, TARGET, self._rulebook.revision)
        staged = await self._meant(lever)
        guidelines = self._rulebook.guidelines
        before = f"{guidelines.current.version} by {guidelines.version.author}"
        if lever.dry_run:
            self._rulebook.check_lock(lever)
            found = await self._rulebook.trial.run(staged)
            helps = found.words if found is not None else "nothing was decided yet that it could be tried on"
            return LeverOutcome(False, "nothing sent", before, staged.rules.version, 0, self._rulebook.revision, helps)
        if lever.verb is Verb.APPLY:
            version = await self._rulebook.put_in_force(staged, lever)
        else:
            version = await self._rulebook.roll_back(lever)
        words = f"{lever.actor} {lever.verb} guidelines: {before} -> {version.version} ({lever.reason})"
        return LeverOutcome(True, words, before, version.version, 0, self._rulebook.revision)

    async def inverse(self, _lever: Lever) -> Lever | None:
        """Return the lever that puts back what is in force now."""
        return Lever(Verb.ROLLBACK, "", "", target_kind=TARGET, to=self._rulebook.rules.version)

    async def _meant(self, lever: Lever) -> Staged:
        guidelines = self._rulebook.guidelines
        if lever.verb is Verb.ROLLBACK:
            text = await asyncio.to_thread(guidelines.text_of, lever.to)
            meant = await asyncio.to_thread(guidelines.prepare, text, lever.actor, lever.to)
        elif lever.text:
            meant = await asyncio.to_thread(guidelines.prepare, lever.text, lever.actor, HANDED_IN)
        else:
            if guidelines.staged is None:
                fault = guidelines.fault
                why = f"the file has a fault: {fault.message}" if fault is not None else "hand in a text, or save the rule file"
                raise LeverRefused(f"nothing is staged; {why}")
            meant = guidelines.staged
        if not meant.diff:
            raise LeverRefused(f"{meant.rules.version} is in force already, to the letter")
        return meant
