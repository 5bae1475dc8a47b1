"""``inspect``, ``query``, ``sample`` and ``init``: verbs that need no engine."""

import asyncio
import gzip
import json
import tomllib
from pathlib import Path

import pytest

from gexdesk.guidelines.rules import load
from gexdesk.settings.load import load_settings
from tests.cli.program import Said, gexdesk, in_here
from tests.engine.desk_setting import drop, engine_on, folder_source, gexbot_at, settings_of
from tests.formats.format_samples import HTML, cboe_csv, cboe_json, gexbot


def test_inspect_counts_every_row_and_computes(tmp_path: Path) -> None:
    (tmp_path / "chain.json").write_bytes(cboe_json())
    said = in_here("inspect", tmp_path / "chain.json", "--json")
    assert (said.code, said.err) == (0, "")
    found = said.document
    assert (found["format"], found["symbol"], found["spot"]) == ("cboe_json", "SPX", 6001.25)
    assert found["as_of"] == "2026-03-02T15:00:10Z"
    assert (found["contracts"], found["expiries"], found["strikes"]) == (4, 1, 2)
    assert (found["total_open_interest"], found["total_volume"]) == (120 + 75 + 1000 + 120, 160)
    assert sorted(found["zero_gamma"]) == ["roots", "status", "value"]
    assert found["conventions"]["rate"] == 0.043
    assert found["gross_gex"] >= abs(found["net_gex"])
    assert not any(name.startswith("profile") for name in found)


def test_inspect_answers_a_list_for_many_records_and_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    day_of_three = b"\n".join([gexbot(), gexbot(ticker="NDX"), gexbot(ticker="VIX")])
    (tmp_path / "day.jsonl.gz").write_bytes(gzip.compress(day_of_three, mtime=0))
    (tmp_path / "table.csv").write_bytes(cboe_csv())
    said = in_here("inspect", tmp_path / "day.jsonl.gz", tmp_path / "table.csv", "--json")
    assert said.code == 0
    day, table = said.document
    assert [(record["symbol"], record["contracts"]) for record in day] == [("SPX", None), ("NDX", None), ("VIX", None)]
    assert (table["format"], table["contracts"]) == ("cboe_csv", 6)  # a line of the table is two contracts
    shown = in_here("inspect", tmp_path / "table.csv")
    assert shown.code == 0
    assert "cboe_csv" in shown.out
    assert "IV from mid: 1 of 6 contracts" in shown.err
    assert "None" not in in_here("inspect", tmp_path / "day.jsonl.gz").out, "what nobody knows is a dash"


@pytest.mark.parametrize(
    ("name", "body", "kind"),
    [
        ("login\x1b[2J.html", HTML, "unrecognised_format"),
        ("cut.json", gexbot()[:-30], "malformed_payload"),
        ("bomb.gz", gzip.compress(b"0" * 20_000_000, mtime=0), "oversize_payload"),
        ("missing.json", None, "malformed_payload"),
    ],
    ids=["page", "cut", "bomb", "missing"],
)
def test_inspect_refuses_in_one_printable_line(tmp_path: Path, name: str, body: bytes | None, kind: str) -> None:
    if body is not None:
        (tmp_path / name).write_bytes(body)
    said = in_here("inspect", tmp_path / name, "--json")
    assert said.code == 1
    assert said.err.count("\n") == 1
    assert said.err.rstrip("\n").isprintable()
    document = said.document
    assert sorted(document) == ["details", "error", "message"]
    assert document["error"] == kind
    assert said.err == f"gexdesk: {document['message']}\n"


def test_one_bad_file_among_good_ones_costs_only_itself(tmp_path: Path) -> None:
    (tmp_path / "good.json").write_bytes(gexbot())
    (tmp_path / "bad.json").write_bytes(b"{}")
    said = in_here("inspect", tmp_path / "bad.json", tmp_path / "good.json", "--json")
    assert said.code == 1
    bad, good = said.document
    assert (bad["file"], bad["error"]) == (str(tmp_path / "bad.json"), "unrecognised_format")
    assert good["symbol"] == "SPX"
    assert in_here("inspect", tmp_path / "good.json", "--format", "cboe_csv").code == 1
    unknown = in_here("inspect", tmp_path / "good.json", "--format", "excel")
    assert "allowed: cboe_json, cboe_csv, gexbot, canonical" in unknown.err


def test_query_reads_and_never_writes(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "state", folder_source("drop", tmp_path / "in"))
    drop(tmp_path / "in", "a.json", gexbot_at(1.0))

    async def once() -> None:
        async with engine_on(settings, once=True) as engine:
            await engine.idle()

    asyncio.run(once())
    said = in_here("query", "SELECT symbol, revision FROM snapshots", "--state", settings.state, "--json")
    assert (said.code, said.document, said.err) == (0, [{"symbol": "SPX", "revision": 1}], "")
    shown = in_here("query", "SELECT symbol FROM snapshots", "--state", settings.state)
    assert "SPX" in shown.out
    assert "no rows" in in_here("query", "SELECT 1 AS x WHERE false", "--state", settings.state).err
    for sql in ("DELETE FROM snapshots", f"COPY snapshots TO '{tmp_path}/stolen.csv'", "SELECT 1; DROP TABLE snapshots", "SELEC"):
        refused = in_here("query", sql, "--state", settings.state, "--json")
        assert refused.code == 1, sql
        assert refused.document["error"] == "store_error"
        assert refused.err.count("\n") == 1
    assert not (tmp_path / "stolen.csv").exists()
    counted = in_here("query", "SELECT count(*) AS n FROM snapshots", "--state", settings.state, "--json")
    assert counted.document == [{"n": 1}]


def test_query_where_nothing_was_ever_kept_says_so(tmp_path: Path) -> None:
    said = in_here("query", "SELECT 1 FROM snapshots", "--state", tmp_path / "nowhere")
    assert said.code == 1
    assert str(tmp_path / "nowhere") in said.err
    assert said.err.count("\n") == 1
    assert not (tmp_path / "nowhere").exists()


def test_init_writes_files_that_load_and_never_overwrites(tmp_path: Path) -> None:
    said = in_here("init", tmp_path / "desk")
    assert said.code == 0
    folder = tmp_path / "desk"
    assert {path.name for path in folder.iterdir()} == {"gexdesk.toml", "guidelines.toml"}
    assert load_settings(folder / "gexdesk.toml").sources == ()
    assert load(folder / "guidelines.toml").name == "default"
    (folder / "gexdesk.toml").write_text("# mine\n")
    again = in_here("init", tmp_path / "desk")
    assert again == Said(1, "", f"gexdesk: {folder / 'gexdesk.toml'} is there already; nothing was written\n")
    assert (folder / "gexdesk.toml").read_text() == "# mine\n"


def test_every_example_in_the_starter_is_a_configuration(tmp_path: Path) -> None:
    in_here("init", tmp_path / "desk")
    starter = (tmp_path / "desk" / "gexdesk.toml").read_text().splitlines()
    # A commented line of configuration begins without a space after its mark or is a key or a table; words end in a stop.
    live = []
    for line in starter:
        bare = line.removeprefix("# ")
        live.append(bare if line.startswith("# ") and (bare.startswith("[") or "=" in bare.split("#")[0]) else line)
    text = "\n".join(line for line in live if not _is_prose(line))
    assert {source["kind"] for source in tomllib.loads(text)["sources"]} == {"http", "directory"}
    (tmp_path / "desk" / "full.toml").write_text(text)
    settings = load_settings(tmp_path / "desk" / "full.toml")
    assert [source.name for source in settings.sources] == ["cboe-spx", "gexbot-spx", "drop"]
    assert settings.guidelines.file == tmp_path / "desk" / "guidelines.toml"


def _is_prose(line: str) -> bool:
    try:
        tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return True
    return False


def test_init_goes_where_the_user_keeps_configurations(tmp_path: Path) -> None:
    assert gexdesk(tmp_path, "init").code == 0
    assert (tmp_path / ".config" / "gexdesk" / "gexdesk.toml").is_file()
    assert gexdesk(tmp_path, "init", XDG_CONFIG_HOME=str(tmp_path / "xdg")).code == 0
    assert (tmp_path / "xdg" / "gexdesk" / "gexdesk.toml").is_file()


def test_sample_writes_the_same_morning_for_the_same_seed_and_into_an_empty_folder_only(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    said = in_here("sample", tmp_path / "full")
    assert said == Said(1, "", f"gexdesk: {tmp_path / 'full'} is not empty; name a new folder\n")
    assert json.dumps([path.name for path in (tmp_path / "full").iterdir()]) == '["mine"]'
