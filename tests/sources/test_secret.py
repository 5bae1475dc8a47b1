"""Keys: where they come from, and that they are not shown."""

import json
import os
import pickle
import traceback
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, quote_plus, urlencode

import pytest

from gexdesk.model.errors import SettingsError
from gexdesk.sources.secret import Secret

VALUE = 'Kanarie/7+8 "x\\y='


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text(VALUE + "\n")
    path.chmod(0o600)
    return path


def test_comes_from_a_file_of_ours_without_its_line_end(key_file: Path) -> None:
    assert Secret.from_file(key_file).reveal() == VALUE
    key_file.chmod(0o400)
    assert Secret.from_file(key_file).reveal() == VALUE


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o700, 0o601])
def test_a_file_others_could_use_is_refused_with_the_cure(key_file: Path, mode: int) -> None:
    key_file.chmod(mode)
    with pytest.raises(SettingsError, match=f"has mode {mode:04o}.*chmod 600 {key_file}"):
        Secret.from_file(key_file)


def test_a_file_of_somebody_else_is_refused(key_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: key_file.stat().st_uid + 1)
    with pytest.raises(SettingsError, match="belongs to user"):
        Secret.from_file(key_file)


def test_only_a_regular_file_is_read(key_file: Path, tmp_path: Path) -> None:
    link, pipe = tmp_path / "link", tmp_path / "pipe"
    link.symlink_to(key_file)
    os.mkfifo(pipe, 0o600)
    paths = {link: "symbolic link", pipe: "no regular file", tmp_path: "no regular file", tmp_path / "none": "No such file"}
    for path, words in paths.items():
        with pytest.raises(SettingsError, match=words):
            Secret.from_file(path)


@pytest.mark.parametrize("content", ["", " \n", "two\nlines", "tab\there", "schlüssel", "x" * 5000, "\0"])
def test_a_file_without_a_key_is_refused(key_file: Path, content: str) -> None:
    key_file.write_text(content)
    with pytest.raises(SettingsError, match=f"key file {key_file}"):
        Secret.from_file(key_file)


def test_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEED_KEY", f" {VALUE} ")
    assert Secret.from_env("FEED_KEY").reveal() == VALUE
    monkeypatch.setenv("FEED_KEY", "")
    with pytest.raises(SettingsError, match="environment variable FEED_KEY is empty"):
        Secret.from_env("FEED_KEY")
    monkeypatch.delenv("FEED_KEY")
    with pytest.raises(SettingsError, match="the environment has no FEED_KEY: export it"):
        Secret.from_env("FEED_KEY")


def test_is_shown_in_no_way() -> None:
    key = Secret(VALUE)
    assert {str(key), repr(key), f"{key}", f"{key!r}"} == {"Secret(***)"}
    with pytest.raises(TypeError):
        pickle.dumps(key)
    with pytest.raises(SettingsError) as refused:
        Secret(VALUE + "\x07")
    assert "Kanarie" not in "".join(traceback.format_exception_only(refused.value))


def _query(value: str) -> str:
    return urlencode({"k": value})


def _whole(value: str) -> str:
    return quote(value, safe="")


@pytest.mark.parametrize("spell", [str, quote, quote_plus, repr, json.dumps, _query, _whole])
def test_every_spelling_is_redacted(spell: Callable[[str], str]) -> None:
    dressed = spell("x").split("x")[0]  # the quotes of repr, the name of a query
    told = Secret(VALUE).redact(f"a {spell(VALUE)} b {spell(VALUE)} c")
    shown = dressed + "***" + ("" if dressed.endswith("=") else dressed)
    assert told == f"a {shown} b {shown} c"


def test_the_word_behind_bearer_is_redacted_alone_too() -> None:
    assert Secret("Bearer abcdefgh12").redact("token abcdefgh12 of Bearer") == "token *** of Bearer"
