"""Say what went wrong, where, what is allowed and what to do.

    GexdeskError
    ├── SettingsError            a configuration that cannot be used
    ├── PayloadError             what a file or a server sent; ends in the dead letters, never stops anything
    │   ├── UnrecognisedFormat
    │   ├── MalformedPayload
    │   ├── OversizePayload
    │   └── DecoderDied          the pool process that decoded it was killed (time, memory, crash)
    ├── AddressRefused           a submitted URL that the desk will not fetch
    ├── SubmissionRefused        a request for a document that is not as the contract says, or one too many
    ├── FetchError               a source could not get at its data; the source tries again
    ├── GuidelineError           a rule file that cannot be used: file, line, column, found, allowed
    ├── QueueError
    │   ├── LeaseLost            an ack, heartbeat or retry of a job that was rescued meanwhile
    │   ├── QueueAway            the server that holds the queue does not answer, or lets nobody write
    │   └── UnknownTarget        no such source or job
    ├── LeverRefused             an operator's act that cannot be done now, with the reason
    ├── StoreError               the spool, the database or the lake refused
    └── EngineAway               no engine answers on the socket
"""


class GexdeskError(Exception):
    """Carry one line for a person and, where it helps, machine-readable details.

    Args:
        message: One line: what was found, where, what is allowed, what to do.
        details: JSON-able facts for ``{"error", "message", "details"}`` answers.
    """

    def __init__(self, message: str, **details: object) -> None:
        super().__init__(message)
        self.message = message
        self.details = details

    @property
    def kind(self) -> str:
        """Name the error in answers, e.g. ``malformed_payload``."""
        name = type(self).__name__
        return "".join("_" + c.lower() if c.isupper() else c for c in name).lstrip("_")


class SettingsError(GexdeskError):
    """Refuse a configuration: the file, the key, what was found and what is allowed."""


class PayloadError(GexdeskError):
    """Refuse a payload for good: the same bytes would fail again."""


class UnrecognisedFormat(PayloadError):
    """Say that no format knows these bytes, and why the nearest one does not."""


class MalformedPayload(PayloadError):
    """Say which field or byte of a recognised format cannot be used."""


class OversizePayload(PayloadError):
    """Say which cap a payload exceeds, compressed or not."""


class DecoderDied(PayloadError):
    """Say how a pool process ended while it held this payload."""


class AddressRefused(GexdeskError):
    """Refuse to fetch a submitted URL: what is wrong with it, what is allowed."""


class SubmissionRefused(GexdeskError):
    """Refuse a request for a document: the field, what was found, what is allowed; or how long to wait (``retry_after_s``)."""


class FetchError(GexdeskError):
    """Say why a source got nothing this time."""


class GuidelineError(GexdeskError):
    """Refuse a guideline file at a line and column."""


class QueueError(GexdeskError):
    """Refuse an act on the queue."""


class LeaseLost(QueueError):
    """Refuse a worker that no longer holds the job."""


class QueueAway(QueueError):
    """Say that the server of the queue cannot be worked with now; what was asked for may be asked for again."""


class UnknownTarget(QueueError):
    """Say that nothing of that name is there."""


class LeverRefused(GexdeskError):
    """Refuse an operator's act, with the reason; nothing was changed."""


class StoreError(GexdeskError):
    """Say that a store could not keep or give something."""


class EngineAway(GexdeskError):
    """Say that no engine answers for this state folder."""


KINDS: dict[str, type[GexdeskError]] = {
    one("").kind: one for one in list(globals().values()) if isinstance(one, type) and issubclass(one, GexdeskError)
}
"""Every error by its name, so that what was refused in another process is caught as it is in one's own."""
