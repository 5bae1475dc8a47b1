"""The HTTP contract, path by path and field by field, on a real engine over TCP."""

import asyncio
import io
import json
import re
import sys
import time
from datetime import datetime
from pathlib import Path

import httpx2
import polars as pl
import pytest
from openapi_spec_validator import validate
from websockets.exceptions import InvalidStatus

from gexdesk.api import door, guard, server
from gexdesk.api.app import make_app
from gexdesk.api.client import Client
from gexdesk.api.guard import Guard
from gexdesk.api.keys import Scope
from gexdesk.api.routes.kept import ARROW_TYPE
from gexdesk.model.errors import EngineAway
from gexdesk.model.lever import Lever, Verb
from gexdesk.model.look.queue import JobsLook
from tests.api.served_engine import Desk, in_shape, on_tcp, raw, with_key
from tests.engine.desk_setting import drop, folder_source, gexbot_at, in_house_at
from tests.feed_server import Answer, FeedServer
from tests.until import until

V1 = "/api/v1"
LEVELS = ["CRITICAL", "HIGH", "MEDIUM", "LOW"]
ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def polled(name: str, url: str, **fields: object) -> dict[str, object]:
    """Return a polled source that asks its server as good as never by itself."""
    return {"kind": "http", "name": name, "url": url, "every_s": 3600, "level": "auto"} | fields


async def got(desk: Desk, path: str, key: str) -> object:
    """Return the JSON a path answers with."""
    answer = await desk.http.get(f"{V1}{path}", headers=with_key(key))
    assert answer.status_code == 200, (path, answer.text)
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


async def test_a_request_from_submission_to_its_end_field_by_field(tmp_path: Path) -> None:
    async with FeedServer(Answer(body=in_house_at(1.0))) as feed:
        source = polled("own", f"{feed.url}/feed/RUT.json")
        async with on_tcp(tmp_path, source) as desk:
            await until(lambda: desk.engine.closing().completed == 1)  # its own poll
            key = desk.key(Scope.SUBMIT, Scope.READ)
            feed.answers = [Answer(body=in_house_at(0.5, gex=2e8), delay_s=0.3)]
            asked = {
                "source_url": f"{feed.url}/feed/later.json", "data_type": "real_time", "market_symbol": "RUT",
                "metadata": {"expected_records": 2, "data_quality": "high", "priority_hint": "critical"},
            }  # fmt: skip
            before = time.time()
            taken = await desk.http.post(f"{V1}/ingest/priority", json=asked, headers=with_key(key))
            assert taken.status_code == 202
            accepted = taken.json()
            assert sorted(accepted) == ["estimated_processing_time", "priority_level", "queue_position", "request_id"]
            assert accepted["priority_level"] in LEVELS
            assert re.fullmatch(r"PT\d+(\.\d+)?S", accepted["estimated_processing_time"])
            assert accepted["queue_position"] >= 1
            path = f"/ingest/priority/{accepted['request_id']}"
            first = await got(desk, path, key)
            assert sorted(first) == [
                "completed_at", "error_message", "estimated_completion", "priority_level", "progress_percentage",
                "records_processed", "request_id", "started_at", "status", "submitted_at",
            ]  # fmt: skip
            assert (first["status"], first["progress_percentage"]) == ("QUEUED", 0)
            assert (first["started_at"], first["completed_at"]) == (None, None)
            assert (first["records_processed"], first["error_message"]) == (0, None)
            assert ISO.fullmatch(first["submitted_at"])
            assert ISO.fullmatch(first["estimated_completion"])
            assert before - 1 < datetime.fromisoformat(first["submitted_at"]).timestamp() <= time.time()

            async def ended() -> bool:
                return (await got(desk, path, key))["status"] == "COMPLETED"

            await until(ended)
            last = await got(desk, path, key)
            assert (last["progress_percentage"], last["records_processed"], last["error_message"]) == (100, 1, None)
            assert last["submitted_at"] <= last["started_at"] <= last["completed_at"]
            assert last["estimated_completion"] is None
            assert last["priority_level"] != "CRITICAL"  # a hint asks, it does not decide

            async def kept() -> bool:
                rows = (await got(desk, "/requests", key))["rows"]
                return [(row["request_id"], row["status"]) for row in rows] == [(accepted["request_id"], "COMPLETED")]

            await until(kept)


WRONG = [
    ({"market_symbol": ""}, "market_symbol"),
    ({"market_symbol": "ELEVENCHARS"}, "market_symbol"),
    ({"market_symbol": "../etc"}, "market_symbol"),
    ({"market_symbol": 7}, "market_symbol"),
    ({"data_type": "weird"}, "data_type"),
    ({"data_type": None}, "data_type"),
    ({"source_url": ""}, "URL"),
    ({"metadata": {"expected_records": 0}}, "expected_records"),
    ({"metadata": {"expected_records": 1.5}}, "expected_records"),
    ({"metadata": {"expected_records": 2**63}}, "expected_records"),
    ({"metadata": {"expected_records": 10**400}}, "expected_records"),
    ({"metadata": {"data_quality": "best"}}, "data_quality"),
    ({"metadata": {"priority_hint": "urgent"}}, "priority_hint"),
    ({"metadata": {"level": "CRITICAL"}}, "level"),
    ({"priority_level": "CRITICAL"}, "priority_level"),
]


async def test_what_is_not_as_the_contract_says_is_400_and_names_the_field(tmp_path: Path) -> None:
    async with on_tcp(tmp_path, polled("own", "http://127.0.0.1:9/feed/x.json")) as desk:
        key = desk.key(Scope.SUBMIT, Scope.READ)
        right = {"source_url": "http://127.0.0.1:9/feed/x.json", "data_type": "snapshot", "market_symbol": "SPX"}
        for change, words in WRONG:
            answer = await desk.http.post(f"{V1}/ingest/priority", json=right | change, headers=with_key(key))
            assert answer.status_code == 400, change
            assert words in in_shape(answer)["message"]

        async def refused(body: bytes) -> str:
            answer = await desk.http.post(f"{V1}/ingest/priority", content=body, headers=with_key(key))
            assert answer.status_code == 400
            found = in_shape(answer)
            assert found["error"] == "bad_request"
            return str(found["message"])

        assert "data_type" in await refused(b'{"source_url": "http://x/", "market_symbol": "SPX"}')
        assert "malformed" in await refused(b"{ x")
        assert "truncated" in await refused(b"")
        assert await refused(b"[" * 200_000)
        assert await refused(b"\xff\xfe\x00")
        assert "at most 1,048,576 are taken" in await refused(b" " * 1_048_577)
        assert (await desk.http.get(f"{V1}/ingest/priority/nobody", headers=with_key(key))).status_code == 404
        assert (await desk.http.get(f"{V1}/ingest/priority/%2e%2e%2fx", headers=with_key(key))).status_code == 404
        assert (await got(desk, "/requests", key))["count"] == 0


async def test_every_refusal_has_the_one_shape_whoever_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with on_tcp(tmp_path) as desk:
        key = desk.key(Scope.ADMIN)

        async def refused(method: str, path: str, **more: object) -> tuple[int, str]:
            answer = await desk.http.request(method, path, headers=with_key(key), **more)  # type: ignore[arg-type]
            return answer.status_code, str(in_shape(answer)["error"])

        assert await refused("GET", "/nothing") == (404, "http_error")
        assert await refused("GET", f"{V1}/sources/") == (404, "http_error")
        assert await refused("DELETE", f"{V1}/sources") == (405, "http_error")
        for query in ("limit=0", "limit=101", "limit=x", "active_only=perhaps", "limit=99999999999999999999999"):
            assert await refused("GET", f"{V1}/sources?{query}") == (400, "bad_request")
        for query in ("limit=0", "limit=10001", "symbol=a/b", "symbol=" + "x" * 18, "after=yesterday", "after=2026-01-01T00:00:00"):
            assert await refused("GET", f"{V1}/jobs?{query}") == (400, "bad_request")
        assert await refused("GET", f"{V1}/incidents?symbol=SPX") == (404, "unknown_target")
        assert await refused("GET", f"{V1}/snapshots/..%2f..%2fetc/history") in ((400, "bad_request"), (404, "http_error"))
        assert await refused("GET", f"{V1}/snapshots/a%00b/latest") == (400, "bad_request")
        assert await refused("GET", f"{V1}/snapshots/NOBODY/latest") == (404, "unknown_target")
        assert await refused("POST", f"{V1}/look", content=b'{"type": "Nothing"}') == (400, "bad_request")
        assert await refused("POST", f"{V1}/look", content=b'{"type": "JobsLook", "limit": "x"}') == (400, "bad_request")
        # What uvicorn refuses by itself, before any route.
        broken = await raw(desk.netloc, b"GET / HTTP/1.1\r\nbroken\r\n\r\n")
        assert broken.startswith(b"HTTP/1.1 400 ")
        assert sorted(json.loads(broken.partition(b"\r\n\r\n")[2])) == ["details", "error", "message"]
        flood = await raw(desk.netloc, b"GET / HTTP/1.1\r\n" + b"x-a: " + b"y" * 200_000 + b"\r\n\r\n")
        assert flood == b"" or flood.startswith(b"HTTP/1.1 400 ")

        async def breaks(*_: object) -> None:
            raise RuntimeError("gxd_secret inside")

        monkeypatch.setattr(desk.engine, "rows", breaks)
        answer = await desk.http.get(f"{V1}/jobs", headers=with_key(key))
        assert (answer.status_code, in_shape(answer)["error"]) == (500, "desk_fault")
        assert "gxd_secret" not in answer.text
        assert (await desk.http.get("/healthz")).json() == {"status": "ok"}


async def test_lines_that_say_nothing_and_lines_too_many_are_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "HEAD_LIMIT_S", 0.3)
    monkeypatch.setattr(server, "LINES_AT_ONCE", 4)
    async with on_tcp(tmp_path) as desk:
        began = time.monotonic()
        assert await raw(desk.netloc, b"") == b""
        assert await raw(desk.netloc, b"GET /healthz HTT") == b""
        host, _, port = desk.netloc.partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await reader.readuntil(b'"ok"}')
        writer.write(b"GET /hea")  # a whole request, then half a one
        assert await reader.read() == b""
        writer.close()
        assert time.monotonic() - began < 4  # an answered line lives for five
        monkeypatch.setattr(server, "HEAD_LIMIT_S", 30)
        inside = [door.connect(desk.state) for _ in range(6)]  # on the unix socket, where they take nobody's place
        idle = [await asyncio.open_connection(host, int(port)) for _ in range(12)]
        try:
            ended = await asyncio.gather(*(asyncio.wait_for(reader.read(), 1) for reader, _ in idle), return_exceptions=True)
            assert sum(isinstance(end, TimeoutError) for end in ended) == 4
            assert await asyncio.to_thread(lambda: httpx_over_socket(desk.state)) == 200  # operators on the socket get in
            assert await answers(desk), "a whole request gets the place of a line that says nothing"
            with door.connect(desk.state) as quiet:  # a silent line on the socket is never the one that goes
                assert await answers(desk)
                quiet.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                quiet.settimeout(5)
                assert (await asyncio.to_thread(quiet.recv, 100)).startswith(b"HTTP/1.1 200")
        finally:
            for _, writer in idle:
                writer.transport.abort()
            for line in inside:
                line.close()
        await until(lambda: answers(desk))


async def answers(desk: Desk) -> bool:
    """Say whether the engine answers over TCP."""
    return (await raw(desk.netloc, b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).startswith(b"HTTP/1.1 200")


def httpx_over_socket(state: Path) -> int:
    """Ask over the unix socket."""
    with httpx2.Client(transport=httpx2.HTTPTransport(uds=str(state / "engine.sock")), trust_env=False) as client:
        return client.get("http://gexdesk/healthz").status_code


async def test_more_calls_at_once_than_allowed_are_told_to_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "CALLS_AT_ONCE", 2)
    monkeypatch.setattr(server, "WATCHERS_AT_ONCE", 1)
    async with on_tcp(tmp_path) as desk:
        key, going = desk.key(Scope.READ), asyncio.Event()
        view = desk.engine.view

        async def slow() -> object:
            await going.wait()
            return await view()

        monkeypatch.setattr(desk.engine, "view", slow)
        held = [asyncio.create_task(desk.http.get(f"{V1}/view", headers=with_key(key))) for _ in range(2)]
        await asyncio.sleep(0.3)
        over = await desk.http.get(f"{V1}/sources", headers=with_key(key))
        assert (over.status_code, in_shape(over)["error"]) == (503, "busy")
        assert (await desk.http.get("/healthz")).status_code == 200  # whoever asks would end a busy engine otherwise
        going.set()
        assert [(await call).status_code for call in held] == [200, 200]
        assert (await desk.http.get("/healthz")).status_code == 200
        async with desk.socket(f"{V1}/views", key) as socket:
            await socket.recv()
            with pytest.raises(InvalidStatus) as refused:
                async with desk.socket(f"{V1}/views", key):
                    pass
            assert refused.value.response.status_code == 503
            assert b'"error":"busy"' in bytes(refused.value.response.body or b"")
            with pytest.raises(EngineAway, match="lets nobody in: too many calls at once"):
                await anext(Client(f"http://{desk.netloc}", key=key).views())


async def test_a_body_that_drips_is_refused_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["gexdesk.api.body"], "READ_LIMIT_S", 0.3)
    async with on_tcp(tmp_path) as desk:
        headers = f"Host: x\r\nX-API-Key: {desk.key(Scope.SUBMIT)}\r\nContent-Length: 1000"
        head = f"POST {V1}/ingest/priority HTTP/1.1\r\n{headers}\r\n\r\n{{"
        answer = await raw(desk.netloc, head.encode(), limit_s=1.5)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"the body was not there within 0.3 s" in answer


async def test_half_bodies_of_one_key_leave_room_for_the_others_and_for_the_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(guard, "BODIES_AT_ONCE", 3)
    async with on_tcp(tmp_path) as desk:
        slow, other = desk.key(Scope.READ), desk.key(Scope.READ)
        head = f"POST {V1}/look HTTP/1.1\r\nHost: x\r\nX-API-Key: {slow}\r\nContent-Length: 1000\r\n\r\n{{"
        host, _, port = desk.netloc.partition(":")
        lines = [await asyncio.open_connection(host, int(port)) for _ in range(3)]
        for _, writer in lines:
            writer.write(head.encode())

        async def asked(key: str) -> httpx2.Response:
            return await desk.http.post(f"{V1}/look", headers=with_key(key), content=b'{"type": "JobsLook"}')

        async def refused() -> bool:
            return (await asked(slow)).status_code == 429

        await until(refused)
        answer = await asked(slow)
        assert (in_shape(answer)["error"], answer.headers["retry-after"]) == ("too_many", "1")
        assert (await asked(other)).status_code == 200
        await Client(desk.state).look(JobsLook())
        for _, writer in lines:
            writer.transport.abort()

        async def free() -> bool:
            return (await asked(slow)).status_code == 200

        await until(free)
    assert not caplog.records, "a caller who goes away is no fault of ours"


async def test_queue_sources_and_rules_in_the_contracts_words(tmp_path: Path) -> None:
    slow = folder_source("slow", tmp_path / "slow")
    async with on_tcp(tmp_path, folder_source("drop", tmp_path / "in"), slow) as desk:
        key = desk.key(Scope.READ)
        drop(tmp_path / "in", "a.json", gexbot_at(1.0))
        await until(lambda: desk.engine.closing().completed == 1)
        await desk.engine.pull(Lever(Verb.PAUSE, "slow", "x", actor="jm"))
        await until(lambda: paused(desk, key))
        sources = await got(desk, "/sources", key)
        assert sorted(sources) == ["sources", "total_count"]
        first = sources["sources"][0]
        assert first["total_requests"] == first.pop("successful_requests") >= 1
        assert first.pop("total_requests")
        assert first == {
            "source_id": "drop", "name": "drop", "base_url": str(tmp_path / "in"), "reliability_score": 1.0, "is_active": True
        }  # fmt: skip
        assert sources["total_count"] == 2
        active = await got(desk, "/sources?active_only=true", key)
        assert ([s["name"] for s in active["sources"]], active["total_count"]) == (["drop"], 1)
        one = await got(desk, "/sources?limit=1", key)
        assert (len(one["sources"]), one["total_count"]) == (1, 2)
        rules = await got(desk, "/rules", key)
        assert rules["total_count"] == len(rules["rules"]) > 3
        for rule in rules["rules"]:
            assert sorted(rule) == ["description", "is_active", "name", "priority_score", "rule_id"]
            assert 0 <= rule["priority_score"] <= 1
            assert isinstance(rule["is_active"], bool)
        queue = await got(desk, "/ingest/priority/queue", key)
        nothing = {"total_queued": 0, "by_priority": dict.fromkeys(LEVELS, 0), "oldest_request": None}
        assert queue == nothing | {"processing_capacity": 3}


async def paused(desk: Desk, key: str) -> bool:
    """Say whether the desk shows its second source as paused."""
    return (await got(desk, "/sources?active_only=true", key))["total_count"] == 1


async def test_a_full_queue_is_counted_by_level_with_its_oldest(tmp_path: Path) -> None:
    async with on_tcp(tmp_path) as desk:
        key = desk.key(Scope.READ)
        await desk.engine.pull(Lever(Verb.PAUSE_ALL, "", "hold", actor="jm"))
        before = time.time()
        parts = desk.engine._parts
        await parts.queue.stop_all(False)  # so that they count as waiting; the workers are stopped below
        await parts.work.stop(1.0)
        from gexdesk.model.payload import Arrival

        for number in range(3):
            await parts.receive.deliver(Arrival("drop", gexbot_at(1.0 + number), parts.clock.now()))

        async def queued() -> bool:
            return (await got(desk, "/ingest/priority/queue", key))["total_queued"] == 3

        await until(queued)
        queue = await got(desk, "/ingest/priority/queue", key)
        assert sum(queue["by_priority"].values()) == 3
        assert before - 1 <= datetime.fromisoformat(queue["oldest_request"]).timestamp() <= time.time()


async def test_what_was_kept_is_listed_newest_first(tmp_path: Path) -> None:
    async with on_tcp(tmp_path) as desk:
        key = desk.key(Scope.OPERATE, Scope.READ)
        for number, (name, body) in enumerate({"a": gexbot_at(2.0), "b": gexbot_at(1.0, "NDX"), "c": b"{}"}.items(), 1):
            drop(tmp_path / "in", f"{name}.json", body)
            await until(lambda number=number: desk.engine.closing().completed + desk.engine.closing().dead == number)
        await desk.engine.pull(Lever(Verb.PROMOTE, "drop", "open", actor="jm", for_s=60))
        history = await got(desk, "/snapshots/spx/history", key)
        assert (history["count"], history["rows"][0]["symbol"], history["rows"][0]["source"]) == (1, "SPX", "drop")
        assert history["rows"][0]["as_of"].endswith("Z")
        decisions = await got(desk, "/decisions?limit=1", key)
        assert (decisions["count"], decisions["rows"][0]["symbol"]) == (1, "NDX")
        jobs = await got(desk, "/jobs", key)
        assert [row["status"] for row in jobs["rows"]] == ["DEAD", "COMPLETED", "COMPLETED"]
        assert [row["symbol"] for row in (await got(desk, "/jobs?symbol=SPX", key))["rows"]] == ["SPX"]
        after = jobs["rows"][1]["received_at"]
        assert (await got(desk, f"/jobs?after={after}", key))["count"] == 1
        [letter] = (await got(desk, "/dead-letters", key))["rows"]
        assert letter["job_id"] == jobs["rows"][0]["job_id"]
        await until(lambda: listed(desk, "/overrides", key))
        [override] = (await got(desk, "/overrides", key))["rows"]
        assert override["target"] == "drop"
        assert override["author"] == "jm"
        [line] = (await got(desk, "/audit", key))["rows"]
        assert (line["act"], line["actor"], line["reason"]) == ("promote", "jm", "open")
        for path in ("/incidents", "/gaps", "/requests"):
            found = await got(desk, path, key)
            assert found["count"] == len(found["rows"])
        live = await got(desk, "/snapshots/SPX/latest", key)
        assert (live["symbol"], live["view"]["served_by"], live["exposure"]["symbol"]) == ("SPX", "drop", "SPX")
        assert [row["strike"] for row in live["strikes"]] == [5990.0, 6010.0]
        arrow = await desk.http.get(f"{V1}/snapshots/SPX/history", headers=with_key(key, [("Accept", ARROW_TYPE)]))
        assert arrow.headers["content-type"] == ARROW_TYPE
        assert pl.read_ipc_stream(io.BytesIO(arrow.content))["symbol"].to_list() == ["SPX"]


async def listed(desk: Desk, path: str, key: str) -> bool:
    """Say whether a path lists anything yet: rows follow what they are about."""
    return bool((await got(desk, path, key))["count"])


def test_the_document_is_valid_whole_and_tells_only_what_is_answered(tmp_path: Path) -> None:
    document = json.loads(json.dumps(make_app(None, Guard(tmp_path)).openapi(), allow_nan=False))  # type: ignore[arg-type]
    validate(document)
    text = json.dumps(document)
    assert set(re.findall(r'"#/components/schemas/([^"]+)"', text)) <= document["components"]["schemas"].keys()
    open_to_all = set()
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["summary"], path
            assert operation["tags"], path
            assert "422" not in operation["responses"]
            good = next(answer for code, answer in operation["responses"].items() if code.startswith("2"))
            assert all(media.get("schema") for media in good["content"].values()), f"{path} does not say what it answers"
            for code, answer in operation["responses"].items():
                if not code.startswith("2"):
                    assert answer["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/ErrorShape"}
            if operation.get("security") == []:
                open_to_all.add(path)
            else:
                assert {"400", "401", "403", "429", "503"} <= operation["responses"].keys(), path
    assert open_to_all == {"/healthz", "/readyz"}
    assert document["security"] == [{"key": []}, {"bearer": []}]
    assert "/api/v1/ingest/status" in document["info"]["description"]


async def test_metrics_are_what_prometheus_reads(tmp_path: Path) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    async with on_tcp(tmp_path) as desk:
        drop(tmp_path / "in", "a.json", gexbot_at(1.0))
        await until(lambda: desk.engine.closing().completed == 1)
        key = desk.key(Scope.READ)

        async def counted() -> bool:
            text = (await desk.http.get("/metrics", headers=with_key(key))).text
            return "gexdesk_jobs_completed_total 1.0" in text

        await until(counted)
        answer = await desk.http.get("/metrics", headers={"Authorization": f"Bearer {key}"})
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        families = {family.name: family for family in text_string_to_metric_families(answer.text)}
        latency = families["gexdesk_latency_seconds"]
        counts = [s.value for s in latency.samples if s.name.endswith("_count")]
        assert sum(counts) == 1
        buckets = [s for s in latency.samples if s.name.endswith("_bucket") and s.labels["level"] == "LOW"]
        assert [b.value for b in buckets] == sorted(b.value for b in buckets)
        assert buckets[-1].labels["le"] == "+Inf"
        [received] = [s for s in families["gexdesk_source_payloads"].samples if s.labels.get("source") == "drop"]
        assert received.value == 1


async def test_a_query_parameter_that_is_unknown_or_comes_twice_is_refused_by_name_on_every_route(tmp_path: Path) -> None:
    async with on_tcp(tmp_path) as desk:
        key = with_key(desk.key(Scope.ADMIN))
        document = (await desk.http.get("/openapi.json")).json()
        paths = document["paths"] | {"/openapi.json": {"get": {}}}  # which the document does not name
        for path, operations in paths.items():
            for method, operation in operations.items():
                filled = re.sub(r"\{[^}]*\}", "SPX", path)
                answer = await desk.http.request(method, f"{filled}?bogus=1", headers=key)
                assert answer.status_code == 400, (method, path, answer.text)
                said = in_shape(answer)
                assert said["error"] == "bad_request"
                assert said["message"].startswith("query: there is no parameter 'bogus'; ")
                assert said["details"] == {"parameter": "bogus"}
                for parameter in operation.get("parameters", []):
                    if parameter["in"] == "query":
                        name = parameter["name"]
                        assert name in said["message"]
                        answer = await desk.http.request(method, f"{filled}?{name}=1&{name}=2", headers=key)
                        assert answer.status_code == 400, (method, path, answer.text)
                        assert in_shape(answer)["message"] == f"query: {name} is given 2 times; give it once"
        assert (await desk.http.get(f"{V1}/jobs?limit=1", headers=key)).status_code == 200
        assert (await desk.http.get(f"{V1}/jobs?", headers=key)).status_code == 200


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/ingest/status?moments=true", "query: there is no parameter 'moments'; none is allowed here"),
        ("/views?moment=true", "query: there is no parameter 'moment'; allowed here: moments"),
        ("/views?moments=true&moments=false", "query: moments is given 2 times; give it once"),
        ("/views?moments=often", "query.moments: Input should be a valid boolean, unable to interpret input"),
    ],
)
async def test_a_websocket_is_held_to_its_query_string_too(tmp_path: Path, path: str, words: str) -> None:
    async with on_tcp(tmp_path) as desk:
        with pytest.raises(InvalidStatus) as refused:
            async with desk.socket(f"{V1}{path}", desk.key(Scope.READ)):
                pass
        assert refused.value.response.status_code == 400
        said = json.loads(bytes(refused.value.response.body or b""))
        assert (said["error"], said["message"]) == ("bad_request", words)
        async with desk.socket(f"{V1}/views?moments=true", desk.key(Scope.READ)) as socket:
            assert await socket.recv()
