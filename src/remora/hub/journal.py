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

# The second is what existing set-ups name.
_FOLDER_VARIABLES = ("REMORA_LOG_DIR", "DEBUGPY_LOG_DIR")


class Journal:
    """Write what happened, with the time. Without a path, do nothing."""

    __slots__ = ("_stream", "path")

    def __init__(self, path: str | None = None) -> None:
        self.path: str | None = None
        self._stream: TextIO | None = None
        if path:
            self.open(path)

    def open(self, path: str) -> None:
        """Write to `path` from now on; for our user's eyes only. OSError if it cannot be opened."""
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._stream = open(fd, "w", encoding="utf-8", errors="backslashreplace", buffering=1)  # noqa: SIM115
        self.path = path

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


def log_folder() -> str:
    """Return where logs go when a configuration asks for them; made if it is not there. OSError."""
    for name in _FOLDER_VARIABLES:
        if folder := os.environ.get(name):
            os.makedirs(folder, exist_ok=True)
            return folder
    import tempfile

    return tempfile.gettempdir()
