"""Hand text to the clipboard of whoever sits at the terminal, over OSC 52, and know where it would be lost on the way."""

import asyncio
import os

MOST_CHARACTERS = 4_000
"""Several terminals take no more than some kilobytes in one go."""

TMUX_ANSWERS_S = 1.0


async def hindrance() -> str:
    """Say why the terminal would not get it: tmux hands it on only when it is told to. Empty where nothing is known."""
    if not os.environ.get("TMUX"):
        return ""
    try:
        asked = await asyncio.create_subprocess_exec(
            "tmux", "show-options", "-sv", "set-clipboard",
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        said, _ = await asyncio.wait_for(asked.communicate(), TMUX_ANSWERS_S)
    except (OSError, TimeoutError):
        return ""
    setting = said.decode("utf-8", "replace").strip()
    return "" if setting in ("on", "") else "tmux drops it: tmux set -s set-clipboard on"
