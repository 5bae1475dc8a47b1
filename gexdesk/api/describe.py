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


GUARDED = (400, 401, 403, 429, 503)
"""What every route behind the guard may answer."""


def described(
    answer: Any = None, *, takes: Any = None, status: int = 200, refusals: tuple[int, ...] = GUARDED, says: str = "Done",
    also: tuple[str, ...] = (), open_to_all: bool = False, links: dict[str, Any] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Return the arguments that make a route describe itself.

    Args:
        answer: Type of what it answers, or a tuple of the types it may answer with; None answers no JSON.
        takes: Type of the body it takes.
        says: What an answer means.
        also: Other media types that it answers with.
        open_to_all: No key is needed.
        links: What may be asked next, as OpenAPI has it.
    """
    answers = answer if isinstance(answer, tuple) else () if answer is None else (answer,)
    wanted = [*answers, ErrorShape] if takes is None else [*answers, takes, ErrorShape]
    schemas, _ = msgspec.json.schema_components(wanted, ref_template=_REF)
    fault = {"application/json": {"schema": schemas[-1]}}
    responses: dict[int | str, dict[str, Any]] = {code: {"description": _REFUSALS[code], "content": fault} for code in refusals}
    content: dict[str, Any] = {media: {"schema": {"type": "string"}} for media in also}
    if answers:
        given = schemas[: len(answers)]
        content["application/json"] = {"schema": given[0] if len(given) == 1 else {"anyOf": list(given)}}
    responses[status] = {"description": says, "content": content} | ({"links": links} if links else {})
    extra: dict[str, Any] = {"security": []} if open_to_all else {}
    if takes is not None:
        extra["requestBody"] = {"required": True, "content": {"application/json": {"schema": schemas[-2]}}}
    return {"responses": responses, "openapi_extra": extra, "status_code": status, "response_model": None}


def own_words(document: dict[str, Any]) -> None:
    """Take out of a generated document what the framework adds and this program never answers: 422, empty JSON."""
    for path in document["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)
            for answer in operation["responses"].values():
                answer["content"] = {media: said for media, said in answer["content"].items() if said.get("schema")}
    for name in ("HTTPValidationError", "ValidationError"):
        document.get("components", {}).get("schemas", {}).pop(name, None)


def components(kinds: tuple[Any, ...]) -> Mapping[str, Any]:
    """Return the named schemas that ``described`` routes point at."""
    _, found = msgspec.json.schema_components((*kinds, ErrorShape), ref_template=_REF)
    return found
