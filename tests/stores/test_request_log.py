"""The log of requests: what is damaged is put aside, what is promised stays."""

import os
from pathlib import Path

import pytest

from gexdesk.model.level import Level
from gexdesk.stores.base import RequestRecord
from gexdesk.stores.request_log import RequestLog


def request(number: int) -> RequestRecord:
    return RequestRecord(
        request_id=f"r{number}", source_url="https://feed.example/q", data_type="snapshot", symbol="SPX",
        requested_at=float(number), requested_by="jm", level=Level.HIGH, score=None, status="QUEUED",
    )  # fmt: skip


async def test_a_line_with_a_damaged_byte_is_put_aside_and_the_others_are_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl"
    log = RequestLog(path)
    await log.open(0.0)
    for number in range(3):
        await log.append(request(number))
    await log.close()
    path.write_bytes(path.read_bytes().replace(b"r1", b"r\xff"))
    kept, warning = await RequestLog(path).open(0.0)
    assert [record.request_id for record in kept] == ["r0", "r2"]
    assert "1 line of requests.jsonl could not be read" in warning
    assert b"r\xff" in path.with_name("requests.jsonl.damaged").read_bytes()


async def test_a_damaged_last_line_was_promised_and_half_a_line_was_not(tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl"
    log = RequestLog(path)
    await log.open(0.0)
    for number in range(3):
        await log.append(request(number))
    await log.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    kept, warning = await RequestLog(path).open(0.0)
    assert ([record.request_id for record in kept], warning) == (["r0", "r1"], "")
    path.write_bytes(whole.replace(b"r2", b"r\xff"))
    kept, warning = await RequestLog(path).open(0.0)
    assert [record.request_id for record in kept] == ["r0", "r1"]
    assert "1 line of requests.jsonl could not be read" in warning


async def test_where_the_file_cannot_be_opened_anew_the_old_one_is_still_written_to(tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl"
    log = RequestLog(path)
    await log.open(0.0)
    aside = path.rename(tmp_path / "aside")
    with pytest.raises(FileNotFoundError):
        log._take_up(0)
    aside.rename(path)
    other = os.open(tmp_path / "another file", os.O_WRONLY | os.O_CREAT)  # whoever opens next gets the number of a closed one
    try:
        await log.append(request(7))
        await log.close()
        assert os.fstat(other).st_size == 0
    finally:
        os.close(other)
    kept, _ = await RequestLog(path).open(0.0)
    assert [record.request_id for record in kept] == ["r7"]
