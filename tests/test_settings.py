"""A configuration that can be used is read as it is meant; any other is refused with file, key and what was found."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gexdesk.assemble.desk import assemble
from gexdesk.model.clock import SystemClock
from gexdesk.model.errors import GuidelineError, SettingsError
from gexdesk.model.level import DEFAULT_PROMISE_S, LEVELS, Level
from gexdesk.settings.desk import Settings
from gexdesk.settings.load import load_settings
from gexdesk.settings.places import default_state, find_configuration
from gexdesk.settings.sources import DirectorySource, HttpSource, ReplaySource

WHOLE = """
state = "kept/here"
guidelines = "rules.toml"

[engine]
workers = 4
pool_processes = 2
gate_bytes = 1024

[rates]
rate = 0.05

[promises_s]
CRITICAL = 10
LOW = 3600

[[sources]]
kind = "http"
name = "gexbot-spx"
url = "https://feed.example/spx"
symbols = ["SPX"]
every_s = 1
key_file = "secrets/key"
key_param = "key"
level = "auto"
assume = { volume = 600000, open_interest = 1400000 }

[[sources]]
kind = "directory"
name = "drop"
path = "in"
level = "CRITICAL"
delay_s = 0

[[sources]]
kind = "replay"
name = "morning"
path = "~/morning"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "desk.toml"
    path.write_text(text)
    return path


def test_a_whole_configuration_is_read_as_it_is_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/jm")
    settings = load_settings(written(tmp_path, WHOLE))
    assert settings.state == tmp_path / "kept" / "here"
    assert settings.guidelines.file == tmp_path / "rules.toml"
    assert (settings.engine.workers, settings.engine.pool_processes, settings.engine.gate_bytes) == (4, 2, 1024)
    conventions = settings.conventions.usual
    assert (conventions.rate, conventions.dividend_yield, conventions.multiplier) == (0.05, 0.013, 100.0)
    assert [settings.promise_s(level) for level in LEVELS] == [10.0, 300.0, 1800.0, 3600.0]
    http, drop, morning = settings.sources
    assert isinstance(http, HttpSource)
    assert (http.key_file, http.every_s, http.symbols) == (tmp_path / "secrets" / "key", 1.0, ("SPX",))
    assert http.delay_s is None
    assert http.assume is not None
    assert http.assume.volume == 600_000
    assert isinstance(drop, DirectorySource)
    assert (drop.path, drop.level, drop.delay_s) == (tmp_path / "in", "CRITICAL", 0.0)
    assert isinstance(morning, ReplaySource)
    assert (morning.path, morning.level) == (Path("/home/jm/morning"), "")
    assert settings.mode == "live"


def test_an_empty_configuration_is_a_desk_without_sources(tmp_path: Path) -> None:
    settings = load_settings(written(tmp_path, ""))
    assert settings.model_dump() == Settings(state=default_state()).model_dump()
    assert {level: settings.promise_s(level) for level in LEVELS} == DEFAULT_PROMISE_S


def test_a_promise_of_nought_is_best_effort(tmp_path: Path) -> None:
    settings = load_settings(written(tmp_path, "[promises_s]\nHIGH = 0\n"))
    assert settings.promise_s(Level.HIGH) is None
    assert settings.promise_s(Level.CRITICAL) == 30.0


def test_the_state_that_is_asked_for_wins_and_is_read_from_where_one_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    assert load_settings(written(tmp_path, WHOLE), tmp_path / "other").state == tmp_path / "other"
    assert load_settings(written(tmp_path, WHOLE), Path("other")).state == Path("/other")


SOURCE = '[[sources]]\nkind = "directory"\npath = "in"\n'
HTTP = '[[sources]]\nkind = "http"\nname = "x"\n'


@pytest.mark.parametrize(
    ("text", "where", "found"),
    [
        ("workers = 3", "workers: no such key here", "misspelt"),
        ("[engine]\nworkesr = 3", "engine.workesr: no such key here", "misspelt"),
        ("[engine]\nworkers = 0", "engine.workers: Input should be greater than or equal to 1", "0"),
        ('[engine]\nworkers = "many"', "engine.workers: Input should be a valid integer", "many"),
        ('[engine]\nworkers = "4"', "engine.workers: Input should be a valid integer, without quotation marks", "'4'"),
        ("[engine]\nworkers = 4.0", "engine.workers: Input should be a valid integer", "4.0"),
        ("[engine]\nworkers = true", "engine.workers: Input should be a valid integer", "true"),
        ("[engine]\nkeep_days = '1.5'", "engine.keep_days: Input should be a valid number, without quotation marks", "'1.5'"),
        ("[engine]\nkeep_days = true", "engine.keep_days: Input should be a valid number", "true"),
        ('read_only = "false"', "read_only: Input should be a valid boolean, without quotation marks", "'false'"),
        ("read_only = 0", "read_only: Input should be a valid boolean", "0"),
        ('[promises_s]\nHIGH = "30"', "promises_s.HIGH: Input should be a valid number, without quotation marks", "'30'"),
        (HTTP + 'url = "https://x"\nevery_s = "1"', "sources.0.http.every_s: Input should be a valid number", "'1'"),
        (HTTP + 'url = "https://x"\nalways = "no"', "sources.0.http.always: Input should be a valid boolean", "'no'"),
        ('[[symbols]]\nname = "SPX"\nfailover_after_s = "30"', "symbols.0.failover_after_s: Input should be a valid", "'30'"),
        ('[rates.symbols.QQQ]\nrate = "0.05"', "rates.symbols.QQQ.rate: Input should be a valid number", "'0.05'"),
        ("[engine]\ntask_limit_s = inf", "engine.task_limit_s: Input should be a finite number", "inf"),
        ("[rates]\nrate = nan", "rates.rate", "nan"),
        ("state = 5", "state: ", "5"),
        ("guidelines = []", "guidelines: ", "a list"),
        ("sources = 'x'", "sources: ", "x"),
        ("[promises_s]\nURGENT = 3", "promises_s.URGENT", "URGENT"),
        ("[promises_s]\nCRITICAL = -1", "promises_s.CRITICAL", "-1"),
        (SOURCE, "sources.0.directory.name: Field required", ""),
        (SOURCE + 'name = "Drop Box"', "sources.0.directory.name", "Drop Box"),
        (SOURCE + 'name = "../../x"', "sources.0.directory.name", "../../x"),
        (SOURCE + 'name = "x"\nlevel = "critical"', "sources.0.directory.level: Input should be 'CRITICAL', 'HIGH'", "critical"),
        (SOURCE + 'name = "x"\nsymbols = ["spx"]', "sources.0.directory.symbols: not a symbol: 'spx'", "spx"),
        (SOURCE + 'name = "x"\nformat = "excel"', "sources.0.directory.format", "excel"),
        (SOURCE + 'name = "x"\ndelay_s = -1', "sources.0.directory.delay_s", "-1"),
        (SOURCE + 'name = "x"\nurl = "https://x"', "sources.0.directory.url: no such key here", "misspelt"),
        (SOURCE + 'name = "x"\n' + SOURCE + 'name = "x"', "two sources are named 'x'; every name stands once", ""),
        ('[[sources]]\nkind = "fax"\nname = "x"', "sources.0: Input tag 'fax'", "fax"),
        ('[[sources]]\nname = "x"', "sources.0: ", "x"),
        (HTTP + 'url = "file:///etc/passwd"', "sources.0.http.url", "file:///etc/passwd"),
        (HTTP + 'url = "https://x"\nevery_s = 0', "sources.0.http.every_s", "0"),
        (HTTP + 'url = "https://x"\nkey_env = "K"', "a key needs one of key_env, key_file and one of key_header, key_param", ""),
        (HTTP + 'url = "https://x"\nkey_env = "K"\nkey_file = "f"\nkey_param = "k"', "a key needs one of", ""),
        ('mode = "sample"', "mode: not a key of a configuration", ""),
        ("state = ", "not valid TOML", "at end of document"),
        ("[engine]\nworkers = 1 2", "not valid TOML", "line 2"),
    ],
)
def test_a_bad_configuration_names_file_key_and_what_was_found(tmp_path: Path, text: str, where: str, found: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(SettingsError) as refused:
        load_settings(path)
    message = refused.value.message
    assert message.startswith(f"{path}: ")
    assert where in message
    assert found in message
    assert message.isprintable()


def test_a_whole_number_is_a_number_and_every_truth_number_and_text_is_taken_as_it_is_written(tmp_path: Path) -> None:
    settings = load_settings(written(tmp_path, 'read_only = true\n[engine]\nkeep_days = 2\n[promises_s]\nHIGH = 30\n'))
    assert (settings.read_only, settings.engine.keep_days, settings.promises_s["HIGH"]) == (True, 2.0, 30)  # type: ignore[index]


def test_no_scalar_of_any_table_takes_a_text(tmp_path: Path) -> None:
    def scalars(schema: Any) -> Iterator[dict[str, Any]]:
        if isinstance(schema, dict):
            if schema.get("type") in ("bool", "int", "float"):
                yield schema
            schema = list(schema.values())
        if isinstance(schema, list | tuple):
            for part in schema:
                yield from scalars(part)

    found = list(scalars(Settings.__pydantic_core_schema__))
    assert len(found) > 50
    assert all(one.get("strict") for one in found)


def test_a_message_says_how_many_more_there_are(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"engine\.workers: .*\(and 2 more\)"):
        load_settings(written(tmp_path, "[engine]\nworkers = 0\npool_processes = 0\nlease_s = 0\n"))


def test_nothing_in_a_message_can_steer_a_terminal(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings(written(tmp_path, '"\\u001b[2J" = "\\u001b]0;x\\u0007"'))
    assert refused.value.message.isprintable()


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"missing\.toml: no such file; `gexdesk init` writes one"):
        load_settings(tmp_path / "missing.toml")
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b"# gr\xfc\xdfe\n")
    with pytest.raises(SettingsError, match=r"latin\.toml: cannot be read"):
        load_settings(tmp_path / "latin.toml")


def test_the_configuration_is_found_where_it_is_named_or_in_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GEXDESK_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert find_configuration() is None
    (tmp_path / "gexdesk").mkdir()
    (tmp_path / "gexdesk" / "gexdesk.toml").touch()
    assert find_configuration() == tmp_path / "gexdesk" / "gexdesk.toml"
    named = tmp_path / "named.toml"
    monkeypatch.setenv("GEXDESK_CONFIG", str(named))
    with pytest.raises(SettingsError, match=r"\$GEXDESK_CONFIG names .*named\.toml, which is not a file"):
        find_configuration()
    named.touch()
    assert find_configuration() == named


def test_the_state_folder_is_where_state_belongs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/var/tmp/state")
    assert default_state() == Path("/var/tmp/state/gexdesk")
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "/home/jm")
    assert default_state() == Path("/home/jm/.local/state/gexdesk")


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ('guidelines = "rules.toml"', GuidelineError, r"rules\.toml"),
        (HTTP + 'url = "https://x"\nkey_env = "NOT_SET"\nkey_param = "key"\nlevel = "auto"', SettingsError, "NOT_SET"),
        (HTTP + 'url = "https://x"\nkey_file = "key"\nkey_param = "key"\nlevel = "auto"', SettingsError, "key"),
        ('[[sources]]\nkind = "replay"\nname = "x"\npath = "nowhere"\nlevel = "auto"', SettingsError, "nowhere"),
    ],
)
async def test_what_it_names_and_cannot_be_used_is_refused_before_anything_runs(
    tmp_path: Path, text: str, kind: type[Exception], words: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(kind, match=words):
        assemble(load_settings(path, tmp_path / "state"), SystemClock())


def test_the_guidelines_are_a_path_or_a_table(tmp_path: Path) -> None:
    table = '[guidelines]\nfile = "rules.toml"\napply_on_save = true\nlocked_hours = ["09:25 - 09:45"]\nbacktest_last = 5\n'
    found = load_settings(written(tmp_path, table)).guidelines
    assert (found.file, found.apply_on_save, found.locked_hours, found.backtest_last) == (
        tmp_path / "rules.toml", True, ("09:25-09:45",), 5,
    )  # fmt: skip
    assert load_settings(written(tmp_path, "")).guidelines.file is None


SCHEDULE = SOURCE + 'name = "x"\nsymbols = ["SPX"]\nlevel = "auto"\n'
SCHEDULE += '[[schedules]]\nname = "cpi"\nlevel = "CRITICAL"\nreason = "CPI"\n'


def test_a_schedule_has_a_target_times_and_days(tmp_path: Path) -> None:
    text = SCHEDULE + 'target = "SPX"\nfrom = "8:25"\nto = "08:45"\n'
    with pytest.raises(SettingsError, match=r"schedules\.0\.from: .*'8:25' is no time of day; write it as in 09:30"):
        load_settings(written(tmp_path, text))
    [found] = load_settings(written(tmp_path, text.replace('"8:25"', '"08:25"') + 'days = [2026-11-27, "sat"]\n')).schedules
    assert (found.begins, found.to, found.days, found.bound, found.trading_days) == (
        "08:25", "08:45", ("2026-11-27", "sat"), "exactly", True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("rest", "words"),
    [
        ('target = "QQQ"\nfrom = "08:25"\nto = "08:45"', "target 'QQQ' is no source and no symbol of one; there are x, SPX"),
        ('target = "SPX"\nfrom = "08:25"\nto = "08:25"', "it begins and ends at 08:25"),
        ('target = "SPX"\nfrom = "08:25"\nto = "24:00"', "'24:00' is no time of day"),
        ('target = "SPX"\nfrom = "08:25"\nto = "08:45"\ndays = ["monday"]', "'monday' is no day; write one of mon, tue"),
        ('target = "SPX"\nfrom = "08:25"\nto = "08:45"\ndays = []', "a schedule needs a day"),
        ('target = "SPX"\nfrom = "08:25"\nto = "08:45"\nbound = "about"', "schedules.0.bound"),
        ('target = "SPX"\nto = "08:45"', "schedules.0.from"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(tmp_path: Path, rest: str, words: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings(written(tmp_path, SCHEDULE + rest))
    assert words in refused.value.message


@pytest.mark.parametrize("span", ["9:25-09:45", "09:25", "09:25-09:25", "09:25-9:45am", "soon"])
def test_locked_hours_that_are_none_are_refused(tmp_path: Path, span: str) -> None:
    with pytest.raises(SettingsError, match=r"guidelines\.locked_hours: "):
        load_settings(written(tmp_path, f'[guidelines]\nlocked_hours = ["{span}"]'))


def test_what_stands_under_an_unknown_key_is_not_shown(tmp_path: Path) -> None:
    """It may be a key that was put where it does not belong."""
    with pytest.raises(SettingsError) as refused:
        load_settings(written(tmp_path, SOURCE + 'name = "x"\nkey = "canary-7731"'))
    assert "canary" not in refused.value.message


def test_a_source_may_not_watch_the_state_folder(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="watches the state folder itself"):
        load_settings(written(tmp_path, 'state = "in"\n' + SOURCE + 'name = "x"'))


def test_a_symbol_s_own_rates_go_before_the_usual_ones(tmp_path: Path) -> None:
    text = "[rates]\nrate = 0.05\n[rates.symbols.QQQ]\ndividend_yield = 0.006\n[rates.symbols.XSP]\nrate = 0\n"
    text += '[[symbols]]\nname = "XSP"\nmultiplier = 10\n[[symbols]]\nname = "MINI"\nmultiplier = 1\n'
    book = load_settings(written(tmp_path, text)).conventions
    assert (book.of("SPX").rate, book.of("SPX").dividend_yield) == (0.05, 0.013)
    assert (book.of("QQQ").rate, book.of("QQQ").dividend_yield) == (0.05, 0.006)
    assert (book.of("XSP").rate, book.of("XSP").dividend_yield, book.of("XSP").multiplier) == (0.0, 0.013, 10.0)
    assert (book.of("MINI").rate, book.of("MINI").multiplier, book.of("SPX").multiplier) == (0.05, 1.0, 100.0)


def test_rates_of_no_symbol_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="not a symbol: 'spx'"):
        load_settings(written(tmp_path, "[rates.symbols.spx]\nrate = 0.05\n"))


@pytest.mark.parametrize(
    "text",
    [
        '[[schedules]]\nname = "open"\n',
        '[[schedules]]\nname = "a"\nsymbols = ["SPX"]\nlevel = "HIGH"\nbegins = "09:30"\nto = "09:30"\nreason = "x"\n',
        '[[sources]]\nkind = "directory"\nname = "a"\npath = "in"\nlevel = "auto"\n' * 2,
        "[engine]\nslots = true\n",
    ],
)
def test_a_fault_is_told_in_the_house_s_words_without_those_of_the_validator(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings(written(tmp_path, text))
    for leak in ("Value error", "{'", "PosixPath", "True", "datetime", "[{"):
        assert leak not in refused.value.message, refused.value.message
