"""Hold query strings to the contract: a name that is misspelt, or given twice, must not pass as if it had been heard."""

from collections import Counter

from fastapi.routing import APIRoute, APIWebSocketRoute
from starlette.requests import HTTPConnection

from gexdesk.api.refusals import BadRequest
from gexdesk.model.text import printable


def only_known(call: HTTPConnection) -> None:
    """Let a call pass whose query string has the route's own parameters, each once; every route depends on this.

    Raises:
        BadRequest: Naming the parameter that the route does not have, or that came more than once.
    """
    route = call.scope.get("route")
    if not call.scope.get("query_string") or not isinstance(route, APIRoute | APIWebSocketRoute):
        return
    known = [field.alias for field in route.dependant.query_params]
    for name, count in Counter(name for name, _ in call.query_params.multi_items()).items():
        shown = printable(name, 40)
        if name not in known:
            allowed = f"allowed here: {', '.join(known)}" if known else "none is allowed here"
            raise BadRequest(f"query: there is no parameter {shown!r}; {allowed}", parameter=shown)
        if count > 1:
            raise BadRequest(f"query: {shown} is given {count} times; give it once", parameter=shown)
