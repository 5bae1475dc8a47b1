"""One engine a state folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gexdesk.engine.lock import StateLock
from gexdesk.model.errors import StoreError

HOLDER = """
import sys, time
from pathlib import Path
from gexdesk.engine.lock import StateLock
lock = StateLock(Path(sys.argv[1]))
lock.take()
print("held", flush=True)
time.sleep(60)
"""


def test_the_second_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    first, second = StateLock(tmp_path / "engine.lock"), StateLock(tmp_path / "engine.lock")
    first.take()
    with pytest.raises(StoreError) as refused:
        second.take()
    assert f"another engine (process {os.getpid()}) runs on {tmp_path}" in refused.value.message
    assert f"gexdesk stop --state {tmp_path}" in refused.value.message
    first.release()
    second.take()
    second.release()


def test_the_kernel_lets_go_when_the_holder_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "engine.lock"
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, path], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(StoreError, match=f"process {holder.pid}"):
        StateLock(path).take()
    holder.kill()
    holder.communicate()
    lock = StateLock(path)
    lock.take()
    assert path.read_text() == f"{os.getpid()}\n"
    assert path.stat().st_mode & 0o777 == 0o600
    lock.release()
    lock.release()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"file/engine\.lock cannot be written \(Not a directory\)"):
        StateLock(tmp_path / "file" / "engine.lock").take()
