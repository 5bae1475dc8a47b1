"""Read keys from a terminal that may send anything.

Textual 8.2 decodes its input strictly: one byte that is not UTF-8, from a paste or a terminal set to another encoding, ends the
program. This driver leaves such bytes out and reads on. A terminal that is gone ends the program, whatever it was started under: a
screen that nobody sees would go on drawing for ever. It uses two private names of Textual: ``tests/tui/test_real_program.py``
turns red when a release changes them.
"""

import codecs
import os
import select
import signal

from textual._parser import ParseError
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver

READ_BYTES = 4096
LOOK_EACH_S = 0.1
"""How often the thread sees whether it is to end, and whether a lone ESC was the key of that name."""


class ForgivingDriver(LinuxDriver):
    """Drive a terminal as Textual does, but leave out what is not UTF-8, and end with the terminal."""

    def start_application_mode(self) -> None:
        """Take the terminal over; a hang-up ends the screen even below ``nohup``."""
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        super().start_application_mode()  # type: ignore[no-untyped-call]

    def run_input_thread(self) -> None:
        """Hand on what is typed and pasted until the program ends."""
        # One decoder for the whole session: a character may come in two reads.
        decode = codecs.getincrementaldecoder("utf-8")(errors="ignore").decode
        parser = XTermParser(self._debug)
        poll = select.poll()
        poll.register(self.fileno, select.POLLIN)
        try:
            while not self.exit_event.is_set():
                ready = poll.poll(LOOK_EACH_S * 1000)
                text = decode(self._read()) if ready else ""
                if text:  # an empty text would tell the parser that the input has ended
                    for event in parser.feed(text):
                        self.process_message(event)
                for event in parser.tick():
                    self.process_message(event)
        finally:
            try:
                for _ in parser.feed(""):
                    pass
            except (EOFError, ParseError):
                pass

    def _read(self) -> bytes:
        """Return what came; where the terminal is gone, hang up."""
        try:
            read = os.read(self.fileno, READ_BYTES)
        except OSError:  # EIO: the other end was closed
            read = b""
        if not read:
            os.kill(os.getpid(), signal.SIGHUP)
        return read
