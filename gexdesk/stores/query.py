"""Ask one read-only SELECT over metadata, lake and audit, of a process that can do nothing else.

The caller's process never loads DuckDB: ``run_query`` starts ``answer.py``, hands it the question and kills it when it is late.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from gexdesk.model.errors import StoreError
from gexdesk.model.text import printable

KEPT = ("jobs", "requests", "decisions", "sources", "guidelines", "overrides", "incidents", "gaps", "dead_letters")
"""Tables of the metadata that a question sees as they are."""

RELATIONS = ("snapshots", "strikes", *KEPT, "audit")
"""What a question may name."""

ROW_CAP = 100_000
BYTE_CAP = 64 * 1024 * 1024

class Rows(list[dict[str, Any]]):
    """Hold an answer: one dict a row, values as JSON has them.

    Attributes:
        columns: Names in order, there also when no row is.
        note: One line where the answer was cut; else empty.
    """

    def __init__(self, rows: list[dict[str, Any]], columns: tuple[str, ...], note: str) -> None:
        super().__init__(rows)
        self.columns = columns
        self.note = note


def run_query(sql: str, *, state: Path, metadata_copy: Path, timeout_s: float = 30.0, memory_mb: int = 1024) -> Rows:
    """Run one SELECT, WITH, DESCRIBE, SHOW or SUMMARIZE over ``RELATIONS``.

    Timestamps come as ISO 8601 in UTC with ``Z``, NaN and infinities as None, JSON columns decoded, blobs as hex; a repeated column
    name gets a number. ``strikes`` shows each stored snapshot's rows once, whatever crashes and repeats left in the lake.

    Args:
        state: The state folder, with ``lake/`` and ``audit.jsonl``; either may be missing and is empty then.
        metadata_copy: A file made by ``Metadata.copy_to``.
        timeout_s: The process is killed after this long.
        memory_mb: What DuckDB may use; nothing is spilled to disk.

    Returns:
        At most ``ROW_CAP`` rows and about ``BYTE_CAP`` bytes; ``note`` says when there were more.

    Raises:
        StoreError: The question was refused, failed, took too long or too much memory; one line says which.
    """
    try:
        sql.encode()
    except UnicodeEncodeError as error:
        raise StoreError(f"the query holds half a character at position {error.start + 1}: give valid Unicode") from None
    question = {
        "sql": sql,
        "state": str(state.resolve()),
        "metadata_copy": str(metadata_copy.resolve()),
        "timeout_s": timeout_s,
        "memory_mb": memory_mb,
    }
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "gexdesk.stores.answer"],
            input=json.dumps(question).encode(),
            capture_output=True,
            timeout=timeout_s,
            check=False,
            # Nothing of the caller's environment but what Python needs to find this file: keys live in there.
            env={"PATH": os.defpath, "LANG": "C.UTF-8", "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        )
    except subprocess.TimeoutExpired:
        raise StoreError(f"the query took longer than {timeout_s:g} s and was stopped; narrow it by symbol and date") from None
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        last_words = printable(done.stderr.decode(errors="replace").strip().rpartition("\n")[2])
        why = f"signal {-done.returncode}" if done.returncode < 0 else f"exit {done.returncode}, {last_words}"
        raise StoreError(f"the query's process died ({why}); if it needed more than {memory_mb} MB, narrow it") from None
    if "error" in answer:
        raise StoreError(answer["error"])
    return Rows(answer["rows"], tuple(answer["columns"]), answer["note"])
