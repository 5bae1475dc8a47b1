"""How the door refuses, beside what the engine refuses with. Screens load this: nothing heavy is imported."""

from gexdesk.model.errors import GexdeskError


class BadRequest(GexdeskError):
    """Refuse a request that is not what the contract says: 400."""


class NoKey(GexdeskError):
    """Refuse a caller who showed no key in force: 401."""


class NotAllowed(GexdeskError):
    """Refuse a caller whose key does not cover what was asked: 403."""


class Busy(GexdeskError):
    """Refuse a caller because too many others are being answered: 503."""


class TooMany(GexdeskError):
    """Refuse a caller who is over the rate: 429, with ``retry_after_s``."""
