"""What is built in, then the file, then the environment, then the flags."""

from pathlib import Path

import pytest

from gexdesk.model.errors import SettingsError
from gexdesk.settings.desk import Settings
from gexdesk.settings.load import load_settings
from tests.cli.program import gexdesk

FILE = """
listen = "127.0.0.1:1"
guidelines = "rules.toml"
[engine]
workers = 3
keep_days = 1.5
[promises_s]
CRITICAL = 20
[[sources]]
name = "a"
kind = "http"
url = "https://file.example/q"
level = "auto"
[[sources]]
name = "b"
kind = "directory"
path = "in"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Write a configuration."""
    (tmp_path / "gexdesk.toml").write_text(FILE)
    return tmp_path / "gexdesk.toml"


def layered(monkeypatch: pytest.MonkeyPatch, file: Path | None, state: Path | None = None, **variables: str) -> Settings:
    for name, value in variables.items():
        monkeypatch.setenv(f"GEXDESK_{name}", value)
    return load_settings(file, state)


def test_the_environment_goes_before_the_file_and_the_file_before_what_is_built_in(
    monkeypatch: pytest.MonkeyPatch, file: Path
) -> None:
    settings = layered(
        monkeypatch, file, LISTEN="0.0.0.0:8765", READ_ONLY="true", ENGINE__WORKERS="7", SOURCES__0__URL="https://env.example/q",
        SOURCES__0__SYMBOLS='["SPX", "NDX"]', SOURCES__1__LEVEL="HIGH", PROMISES_S__CRITICAL="15", PROMISES_S__HIGH="100",
        RATES__SYMBOLS__QQQ__RATE="0.05", GUIDELINES__APPLY_ON_SAVE="true", SUBMIT__HOSTS='["feed.example"]',
    )  # fmt: skip
    assert (settings.listen, settings.read_only) == ("0.0.0.0:8765", True)
    assert (settings.engine.workers, settings.engine.keep_days, settings.engine.pool_processes) == (7, 1.5, 1)
    assert [source.level for source in settings.sources] == ["auto", "HIGH"]
    assert settings.sources[0].url == "https://env.example/q"  # type: ignore[union-attr]
    assert settings.sources[0].symbols == ("SPX", "NDX")
    assert (settings.promises_s["CRITICAL"], settings.promises_s["HIGH"]) == (15, 100)  # type: ignore[index]
    assert settings.rates.symbols["QQQ"].rate == 0.05
    assert settings.guidelines.apply_on_save
    assert settings.guidelines.file == file.parent / "rules.toml"
    assert settings.submit.hosts == ("feed.example",)


@pytest.mark.parametrize(
    ("text", "meant"),
    [("true", True), ("True", True), ("yes", True), ("on", True), ("1", True), ("'1'", True), ("false", False), ("FALSE", False),
     ("no", False), ("0", False)],
)  # fmt: skip
def test_truth_is_said_in_the_environment_as_people_say_it(
    monkeypatch: pytest.MonkeyPatch, file: Path, text: str, meant: bool
) -> None:
    settings = layered(monkeypatch, file, READ_ONLY=text, GUIDELINES__APPLY_ON_SAVE=text)
    assert (settings.read_only, settings.guidelines.apply_on_save) == (meant, meant)


def test_numbers_in_quotation_marks_are_numbers_in_the_environment_alone(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    said = {
        "ENGINE__WORKERS": '"7"', "ENGINE__KEEP_DAYS": "'2.5'", "SOURCES__0__EVERY_S": '"1"', "PROMISES_S__HIGH": "'90'",
        "RATES__SYMBOLS__QQQ__RATE": '"0.05"', "SOURCES__0__ALWAYS": "yes",
    }  # fmt: skip
    settings = layered(monkeypatch, file, **said)
    assert (settings.engine.workers, settings.engine.keep_days, settings.promises_s["HIGH"]) == (7, 2.5, 90)  # type: ignore[index]
    assert (settings.sources[0].every_s, settings.sources[0].always) == (1.0, True)  # type: ignore[union-attr]
    assert settings.rates.symbols["QQQ"].rate == 0.05
    file.write_text(FILE.replace("CRITICAL = 20", 'CRITICAL = "20"'))
    with pytest.raises(SettingsError, match=r"gexdesk\.toml: promises_s\.CRITICAL: Input should be a valid number, without quot"):
        load_settings(file)


def test_without_a_file_the_environment_is_the_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = layered(
        monkeypatch, None, STATE=str(tmp_path / "st"), SOURCES__0__NAME="a", SOURCES__0__KIND="http",
        SOURCES__0__URL="https://x.example/q", SOURCES__1='{name = "b", kind = "directory", path = "/in"}',
    )  # fmt: skip
    assert settings.state == tmp_path / "st"
    assert [source.name for source in settings.sources] == ["a", "b"]


def test_the_state_folder_is_the_flags_then_the_environments_then_the_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, file: Path
) -> None:
    file.write_text('state = "own"\n' + FILE)
    monkeypatch.chdir(tmp_path)
    assert load_settings(file).state == tmp_path / "own"
    assert layered(monkeypatch, file, STATE="env").state == tmp_path / "env"
    assert load_settings(file, Path("flag")).state == tmp_path / "flag"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("LISTN", "x", "$GEXDESK_LISTN is no setting; did you mean GEXDESK_LISTEN?"),
        ("ENGINE__WORKERS", "none", "$GEXDESK_ENGINE__WORKERS: engine.workers: "),
        ("ENGINE__WORKERS", "4.5", "$GEXDESK_ENGINE__WORKERS: engine.workers: Input should be a valid integer; found 4.5"),
        ("READ_ONLY", "maybe", "$GEXDESK_READ_ONLY: read_only: Input should be a valid boolean; found 'maybe'"),
        ("ENGINE", '{workers = "4"}', "$GEXDESK_ENGINE: engine.workers: Input should be a valid integer, without quotation marks"),
        ("ENGINE__WORKES", "2", "$GEXDESK_ENGINE__WORKES: engine.workes: no such key here; is it misspelt?"),
        ("SOURCES__4__URL", "x", "$GEXDESK_SOURCES__4__URL: sources has 2 entries; name one of them by its number, or the next"),
        ("SOURCES__A__URL", "x", "$GEXDESK_SOURCES__A__URL: sources has 2 entries"),
        ("LISTEN__HOST", "x", "$GEXDESK_LISTEN__HOST: listen is no table, so nothing stands in it"),
        ("SOURCES__0__URL", "nonsense", "$GEXDESK_SOURCES__0__URL: sources.0.http.url: "),
    ],
)
def test_a_variable_that_cannot_be_used_is_named(
    monkeypatch: pytest.MonkeyPatch, file: Path, name: str, value: str, words: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        layered(monkeypatch, file, **{name: value})
    assert refused.value.message.startswith(words)


def test_what_is_somebodys_own_is_left_alone(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    layered(monkeypatch, file, KEY="gxd_x", CONFIG="/nowhere", VENDOR_SECRET="x")


def test_the_program_takes_the_environment_and_flags_go_before_it(tmp_path: Path) -> None:
    said = gexdesk(
        tmp_path, "run", "--for", "0.1s", "--listen", "127.0.0.1:0", "--json", GEXDESK_STATE="st", GEXDESK_LISTEN="no address"
    )
    assert said.code == 0, said.err
    assert (tmp_path / "st" / "audit.jsonl").parent.is_dir()
    said = gexdesk(tmp_path, "run", "--for", "0.1s", GEXDESK_STATE="st", GEXDESK_LISTEN="no address")
    assert said == type(said)(1, "", "gexdesk: 'no address' is no address to listen on; write HOST:PORT, e.g. 127.0.0.1:8765\n")
