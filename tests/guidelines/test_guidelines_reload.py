"""Guidelines change while data flows: a good set swaps at once, a bad one keeps the last good set, every version is kept."""

import json
import os
import sys
from threading import Event, Thread

import pytest

from gexdesk.guidelines.decide import decide
from gexdesk.guidelines.reload import Fault, Guidelines, Staged
from gexdesk.guidelines.rules import DEFAULT_FILE, read
from gexdesk.guidelines.versions import INDEX_NAME, TORN_NAME, Versions
from gexdesk.model.errors import GuidelineError
from gexdesk.model.features import Features

TEXT = DEFAULT_FILE.read_text(encoding="utf-8")
HEAD = TEXT.partition("[[guideline]]")[0]
FEATURES = Features("SPX", "a", "real_time", 60_000.0, 1.0, 0.2, 1.0)


class Ticks:
    """A clock that counts its readings."""

    def __init__(self):
        self.at = 100.0

    def now(self):
        self.at += 0.01
        return self.at

    def monotonic(self):
        return self.at

    async def sleep(self, seconds):
        self.at += seconds


def holder(folder, text=TEXT):
    made = Guidelines(Versions(folder), Ticks(), "desk.toml")
    made.start(text, "desk")
    return made


def one_rule(number):
    """A set whose one rule says by its name, score and description which set it is."""
    rule = f'[[guideline]]\nname = "set-{number}"\ndescription = "{number}"\nlevel = "HIGH"\nwhen = "volume > {number}"\n'
    return HEAD + rule


def staged(guidelines, text, author="jm"):
    found = guidelines.offer(text, author)
    assert isinstance(found, Staged), found
    return found


def test_an_offer_changes_nothing_until_it_is_applied(tmp_path):
    guidelines = holder(tmp_path)
    before = guidelines.current
    offered = staged(guidelines, TEXT.replace("50_000", "60_000"))
    assert guidelines.current is before
    assert guidelines.staged is offered
    assert "-high = { volume_over = 50_000" in offered.diff
    assert "+high = { volume_over = 60_000" in offered.diff
    version = guidelines.apply(offered, "jm", "calmer open")
    assert guidelines.current is offered.rules
    assert guidelines.staged is None
    assert (version.version, version.author, version.reason) == (offered.rules.version, "jm", "calmer open")
    assert version.diff == offered.diff


def test_a_fault_keeps_the_last_good_set_and_stands_until_mended(tmp_path):
    guidelines = holder(tmp_path)
    before = guidelines.current
    fault = guidelines.offer(TEXT.replace("impact >= high", "impact >= hihg", 1), "jm")
    assert isinstance(fault, Fault)
    assert fault is guidelines.fault
    assert "did you mean high?" in fault.message
    assert (fault.details["file"], fault.details["did_you_mean"], fault.author) == ("desk.toml", "high", "jm")
    assert guidelines.current is before
    assert len(guidelines.history()) == 1
    staged(guidelines, TEXT)
    assert guidelines.fault is None


def test_a_set_staged_against_another_one_is_refused(tmp_path):
    guidelines = holder(tmp_path)
    early, late = staged(guidelines, one_rule(1)), staged(guidelines, one_rule(2))
    guidelines.apply(late, "jm", "first come")
    with pytest.raises(GuidelineError, match="was staged against"):
        guidelines.apply(early, "ab", "too late")
    assert guidelines.current is late.rules
    assert len(guidelines.history()) == 2


def test_any_version_comes_back_and_the_history_says_so(tmp_path):
    guidelines = holder(tmp_path)
    first = guidelines.current.version
    for number in (1, 2):
        guidelines.apply(staged(guidelines, one_rule(number)), "jm", f"set {number}")
    back = guidelines.rollback(first, "ab", "noise")
    assert guidelines.current.version == first == back.version
    assert decide(FEATURES, guidelines.current).winner == "critical-large-realtime"
    history = guidelines.history()
    assert [version.reason for version in history] == ["in force at the start", "set 1", "set 2", "noise"]
    assert history[0].sha256 == history[3].sha256
    assert "-name = \"set-2\"" in history[3].diff
    assert [version.at for version in history] == sorted(version.at for version in history)
    with pytest.raises(GuidelineError, match="no version v-nothing; the newest are " + first):
        guidelines.rollback("v-nothing", "ab", "?")
    assert guidelines.current.version == first


def test_a_restart_goes_on_with_the_file_or_with_the_last_version_where_it_is_faulty(tmp_path):
    guidelines = holder(tmp_path)
    guidelines.apply(staged(guidelines, one_rule(7)), "jm", "seven")
    again = holder(tmp_path, one_rule(7))
    assert again.current.active[0].name == "set-7"
    assert len(again.history()) == 2
    broken = holder(tmp_path, "name = ")
    assert broken.current.active[0].name == "set-7"
    assert "not TOML" in broken.fault.message
    edited = holder(tmp_path, one_rule(8))
    assert edited.history()[-1].reason == "in force at the start"
    with pytest.raises(GuidelineError, match="not TOML"):
        holder(tmp_path / "new", "name = ")


def test_what_cannot_be_kept_is_not_applied(tmp_path, monkeypatch):
    guidelines = holder(tmp_path)
    before = guidelines.current
    offered = staged(guidelines, one_rule(1))

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(GuidelineError, match="the set in force stays: No space left on device"):
        guidelines.apply(offered, "jm", "x")
    monkeypatch.undo()
    assert guidelines.current is before
    assert len(Versions(tmp_path).history()) == 1
    guidelines.apply(offered, "jm", "room again")
    assert [version.reason for version in Versions(tmp_path).history()] == ["in force at the start", "room again"]


def test_a_line_cut_short_by_a_crash_at_any_byte_is_put_aside_and_the_rest_decides(tmp_path):
    guidelines = holder(tmp_path)
    guidelines.apply(staged(guidelines, one_rule(1)), "jm", "one")
    index, aside = tmp_path / INDEX_NAME, tmp_path / TORN_NAME
    whole = index.read_bytes()
    first = whole.splitlines(keepends=True)[0]
    assert (Versions(tmp_path).set_torn_aside(), aside.exists()) == ("", False)
    for cut in range(len(first), len(whole)):
        # As it is cut, with zeros up to where the file ended, and with zeros in its middle.
        kept = whole[len(first) : cut]
        for torn in (kept, kept + bytes(len(whole) - cut), bytes(len(kept) + 1) + b"}\n"):
            index.write_bytes(first + torn)
            aside.unlink(missing_ok=True)
            versions = Versions(tmp_path)
            assert [version.reason for version in versions.history()] == ["in force at the start"]
            said = versions.set_torn_aside()
            assert index.read_bytes() == first
            assert (f"; {len(torn)} bytes were put aside as {TORN_NAME}" in said) if torn else (said == "")
            assert (aside.read_bytes() if torn else b"\n") == torn + b"\n"
    index.write_bytes(whole[:-1])
    again = holder(tmp_path, one_rule(2))
    assert [version.reason for version in again.history()] == ["in force at the start"] * 2
    assert all(json.loads(line) for line in index.read_text().splitlines())
    assert aside.read_bytes().endswith(whole[len(first) : -1] + b"\n"), "also where nobody looked before the next line came"


@pytest.mark.parametrize("at", [0, 1])
def test_a_whole_line_that_cannot_be_read_is_no_torn_one_and_decides_nothing(tmp_path, at):
    guidelines = holder(tmp_path)
    guidelines.apply(staged(guidelines, one_rule(1)), "jm", "one")
    index = tmp_path / INDEX_NAME
    lines = index.read_bytes().splitlines(keepends=True)
    lines[at] = b"{}\n"
    index.write_bytes(b"".join(lines))
    assert Versions(tmp_path).set_torn_aside() == ""
    with pytest.raises(GuidelineError, match="a version cannot be read"):
        Versions(tmp_path).history()
    assert index.read_bytes() == b"".join(lines)


def test_a_version_whose_text_was_altered_is_refused(tmp_path):
    guidelines = holder(tmp_path)
    version = guidelines.history()[0]
    (tmp_path / f"{version.sha256}.toml").write_text(TEXT + "\n# touched", encoding="utf-8")
    with pytest.raises(GuidelineError, match="is not the text that was kept"):
        guidelines.rollback(version.version, "jm", "x")
    (tmp_path / INDEX_NAME).write_text('{"version": 1}\n')
    with pytest.raises(GuidelineError, match="a version cannot be read"):
        guidelines.history()


def test_words_of_authors_cannot_steer_a_terminal(tmp_path):
    guidelines = holder(tmp_path)
    version = guidelines.apply(staged(guidelines, one_rule(1), "j\x1b[2Jm"), "j\x1b[2Jm", "a\nb")
    assert "\x1b" not in version.author + version.reason
    assert "\n" not in version.reason


def test_a_storm_of_edits_half_of_them_bad_tears_nothing(tmp_path, monkeypatch):
    # Eight seconds of 100 edits a second; the disk's own pace is not what is tried here.
    monkeypatch.setattr(os, "fsync", lambda _: None)
    guidelines = holder(tmp_path, one_rule(0))
    sets = {guidelines.current.version: "set-0"}
    seen: list[tuple[str, str, str]] = []
    broken: list[BaseException] = []
    done = Event()

    def decide_on():
        try:
            while not done.is_set() or len(seen) < 1_000:
                decision = decide(FEATURES, guidelines.current)
                seen.append((decision.guidelines_version, decision.winner, decision.matches[0].guideline))
        except BaseException as error:
            broken.append(error)

    thread = Thread(target=decide_on)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)  # threads take turns at every point, and often
    thread.start()
    try:
        for number in range(1, 801):
            if number % 2:
                assert isinstance(guidelines.offer(one_rule(number).replace("volume >", "volum >"), "jm"), Fault)
            else:
                offered = staged(guidelines, one_rule(number))
                sets[offered.rules.version] = f"set-{number}"
                guidelines.apply(offered, "jm", "storm")
    finally:
        done.set()
        thread.join()
        sys.setswitchinterval(interval)
    assert not broken
    assert len(sets) == 401
    assert all(sets[version] == winner == match for version, winner, match in seen)
    assert len({version for version, _, _ in seen}) > 50, "the other thread must have decided by many of the sets"
    assert guidelines.current.version == read(one_rule(800)).version
    assert len(guidelines.history()) == 401


def test_a_history_that_lost_its_end_is_counted_by_the_texts_it_no_longer_names(tmp_path):
    versions = Versions(tmp_path)
    for number in range(6):
        versions.keep(f"v{number}", f"# {number}\n", at=float(number), author="jm", reason="x")
    assert versions.unnamed() == 0
    index = tmp_path / "index.jsonl"
    whole = index.read_bytes()
    index.write_bytes(b"".join(line + b"\n" for line in whole.splitlines()[:2]))
    assert (versions.unnamed(), len(versions.history())) == (4, 2)
    index.write_bytes(b"")
    assert versions.unnamed() == 6
