"""Keep count of what was offered: every document by its digest, so that the engine's record can be held against it."""

import hashlib

from msgspec import Struct

from gexdesk.certify.load import Feed, Turn


class Offer(Struct, frozen=True):
    """Hold one document that an engine could have taken.

    Attributes:
        at: When it was there to be taken, UTC seconds.
        size_bytes: Of the body.
    """

    at: float
    feed: Feed
    number: int
    turn: Turn
    size_bytes: int


class Offered:
    """Count the documents offered so far.

    Attributes:
        by_digest: sha256 in hex to its first offer; what a replay plays again in its next round is the same document.
        by_feed: Offers of each feed.
        documents: All offers, repeats and rounds of replays included.
        again: Those of ``documents`` that were the one before of their source once more.
        failures: Answers without a document, 503s and those that broke off.
        behind_s: The longest that a document was offered after it was due, because this process could not keep up.
    """

    def __init__(self) -> None:
        self.by_digest: dict[str, Offer] = {}
        self.by_feed: dict[str, int] = {}
        self.documents = 0
        self.again = 0
        self.failures = 0
        self.behind_s = 0.0

    def add(self, feed: Feed, number: int, body: bytes, at: float) -> None:
        """Count a document that can be taken from ``at`` on."""
        self.documents += 1
        self.by_feed[feed.name] = self.by_feed.get(feed.name, 0) + 1
        self.again += not self.know(feed, number, body, at)

    def know(self, feed: Feed, number: int, body: bytes, at: float) -> bool:
        """Know a document by its digest without counting it; says whether it is new."""
        digest = hashlib.sha256(body).hexdigest()
        if digest in self.by_digest:
            return False
        self.by_digest[digest] = Offer(at, feed, number, feed.turn(number), len(body))
        return True
