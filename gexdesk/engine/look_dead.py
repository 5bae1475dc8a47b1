"""Look at the dead letters that nobody settled."""

from gexdesk.engine.keep import Keeper
from gexdesk.model.look.source import DeadLook, DeadSeen, DeadView
from gexdesk.stores.base import DeadLetter
from gexdesk.stores.spool import Spool

LIMIT = 1_000


class DeadLooks:
    """Answer ``DeadLook``."""

    def __init__(self, keeper: Keeper, spool: Spool) -> None:
        self._keeper = keeper
        self._spool = spool

    async def dead(self, question: DeadLook) -> DeadSeen:
        """Return dead letters, the newest first. Raises StoreError."""
        limit = min(max(question.limit, 1), LIMIT)
        letters = await self._keeper.reading(lambda metadata: metadata.dead(limit + 1, question.source, question.job_id))
        return DeadSeen(tuple(map(self._view, letters[:limit])), more=len(letters) > limit)

    def _view(self, letter: DeadLetter) -> DeadView:
        return DeadView(
            job_id=letter.job_id,
            source=letter.source,
            payload_name=letter.payload_name,
            payload_sha256=letter.payload_sha256,
            size_bytes=letter.size_bytes,
            received_at=letter.received_at,
            buried_at=letter.buried_at,
            stage=letter.stage,
            kind=letter.kind,
            reason=letter.reason,
            attempts=letter.attempts,
            bytes_kept=self._spool.pins(letter.job_id),
        )
