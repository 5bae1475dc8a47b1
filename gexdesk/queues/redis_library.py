"""Hold the FUNCTION library that is the queue inside Redis, and load it where it is missing.

Its name carries a digest of its text, so that engines of two builds can share a server: each calls its own functions, over
the same keys. The names of the keys carry the version of the layout.
"""

from hashlib import sha256
from importlib.resources import files
from typing import Any

from msgspec import Struct

LAYOUT = 1
"""Version of keys and records; a change that old engines cannot read takes the next number."""

PARTS = (
    "layout", "places", "entries", "writing", "conflation", "working", "moving", "apart", "holding", "looking", "repair", "door",
)  # fmt: skip
"""The files of ``redis_lua`` in the order in which they make one text; each uses what those before it define."""


class Library(Struct, frozen=True):
    """Hold a library's text and the names of its functions.

    Attributes:
        run: For what frees memory or looks: allowed when the server has reached ``maxmemory``.
        add: For what adds jobs: refused there, so that the sources are held back.
    """

    name: str
    text: str
    run: str
    add: str

    @classmethod
    def of(cls, template: str) -> "Library":
        """Name a library by its text."""
        name = f"gexdesk_queue_{LAYOUT}_{sha256(template.encode()).hexdigest()[:12]}"
        return cls(name, f"#!lua name={name}\n{template.replace('@NAME@', name)}", f"{name}_run", f"{name}_add")

    async def load(self, connection: Any) -> None:
        """Load it over a connection of redis-py, in the place of one of the same name. Raises redis.RedisError."""
        await connection.send_command("FUNCTION", "LOAD", "REPLACE", self.text)
        await connection.read_response()


def template() -> str:
    """Return the library's text, its functions not yet named: one function from ``layout`` to ``door``."""
    folder = files("gexdesk.queues").joinpath("redis_lua")
    return "\n".join(folder.joinpath(f"{part}.lua").read_text(encoding="utf-8") for part in PARTS)


def shipped() -> Library:
    """Return the library of this version."""
    return Library.of(template())


def base(prefix: str) -> str:
    """Return what every key of a queue begins with: one hash tag, so that a cluster keeps them together."""
    return f"{{{prefix}}}:{LAYOUT}:"
