"""Read what a caller sent: bounded in size and time, typed, refused with the field's name."""

import asyncio
from typing import Any

import msgspec
from fastapi import Request
from starlette.requests import ClientDisconnect

from gexdesk.api.refusals import BadRequest
from gexdesk.model.text import printable

BODY_LIMIT_BYTES = 1024 * 1024
READ_LIMIT_S = 10.0


async def body_of(request: Request, kind: Any) -> Any:
    """Return a JSON body as a value of a type, a union's too.

    Raises:
        BadRequest: It is larger or slower than allowed, cut short, no JSON, or not of the shape; the field is named.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > BODY_LIMIT_BYTES:
        raise BadRequest(f"the body has {int(declared):,} bytes; at most {BODY_LIMIT_BYTES:,} are taken")
    pieces, size = [], 0
    try:
        async with asyncio.timeout(READ_LIMIT_S):
            async for piece in request.stream():
                size += len(piece)
                if size > BODY_LIMIT_BYTES:
                    raise BadRequest(f"the body is larger than {BODY_LIMIT_BYTES:,} bytes")
                pieces.append(piece)
    except TimeoutError:
        raise BadRequest(f"the body was not there within {READ_LIMIT_S:g} s") from None
    except ClientDisconnect:
        raise BadRequest(f"the caller went away after {size:,} bytes of the body") from None
    try:
        return msgspec.json.decode(b"".join(pieces), type=kind)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BadRequest(printable(str(error), 300)) from None
