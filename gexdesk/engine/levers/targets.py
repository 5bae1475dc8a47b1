"""Find what a lever is aimed at."""

from gexdesk.engine.ledger import Account, Ledger
from gexdesk.engine.levers.record import Record
from gexdesk.model.errors import LeverRefused, UnknownTarget
from gexdesk.model.lever import Lever
from gexdesk.model.text import printable


def source_of(lever: Lever, ledger: Ledger, record: Record) -> Account:
    """Return the account of the source a lever names, as its operator saw it.

    Raises:
        LeverRefused: The lever is not for a source, or the source was changed since.
        UnknownTarget: No source has that name.
    """
    if lever.target_kind != "source":
        raise LeverRefused(f"{lever.verb} acts on sources, not on a {printable(lever.target_kind, 20)}")
    if lever.target not in ledger:
        known = ", ".join(account.name for account in ledger.all()[:8])
        raise UnknownTarget(f"no source is named {printable(lever.target, 40)!r}; there are {known}")
    account = ledger[lever.target]
    record.unchanged(lever, account.name, account.revision)
    return account
