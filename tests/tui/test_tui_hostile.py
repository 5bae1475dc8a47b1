"""Texts of feeds that would steer a terminal: none of them does, on any screen."""

import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import time
from pathlib import Path

import pytest
from desk_pilot import NARROW, WIDE, seated
from fake_desk import FakeDesk
from hostile import TEXTS, full_view, hostile
from msgspec.structs import replace
from rich.cells import cell_len

HERE = Path(__file__).parent
SEQUENCE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|P[^\x1b]*\x1b\\|[ -/]*[0-~])")
PAINTS = re.compile(rb"\x1b\[[\d;]*[Hm]")
"""Moves and colours: how the desk paints, with numbers of its own."""


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_every_text_is_drawn_as_text_in_every_place(size: tuple[int, int]) -> None:
    view = full_view()
    async with seated(FakeDesk(view), size) as seat:
        main = seat.app.main
        for number, text in enumerate(TEXTS):
            names = iter(range(100_000))

            def told(text: str = text, names=names, first: bool = bool(number % 2)) -> str:
                return f"{text}{next(names)}" if first else f"{next(names)}{text}"

            seat.app.sight.take(replace(hostile(view, told), sequence=number + 2, engine_id=f"e{number}"))
            main.cursor.adopt()
            if number % 8 == 3:
                await seat.press("tab")
            main.paint_all()
            for name in main.shown:
                pane = main.panes[name]
                for y in range(pane.size.height):
                    strip = pane.render_line(y)
                    line = "".join(segment.text for segment in strip)
                    assert line.isprintable(), (name, text)
                    assert cell_len(line) == pane.size.width, (name, text)
                    assert all(s.style is None or (s.style.link is None and not s.style.meta) for s in strip), (name, text)
            for key in ("plus", "P"):
                await seat.press(key)
                if main.dialog.form is not None:
                    assert main.dialog.text.replace("\n", "").isprintable(), text
                    await seat.press("escape")
        assert seat.app.is_running


def test_the_terminal_gets_no_control_of_a_feeds_own() -> None:
    """The real program in a terminal writes the same kinds of sequences for hostile texts as for harmless ones."""
    keys = "jP\x1b\tj+\x1b:sym\x1b /[\x1b y i \x1b w\x1b g\x1b H\x1b ?\x1b z"
    plain, attacked = (_written(kind, keys) for kind in ("plain", "hostile"))
    assert b"FAKE ALERT" in attacked, "the texts were on the screen"
    allowed = {s for s in SEQUENCE.findall(plain) if not PAINTS.fullmatch(s)}
    steering = {s for s in SEQUENCE.findall(attacked) if not PAINTS.fullmatch(s)} - allowed
    assert {s for s in steering if not s.startswith(b"\x1b]52;c;")} == set()
    bare = SEQUENCE.sub(b"", attacked).decode("utf-8")
    assert {c for c in bare if not c.isprintable()} <= set(SEQUENCE.sub(b"", plain).decode("utf-8")) | {"\n", "\r"}
    for copied in (s for s in steering if s.startswith(b"\x1b]52;c;")):
        assert re.fullmatch(rb"\x1b\]52;c;[A-Za-z0-9+/=]*\x07", copied), "what an operator copied is base64 and nothing else"


def _written(kind: str, keys: str) -> bytes:
    pid, line = pty.fork()
    if pid == 0:
        environment = os.environ | {"TERM": "xterm-256color", "PYTHONPATH": f"{HERE.parents[1]}:{HERE}", "LC_ALL": "C.UTF-8"}
        environment.pop("TMUX", None)
        os.execve(sys.executable, [sys.executable, str(HERE / "hostile.py"), kind], environment)
    fcntl.ioctl(line, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    raw, typed, give_up_at = b"", list(keys), time.monotonic() + 30.0
    next_at = 0.0
    try:
        while time.monotonic() < give_up_at:
            if select.select([line], [], [], 0.05)[0]:
                try:
                    raw += os.read(line, 65536)
                except OSError:
                    break
            if b"NEEDS YOU" in raw and time.monotonic() > next_at:
                if not typed:
                    break
                os.write(line, typed.pop(0).encode())
                next_at = time.monotonic() + 0.12
        else:
            pytest.fail(f"the desk did not take its keys: {raw[-500:]!r}")
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(line)
    return raw
