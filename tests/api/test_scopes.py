"""Who may do what: every operation with every scope and without a key. A new route without a line here fails."""

import json
from pathlib import Path
from typing import get_args

import pytest
from fastapi.routing import iter_route_contexts
from websockets.exceptions import InvalidStatus

from gexdesk.api.app import make_app
from gexdesk.api.guard import Guard
from gexdesk.api.keys import Scope
from gexdesk.model.look.every import AnyLook
from tests.api.served_engine import in_shape, on_tcp, with_key

V1 = "/api/v1"
KEPT = ("decisions", "jobs", "incidents", "gaps", "overrides", "requests", "dead-letters")
NEEDS: dict[tuple[str, str], Scope | None] = {
    ("GET", "/healthz"): None,
    ("GET", "/readyz"): None,
    ("GET", "/openapi.json"): None,
    ("GET", "/metrics"): Scope.READ,
    ("POST", f"{V1}/ingest/priority"): Scope.SUBMIT,
    ("GET", f"{V1}/ingest/priority/queue"): Scope.READ,
    ("GET", f"{V1}/ingest/priority/{{request_id}}"): Scope.READ,
    ("GET", f"{V1}/sources"): Scope.READ,
    ("GET", f"{V1}/rules"): Scope.READ,
    ("GET", f"{V1}/view"): Scope.READ,
    ("POST", f"{V1}/look"): Scope.READ,  # or what ``ASKS`` says of the question
    ("POST", f"{V1}/levers"): Scope.OPERATE,
    ("POST", f"{V1}/metadata/copy"): Scope.ADMIN,
    ("POST", f"{V1}/stop"): Scope.ADMIN,
    ("GET", f"{V1}/snapshots/{{symbol}}/history"): Scope.READ,
    ("GET", f"{V1}/snapshots/{{symbol}}/latest"): Scope.READ,
    **{("GET", f"{V1}/{name}"): Scope.READ for name in KEPT},
    ("GET", f"{V1}/audit"): Scope.OPERATE,
}
ASKS: dict[str, tuple[dict[str, object], Scope]] = {
    "JobsLook": ({}, Scope.READ),
    "DeadLook": ({}, Scope.READ),
    "GuidelinesLook": ({}, Scope.READ),
    "IncidentLook": ({"number": 1}, Scope.READ),
    "HandOverLook": ({}, Scope.READ),
    "HistoryLook": ({}, Scope.READ),
    "TrendLook": ({"what": "level", "name": "HIGH", "from_at": 0.0, "to_at": 1.0}, Scope.READ),
    "SymbolLook": ({"symbol": "SPX"}, Scope.READ),
    "QuarantineLook": ({}, Scope.READ),
    "CompareLook": ({"symbol": "SPX"}, Scope.READ),
    "GapsLook": ({}, Scope.READ),
    "SourceLook": ({"source": "drop"}, Scope.READ),
    "PayloadLook": ({"job_id": "x"}, Scope.READ),
    "LogLook": ({}, Scope.READ),
    "AuditLook": ({"check": True}, Scope.OPERATE),
    "MachineLook": ({}, Scope.READ),
}
"""Every question of ``POST /look``: the fields that make one, and the scope it needs."""

SOCKETS = {f"{V1}/views": Scope.READ, f"{V1}/ingest/status": Scope.READ}
MUTATING = {f"{V1}/ingest/priority", f"{V1}/levers", f"{V1}/stop"}
PAST_THE_GUARD = {200, 202, 400, 404}
"""What a route says to whoever was let in, with an empty body and for names that nobody has."""


def test_every_route_is_in_the_table(tmp_path: Path) -> None:
    routes = list(iter_route_contexts(make_app(None, Guard(tmp_path)).routes))  # type: ignore[arg-type]
    calls = {(method, route.path) for route in routes for method in route.methods or () if method != "HEAD"}
    assert calls == NEEDS.keys()
    assert {route.path for route in routes if not route.methods} == SOCKETS.keys()


def test_every_question_is_in_the_table() -> None:
    assert {question.__name__ for question in get_args(AnyLook)} == ASKS.keys()


def test_what_a_route_and_a_question_give_alike_needs_the_same_scope() -> None:
    assert ASKS["AuditLook"][1] is NEEDS["GET", f"{V1}/audit"]


async def test_every_question_with_every_scope(tmp_path: Path) -> None:
    async with on_tcp(tmp_path) as desk:
        keys = {scope: desk.key(scope, name=scope) for scope in Scope}
        for name, (fields, needed) in ASKS.items():
            body = {"type": name, **fields}
            assert (await desk.http.post(f"{V1}/look", json=body)).status_code == 401, name
            for scope in Scope:
                answer = await desk.http.post(f"{V1}/look", json=body, headers=with_key(keys[scope]))
                if scope in (needed, Scope.ADMIN):
                    assert answer.status_code in (200, 404), (name, scope, answer.text)
                else:
                    assert answer.status_code == 403, (name, scope)
                    assert in_shape(answer)["details"] == {"needs": needed}


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let calls without a key be as many as the table has; ``test_keys.py`` holds the limit."""
    monkeypatch.setattr("gexdesk.api.guard.FAILED_PER_MINUTE", 1_000_000)


async def test_every_operation_with_every_scope_and_with_no_key(tmp_path: Path) -> None:
    async with on_tcp(tmp_path) as desk:
        keys = {scope: desk.key(scope, name=scope) for scope in Scope}
        calls = sorted(NEEDS.items(), key=lambda call: call[0][1] == f"{V1}/stop")  # which ends the engine last of all
        for (method, path), needed in calls:
            url = path.format(request_id="req-0", symbol="SPX")
            nobody = await desk.http.request(method, url)
            if needed is None:
                assert nobody.status_code == 200, path
                continue
            assert nobody.status_code == 401, path
            assert in_shape(nobody)["error"] == "no_key"
            assert nobody.headers["www-authenticate"] == "Bearer"
            for scope in sorted(Scope, key=lambda scope: scope in (Scope.ADMIN, needed)):
                answer = await desk.http.request(method, url, headers=with_key(keys[scope]))
                if scope in (needed, Scope.ADMIN):
                    assert answer.status_code in PAST_THE_GUARD, (path, scope, answer.text)
                else:
                    assert answer.status_code == 403, (path, scope)
                    assert in_shape(answer)["error"] == "not_allowed"
                    assert needed in in_shape(answer)["message"]
        assert desk.engine.stopping.is_set()  # the table's last line did it


@pytest.mark.parametrize("path", SOCKETS)
async def test_every_websocket_with_every_scope_and_with_no_key(tmp_path: Path, path: str) -> None:
    async with on_tcp(tmp_path) as desk:
        for scope in Scope:
            if scope in (SOCKETS[path], Scope.ADMIN):
                async with desk.socket(path, desk.key(scope)) as socket:
                    assert await socket.recv()
                continue
            with pytest.raises(InvalidStatus) as refused:
                async with desk.socket(path, desk.key(scope)):
                    pass
            assert refused.value.response.status_code == 403
        with pytest.raises(InvalidStatus) as refused:
            async with desk.socket(path):
                pass
        assert refused.value.response.status_code == 401
        assert b'"error":"no_key"' in bytes(refused.value.response.body or b"")


async def test_a_key_that_may_only_read_is_told_so_with_the_picture_before_it_asks_for_a_lever(tmp_path: Path) -> None:
    async with on_tcp(tmp_path) as desk:
        for scope, only_reads in ((Scope.READ, True), (Scope.OPERATE, False)):
            key = desk.key(scope) if scope is Scope.READ else desk.key(Scope.READ, scope)
            assert (await desk.http.get(f"{V1}/view", headers=with_key(key))).json()["read_only"] is only_reads
            async with desk.socket(f"{V1}/views", key) as socket:
                for _ in range(2):
                    assert json.loads(await socket.recv())["read_only"] is only_reads


async def test_a_read_only_engine_refuses_every_change_whatever_the_key(tmp_path: Path) -> None:
    async with on_tcp(tmp_path, read_only=True) as desk:
        admin = with_key(desk.key(Scope.ADMIN))
        assert (await desk.http.get(f"{V1}/view", headers=admin)).json()["read_only"] is True
        for (method, path), needed in NEEDS.items():
            answer = await desk.http.request(method, path.format(request_id="req-0", symbol="SPX"), headers=admin)
            if path in MUTATING:
                assert answer.status_code == 403, path
                assert "read-only" in in_shape(answer)["message"]
            else:
                assert answer.status_code in PAST_THE_GUARD, (path, needed, answer.text)
        assert not desk.engine.stopping.is_set()
