"""How much text and time one answer may cost.

Time is checked between pieces of user code; a piece that does not come back is interrupted from outside
by the engine (`Job`, `Interrupted`), whose time-out must be longer than `seconds`.
"""

from __future__ import annotations

from time import monotonic


class Budget:
    """Limits of one answer: characters per text, nesting of containers, seconds for the whole page."""

    __slots__ = ("depth", "seconds", "text_chars")

    def __init__(self, *, text_chars: int = 1000, depth: int = 4, seconds: float = 1.0) -> None:
        self.text_chars = text_chars
        self.depth = depth
        self.seconds = seconds


# A line of an editor's variables view shows some 200 characters; 1,000 leave room for hovering over it.
LIST = Budget()
# A console answer is read, copied and scrolled: 64k is what terminals and editors take without stalling.
CONSOLE = Budget(text_chars=64 * 1024, depth=16, seconds=3.0)
# Copying a value means all of it, but a message of DAP may have 64 MB, and one character can take 12 bytes of
# JSON there; the depth only keeps the C stack safe.
CLIPBOARD = Budget(text_chars=4 << 20, depth=64, seconds=8.0)

BY_CONTEXT = {"repl": CONSOLE, "clipboard": CLIPBOARD}


class Clock:
    """The time left of a budget, started now."""

    __slots__ = ("deadline",)

    def __init__(self, seconds: float) -> None:
        self.deadline = monotonic() + seconds

    def is_over(self) -> bool:
        return monotonic() >= self.deadline
