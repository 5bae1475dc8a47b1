"""Questions: what they see, each thing once, what they cannot reach, and how they end when they ask too much."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from kept_samples import OPEN_AT, kept, packed

from gexdesk.model.errors import StoreError
from gexdesk.model.level import Level
from gexdesk.stores.answer import answer
from gexdesk.stores.audit import Audit
from gexdesk.stores.base import Batch, JobRecord, KeptSnapshot
from gexdesk.stores.lake import Lake, visible_files
from gexdesk.stores.metadata import Metadata
from gexdesk.stores.query import RELATIONS, ROW_CAP, Rows, run_query

Ask = Callable[..., Rows]
SLOW = "SELECT count(*) FROM range(100000000) a(i), range(100000000) b(j) WHERE hash(i, j) = 7"


def ask_here(sql: str, *, state: Path, metadata_copy: Path) -> Rows:
    """Ask as ``run_query`` does, but without a process for each question: what is refused is refused by the same connection."""
    question = {"sql": sql, "state": str(state), "metadata_copy": str(metadata_copy), "memory_mb": 512}
    found = json.loads(json.dumps(answer(question), allow_nan=False))
    if "error" in found:
        raise StoreError(found["error"])
    return Rows(found["rows"], tuple(found["columns"]), found["note"])


class State:
    """A state folder with everything in it, and a way to ask."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lake = Lake(folder / "lake")
        self.metadata = Metadata(folder / "metadata.duckdb")
        self.metadata.open()
        self.copy = folder / "copy.duckdb"

    def keep(self, *snapshots: KeptSnapshot) -> int:
        self.lake.write(snapshots)
        return self.metadata.write(Batch(snapshots=snapshots))

    def ask(self, sql: str) -> Rows:
        self.metadata.copy_to(self.copy)
        return ask_here(sql, state=self.folder, metadata_copy=self.copy)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    made = State(tmp_path / "it's the state")
    yield made
    made.metadata.close()


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> State:
    """Return a state that no test changes; the secret lies outside of what a question may read."""
    made = State(tmp_path_factory.mktemp("full") / "state")
    made.keep(kept("j1"), kept("j2", symbol="BRK.B", as_of=OPEN_AT + 86_400, body="b"), kept("j3", symbol="007", body="c"))
    Audit(made.folder / "audit.jsonl").append(at=OPEN_AT, actor="jm", act="promote", target="cboe", reason="fed")
    (made.folder / "secret.csv").write_text("key\ncanary-4711\n")
    made.metadata.copy_to(made.copy)
    made.metadata.close()
    return made


@pytest.fixture(scope="module")
def prepared(full: State) -> Ask:
    return lambda sql: ask_here(sql, state=full.folder, metadata_copy=full.copy)


@pytest.fixture(scope="module")
def process(full: State) -> Ask:
    return lambda sql, **limits: run_query(sql, state=full.folder, metadata_copy=full.copy, **limits)


def test_a_fresh_state_answers_with_no_rows(state: State) -> None:
    for relation in RELATIONS:
        assert state.ask(f"SELECT count(*) AS n FROM {relation}") == [{"n": 0}], relation
    nothing = state.ask("SELECT symbol, as_of, strike FROM strikes")
    assert (list(nothing), nothing.columns, nothing.note) == ([], ("symbol", "as_of", "strike"), "")


def test_relations_are_what_is_offered(prepared: Ask) -> None:
    assert [row["name"] for row in prepared("SHOW TABLES")] == sorted(RELATIONS)
    promised = "symbol as_of received_at source spot net_gex gross_gex zero_gamma call_wall put_wall contracts coverage quality"
    promised += " flags quarantined revision job_id payload_sha256 format conventions warnings strike_count ordinal delay_s"
    assert set(promised.split()) <= {row["column_name"] for row in prepared("DESCRIBE snapshots")}
    columns = "symbol date source as_of job_id ordinal payload_sha256 strike call_open_interest put_open_interest"
    columns += " call_volume put_volume call_gex put_gex net_gex net_gex_volume"
    assert [row["column_name"] for row in prepared("DESCRIBE strikes")] == columns.split()


def test_values_come_as_json_has_them(process: Ask, prepared: Ask) -> None:
    columns = "as_of, received_at, conventions, warnings, call_wall, flags, quarantined"
    [row] = prepared(f"SELECT {columns} FROM snapshots WHERE symbol = 'SPX'")
    assert row["as_of"] == "2026-03-02T14:30:00Z"
    assert row["received_at"] == "2026-03-02T14:30:02.500000Z"
    assert row["conventions"]["rate"] == 0.04
    assert (row["warnings"], row["call_wall"], row["flags"], row["quarantined"]) == ([], None, [], False)
    sql = """SELECT 'nan'::DOUBLE AS a, '-inf'::DOUBLE AS b, 2::HUGEINT ** 70 AS c, 1.25::DECIMAL(9, 2) AS d,
        DATE '2026-03-02' AS e, [TIMESTAMPTZ '2026-03-02 09:30:00-05'] AS f, {'x': 1, 'y': ['z']} AS g, '\\xAB'::BLOB AS h,
        INTERVAL 90 SECOND AS i, NULL AS j,
        MAP {1: 'one'} AS k, TRUE AS l, TIME '09:30' AS m, 7 AS a"""
    [row] = process(sql)
    assert json.loads(json.dumps(row, allow_nan=False)) == {
        "a": None, "b": None, "c": 2.0**70, "d": 1.25, "e": "2026-03-02", "f": ["2026-03-02T14:30:00Z"], "g": {"x": 1, "y": ["z"]},
        "h": "ab", "i": 90.0, "j": None, "k": {"1": "one"}, "l": True, "m": "09:30:00", "a_1": 7,
    }  # fmt: skip


def test_strikes_and_audit_can_be_joined_with_the_rest(prepared: Ask) -> None:
    rows = prepared("""SELECT symbol, date, strike, strikes.net_gex FROM strikes JOIN snapshots USING (symbol, as_of, job_id)
        WHERE date >= '2026-03-03' AND symbol = 'BRK.B' ORDER BY strike -- the end;
        ;""")
    day = {"symbol": "BRK.B", "date": "2026-03-03"}
    nets = {5000.0: 1.5e9, 5005.0: -2.5e8, 5010.5: None}
    assert rows == [{**day, "strike": strike, "net_gex": net} for strike, net in nets.items()]
    assert prepared("SELECT DISTINCT symbol FROM strikes ORDER BY 1") == [{"symbol": name} for name in ("007", "BRK.B", "SPX")]
    [line] = prepared("SELECT sequence, acted_at, actor, reason FROM audit WHERE act = 'promote'")
    assert line == {"sequence": 1, "acted_at": "2026-03-02T14:30:00Z", "actor": "jm", "reason": "fed"}


@pytest.mark.parametrize(
    "sql",
    [
        "FROM read_csv('{state}/secret.csv')",
        "FROM '{state}/secret.csv'",
        "FROM read_text('{state}/secret.csv')",
        "FROM read_blob('{state}/lake/../secret.csv')",
        "FROM read_csv('/etc/passwd')",
        "FROM read_text('/proc/self/environ')",
        "FROM glob('/etc/*')",
        "FROM glob('{state}/*')",
        "FROM sniff_csv('/etc/passwd')",
        "FROM parquet_metadata('/etc/passwd')",
        "FROM read_json('https://example.com/x.json')",
        "FROM read_parquet('s3://bucket/x.parquet')",
        "FROM duckdb_secrets()",
        "FROM query('COPY (SELECT 1) TO ''{state}/out.csv''')",
        "SELECT getenv('HOME')",
        "FROM sys",
        "FROM question",
    ],
)
def test_nothing_else_of_the_machine_can_be_read(prepared: Ask, full: State, sql: str) -> None:
    with pytest.raises(StoreError) as refused:
        prepared(sql.replace("{state}", str(full.folder)))
    assert "\n" not in refused.value.message
    assert "canary" not in refused.value.message
    assert refused.value.message.startswith(("Permission Error", "Catalog Error", "Parser Error", "Binder Error", "IO Error"))


@pytest.mark.parametrize(
    "sql",
    [
        "COPY (SELECT 1) TO '{out}'",
        "COPY snapshots TO '{out}' (FORMAT parquet)",
        "EXPORT DATABASE '{out}'",
        "ATTACH '{out}' AS other",
        "INSTALL httpfs",
        "LOAD httpfs",
        "PRAGMA database_list",
        "SET memory_limit = '99GB'",
        "SET enable_external_access = true",
        "RESET lock_configuration",
        "CREATE TABLE t AS SELECT 1",
        "CREATE MACRO m() AS 1",
        "INSERT INTO jobs SELECT * FROM jobs",
        "DELETE FROM kept.jobs",
        "DROP TABLE kept.jobs",
        "CALL pragma_version()",
        "EXPLAIN ANALYZE SELECT 1",
        "CHECKPOINT",
        "USE kept",
        "BEGIN",
        "COMMIT",
        "SELECT 1; SELECT 2",
        "SELECT 1; COPY (SELECT 1) TO '{out}'",
        "COMMIT; DELETE FROM kept.jobs",
        "",
        " ; -- nothing",
    ],
)
def test_only_one_reading_statement_is_admitted(prepared: Ask, tmp_path: Path, sql: str) -> None:
    with pytest.raises(StoreError, match=r"query only reads|query takes one statement"):
        prepared(sql.replace("{out}", str(tmp_path / "out")))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "sql",
    [
        "WITH gone AS (DELETE FROM kept.snapshots RETURNING job_id) FROM gone",
        "WITH more AS (INSERT INTO kept.schema_version VALUES (9, now()) RETURNING 1) FROM more",
    ],
)
def test_a_select_that_writes_is_refused(prepared: Ask, sql: str) -> None:
    with pytest.raises(StoreError, match="read-only"):
        prepared(sql)
    assert prepared("SELECT count(*) AS n FROM snapshots") == [{"n": 3}]


def test_every_lock_is_on(prepared: Ask) -> None:
    locks = {"lock_configuration": "true", "enable_external_access": "false", "python_enable_replacements": "false"}
    locks |= {"autoload_known_extensions": "false", "autoinstall_known_extensions": "false", "temp_directory": ""}
    found = prepared("SELECT name, value FROM duckdb_settings()")
    assert locks.items() <= {row["name"]: row["value"] for row in found}.items()
    assert prepared("SELECT readonly FROM duckdb_databases() WHERE database_name = 'kept'") == [{"readonly": True}]


def test_the_callers_environment_does_not_get_in(process: Ask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # A file of that name where the caller stands must not be run either.
    (tmp_path / "duckdb.py").write_text("raise SystemExit('hijacked')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONSTARTUP", "nowhere")
    monkeypatch.setenv("GEXDESK_KEY", "canary-4711")
    [row] = process("SELECT string_agg(value, ' ') AS every_setting FROM duckdb_settings()")
    assert "canary" not in row["every_setting"]


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("SELECT * FROM snapshotz", "snapshots, strikes, jobs"),
        ("SELEC 1", "syntax error"),
        ("SELECT nothing FROM jobs", "nothing"),
        ("SELECT error('a\x1b[2Jb')", "a [2Jb"),
        ("SELECT CAST('x' AS INTEGER)", "x"),
    ],
)
def test_faults_are_one_printable_line(prepared: Ask, sql: str, says: str) -> None:
    with pytest.raises(StoreError) as refused:
        prepared(sql)
    assert says in refused.value.message
    assert refused.value.message.isprintable()


def test_the_process_hands_its_faults_to_the_caller(process: Ask) -> None:
    faults = {"FROM read_csv('/etc/passwd')": "Permission Error", "SELECT 1; SELECT 2": "found 2", "SELECT '\ud800'": "position 9"}
    for sql, says in faults.items():
        with pytest.raises(StoreError, match=says):
            process(sql)


def test_statements_may_hold_semicolons_comments_and_quotes(prepared: Ask) -> None:
    assert prepared("SELECT ';' AS a -- ; b") == [{"a": ";"}]
    assert prepared("/* ; */ SELECT 'it''s;' AS a ; ; -- done") == [{"a": "it's;"}]
    assert prepared("WITH a AS (SELECT 1 AS b) FROM a;") == [{"b": 1}]


def test_the_order_asked_for_is_the_order_given(prepared: Ask) -> None:
    rows = prepared("SELECT i FROM range(30000) t(i) ORDER BY (i * 7919) % 30011 DESC")
    assert [row["i"] for row in rows] == sorted(range(30000), key=lambda i: -((i * 7919) % 30011))


def test_an_answer_too_long_is_cut_and_says_so(process: Ask, prepared: Ask) -> None:
    assert prepared(f"SELECT i FROM range({ROW_CAP}) t(i)").note == ""
    cut = process("SELECT i FROM range(5000000) t(i)")
    assert len(cut) == ROW_CAP
    assert cut.note.startswith("cut after 100,000 rows, there are more")
    wide = prepared("SELECT repeat('x', 8000000) AS x FROM range(50)")
    assert 8 <= len(wide) < 12
    assert "cut after" in wide.note


def test_a_question_that_takes_too_long_is_killed(process: Ask) -> None:
    began = time.monotonic()
    with pytest.raises(StoreError, match=r"took longer than 1\.5 s"):
        process(SLOW, timeout_s=1.5)
    assert time.monotonic() - began < 5


def test_a_question_that_takes_too_much_memory_ends_alone(process: Ask) -> None:
    with pytest.raises(StoreError, match="needs more than 128 MB"):
        process("SELECT list(i ORDER BY hash(i)) FROM range(200000000) t(i)", memory_mb=128)


CRASH = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from kept_samples import kept
from gexdesk.stores.base import Batch
from gexdesk.stores.lake import Lake
from gexdesk.stores.metadata import Metadata
state = Path(sys.argv[1])
metadata = Metadata(state / "metadata.duckdb"); metadata.open()
first, second = (kept("j0", body="0"),), tuple(kept(f"j{n}", body=str(n)) for n in (1, 2, 3))
Lake(state / "lake").write(first); metadata.write(Batch(snapshots=first))
Lake(state / "lake").write(second)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_kill_between_lake_and_metadata_shows_each_strike_once_after_the_next_try(tmp_path: Path) -> None:
    here = str(Path(__file__).parent)
    done = subprocess.run([sys.executable, "-c", CRASH, str(tmp_path), here], capture_output=True, check=False)
    assert done.returncode == -9, done.stderr
    state = State(tmp_path)
    count = "SELECT count(*) AS n, count(DISTINCT (job_id, strike)) AS told_apart FROM strikes"
    # What was never committed is not there for a reader, though its file is.
    assert len(list(tmp_path.rglob("*.parquet"))) == 2
    assert state.ask(count) == [{"n": 3, "told_apart": 3}]
    # The jobs come again in other company, and one batch is tried twice.
    again = [kept(f"j{n}", body=str(n)) for n in (1, 2, 3)]
    assert state.keep(again[0], kept("j4", body="4")) == 2
    assert state.keep(again[2], again[1]) == 2
    assert state.keep(again[2], again[1]) == 0
    assert state.keep(*again) == 0
    assert state.ask(count) == [{"n": 15, "told_apart": 15}]
    state.lake.compact(at_least=2)
    assert state.ask(count) == [{"n": 15, "told_apart": 15}]
    state.metadata.close()


def test_a_day_imported_again_shows_the_same_rows_once(state: State) -> None:
    def day(name: str) -> list[KeptSnapshot]:
        return [kept(f"{name}{n}", as_of=OPEN_AT + n * 60, body=f"file {n}", received_at=OPEN_AT + n) for n in range(20)]

    for snapshot in day("a"):
        state.keep(snapshot)
    sql = "SELECT symbol, as_of, source, net_gex, strike FROM strikes ORDER BY as_of, strike"
    before = state.ask(sql)
    assert len(before) == 60
    assert state.keep(*day("b")) == 0
    assert state.ask(sql) == before
    changed = kept("c1", as_of=OPEN_AT, body="corrected", strikes=packed({5000.0: 9.0}))
    assert state.keep(changed) == 1
    assert len(state.ask(sql)) == 61
    latest = "SELECT revision, job_id FROM snapshots ORDER BY as_of, revision DESC LIMIT 1"
    assert state.ask(latest) == [{"revision": 2, "job_id": "c1"}]


@pytest.mark.parametrize("text", ["'; DROP VIEW strikes; --", "=1+1", "a'b\"c", "../..", "SPX/date=2020-01-01", "%41", "x" * 80])
def test_hostile_names_come_back_as_they_are(state: State, text: str) -> None:
    state.keep(kept("j1", symbol=text, source=text))
    assert state.ask("SELECT DISTINCT symbol, source FROM strikes") == [{"symbol": text, "source": text}]
    quoted = text.replace("'", "''")
    assert state.ask(f"SELECT count(*) AS n FROM strikes WHERE symbol = '{quoted}'") == [{"n": 3}]


def small_files(state: State, count: int) -> Callable[[], Rows]:
    for number in range(count):
        state.keep(kept(f"j{number}", body=str(number), as_of=OPEN_AT + number))
    state.metadata.copy_to(state.copy)
    return lambda: ask_here("SELECT count(*) AS n FROM strikes", state=state.folder, metadata_copy=state.copy)


def test_many_small_files_are_counted_while_they_are_being_joined(state: State) -> None:
    count = small_files(state, 100)
    joining = threading.Thread(target=lambda: [state.lake.compact(at_least=2) for _ in range(3)])
    joining.start()
    while joining.is_alive():
        assert count() == [{"n": 300}]
    assert count() == [{"n": 300}]
    assert len(list(state.folder.rglob("*.parquet"))) == 1


def test_files_joined_away_after_they_were_listed_are_listed_again(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    count = small_files(state, 4)

    def list_then_join(folder: Path) -> list[Path]:
        listed = visible_files(folder)
        state.lake.compact(at_least=2)
        return listed

    monkeypatch.setattr("gexdesk.stores.answer.visible_files", list_then_join)
    assert count() == [{"n": 12}]


def test_a_job_can_be_followed_to_its_strikes(state: State) -> None:
    times = (OPEN_AT, None, None, OPEN_AT + 3, None)
    job = JobRecord("j1", "cboe", "SPX", Level.CRITICAL, 0.95, "COMPLETED", *times, 1, 1, 9, "ab", "f")
    state.lake.write((snapshot := kept("j1"),))
    state.metadata.write(Batch(snapshots=(snapshot,), jobs=(job,)))
    columns = "level, epoch(available_at - received_at) AS took_s, count(*) AS n"
    sql = f"SELECT {columns} FROM jobs JOIN strikes USING (job_id) GROUP BY ALL"
    assert state.ask(sql) == [{"level": "CRITICAL", "took_s": 3.0, "n": 3}]


def test_the_process_ends_itself_when_nobody_is_left_to_do_it(full: State) -> None:
    question = {"sql": SLOW, "state": str(full.folder), "metadata_copy": str(full.copy), "timeout_s": 0.5, "memory_mb": 1024}
    command = [sys.executable, "-m", "gexdesk.stores.answer"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as left:
        assert left.stdin is not None
        left.stdin.write(json.dumps(question).encode())
        left.stdin.close()
        assert left.wait(timeout=20) == -signal.SIGALRM


def test_asking_loads_no_database_into_the_callers_process() -> None:
    program = "import sys, gexdesk.stores.query; print({'duckdb', 'polars', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=dict(os.environ))
    assert done.stdout.strip() == "set()"


def test_a_torn_audit_line_is_left_out(state: State) -> None:
    audit = Audit(state.folder / "audit.jsonl")
    audit.append(at=OPEN_AT, actor="jm", act="pause", target="cboe", reason="frozen")
    with audit.path.open("ab") as file:
        file.write(b'{"sequence":2,"at":1')
    assert state.ask("SELECT act FROM audit") == [{"act": "pause"}]
    assert msgspec.json.decode(audit.path.read_bytes().splitlines()[0])["act"] == "pause"


def test_headers_of_a_lost_metadata_come_back_from_the_lake(state: State) -> None:
    state.keep(kept("j1", net_gex=1.25e9), kept("j2", symbol="NDX", body="b"))
    state.keep(kept("j3", body="corrected", strikes=packed({5000.0: 9.0})))
    state.lake.write([kept("j1", net_gex=1.25e9), kept("j9", symbol="NDX", body="b")])  # an attempt that was done again
    columns = "symbol, source, as_of, payload_sha256, ordinal"
    before = state.ask(f"SELECT {columns} FROM snapshots ORDER BY symbol, payload_sha256")
    strikes = state.ask("SELECT count(*) AS n FROM strikes")
    state.metadata.close()
    state.metadata.path.unlink()
    state.metadata.open()
    assert state.metadata.rebuild(visible_files(state.folder / "lake")) == 3
    assert state.ask(f"SELECT {columns} FROM snapshots ORDER BY symbol, payload_sha256") == before
    sums = state.ask("SELECT strike_count AS n, net_gex, revision FROM snapshots ORDER BY symbol, revision")
    # 1.5 - 0.25 bn, one unknown; the second document for SPX's stamp is its second revision.
    assert [tuple(row.values()) for row in sums] == [(3, 1.25e9, 1), (3, 1.25e9, 1), (1, 9.0, 2)]
    assert state.ask("SELECT count(*) AS n FROM strikes") == strikes
    assert state.ask("SELECT DISTINCT flags, zero_gamma, received_at = as_of AS same FROM snapshots") == [
        {"flags": ["rebuilt"], "zero_gamma": None, "same": True}
    ]
    assert state.ask("SELECT count(*) AS n FROM snapshots WHERE NOT quarantined") == [{"n": 0}], "nobody knows which were good"
    assert state.keep(kept("j1", net_gex=1.25e9)) == 0
