"""Describe routes for the OpenAPI document: bodies and answers as the house's own values, refusals in the one shape."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

_REF = "#/components/schemas/{name}"


class ErrorShape(Struct, frozen=True):
    """Every refusal's shape.

    Attributes:
        error: Its kind, e.g. ``unknown_target``.
        message: One line for a person.
        details: Facts for a program.
    """

    error: str
    message: str
    details: dict[str, Any]


_REFUSALS = {
    400: "What was sent is not what the contract says",
    401: "No key in force was shown",
    403: "The key does not cover this",
    404: "There is no such thing",
    409: "It cannot be done now; nothing was changed",
    429: "Over the rate; Retry-After says when to come back",
    503: "The engine cannot keep or give it now",
}


def described(
    answer: Any = None, *, takes: Any = None, status: int = 200, refusals: tuple[int, ...] = (400, 401, 403, 429),
    says: str = "Done",
) -> dict[str, Any]:  # fmt: skip
    """Return the arguments that make a route describe itself.

    Args:
        answer: Type of what it answers; None answers JSON of no fixed shape.
        takes: Type of the body it takes.
        says: What an answer means.
    """
    wanted = [kind for kind in (answer, takes, ErrorShape) if kind is not None]
    schemas, _ = msgspec.json.schema_components(wanted, ref_template=_REF)
    named = dict(zip([id(kind) for kind in wanted], schemas, strict=True))
    fault = {"application/json": {"schema": named[id(ErrorShape)]}}
    responses: dict[int | str, dict[str, Any]] = {code: {"description": _REFUSALS[code], "content": fault} for code in refusals}
    content = {"application/json": {"schema": named[id(answer)] if answer is not None else {}}}
    responses[status] = {"description": says, "content": content}
    extra: dict[str, Any] = {}
    if takes is not None:
        extra["requestBody"] = {"required": True, "content": {"application/json": {"schema": named[id(takes)]}}}
    return {"responses": responses, "openapi_extra": extra, "status_code": status, "response_model": None}


def components(kinds: tuple[Any, ...]) -> Mapping[str, Any]:
    """Return the named schemas that ``described`` routes point at."""
    _, found = msgspec.json.schema_components((*kinds, ErrorShape), ref_template=_REF)
    return found
