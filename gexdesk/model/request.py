"""What another program asks the desk to fetch, and how that stands: the words of the HTTP contract."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from gexdesk.model.level import Level


class DataType(StrEnum):
    """Name what kind of data is asked for."""

    HISTORICAL = "historical"
    REAL_TIME = "real_time"
    SNAPSHOT = "snapshot"


class DataQuality(StrEnum):
    """Say what the requester expects of the data."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class PriorityHint(StrEnum):
    """Ask for a priority; it moves the score inside its level's band and never the level."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    CRITICAL = "critical"


RECORDS_MOST = 1_000_000_000


class RequestMetadata(Struct, frozen=True, forbid_unknown_fields=True):
    """Say more about what is asked for; None where nothing is said.

    Attributes:
        expected_records: 1 to a billion.
    """

    expected_records: Annotated[int, Meta(ge=1, le=RECORDS_MOST)] | None = None
    data_quality: DataQuality | None = None
    priority_hint: PriorityHint | None = None


class Submission(Struct, frozen=True, forbid_unknown_fields=True):
    """Ask for one document.

    Attributes:
        source_url: Under the base of a configured source, or HTTPS to an allowed host.
        market_symbol: 1 to 10 characters.
    """

    source_url: str
    data_type: DataType
    market_symbol: Annotated[str, Meta(min_length=1, max_length=10)]
    metadata: RequestMetadata = RequestMetadata()


class Accepted(Struct, frozen=True):
    """Answer a submission: it is durable from here on.

    Attributes:
        priority_level: Its level until the data is there and the guidelines decide.
        estimated_processing_time: ISO 8601 duration, e.g. ``PT1.5S``.
        queue_position: 1 is next.
    """

    request_id: str
    priority_level: Level
    estimated_processing_time: str
    queue_position: int


class RequestStatus(StrEnum):
    """Name where a request stands."""

    QUEUED = "QUEUED"
    PROCESSING = "PROCESSING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


class RequestStands(Struct, frozen=True):
    """Show one request. Times are ISO 8601, UTC; None where it did not get there.

    Attributes:
        progress_percentage: 0 queued, 25 fetched, 50 being processed, 100 ended.
    """

    request_id: str
    status: RequestStatus
    priority_level: Level
    submitted_at: str
    started_at: str | None
    completed_at: str | None
    records_processed: int
    estimated_completion: str | None
    progress_percentage: int
    error_message: str | None
