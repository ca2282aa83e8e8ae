"""The hub's own log: lines appended to a file, or nothing at all.

Not `logging`: a hub lives beside every debuggee, and the module is a megabyte. Never holds a secret: callers
name commands and processes, not arguments.
"""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO


class Journal:
    """Write what happened, with the time. Without a path, do nothing."""

    __slots__ = ("_stream",)

    def __init__(self, path: str | None = None) -> None:
        self._stream: TextIO | None = None
        if path:
            self._stream = open(path, "a", encoding="utf-8", buffering=1)  # noqa: SIM115

    def write(self, text: str) -> None:
        """Append one entry."""
        if self._stream is not None:
            now = time.strftime("%Y-%m-%d %H:%M:%S")
            self._stream.write(f"{now} hub[{os.getpid()}] {text}\n")

    def exception(self, what: str, error: BaseException) -> None:
        """Append a failure of ours, with its traceback."""
        if self._stream is not None:
            import traceback

            self.write(what + "\n" + "".join(traceback.format_exception(error)))
