"""Program output as DAP events: a `write` of ours on the sys.stdout and sys.stderr that are there.

The stream objects stay the program's own: only an instance attribute `write` is put on them, which
print() and writelines() find, and taken off again. The program's write comes first, so what it prints,
returns or raises is what it would have been. Not seen: what goes round Python's text layer
(`sys.stdout.buffer`, os.write, child processes); the hub reads the pipes of what it launches instead.

A program that replaces sys.stdout (redirect_stdout, a test runner's capture) means to have the output for
itself: the replacement is left alone, and our attribute stays on the stream it was put on.
"""

from __future__ import annotations

import sys

from remora.agent.log import log, log_exception

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

# One event of a huge print stays far below what a hub takes in one message.
CHUNK_CHARS = 64 << 10


class Mirror:
    """Copies what is written to the standard streams to `emit(category, text)`, on the writing thread."""

    __slots__ = ("_emit", "_hooked")

    def __init__(self, emit: Callable[[str, str], None]) -> None:
        self._emit = emit
        self._hooked: list[tuple[Any, Callable[..., Any]]] = []

    def start(self, besides: Sequence[str] = ()) -> None:
        """Hook the streams that can be, but for those named in `besides`; idempotent."""
        if self._hooked:
            return
        for category in ("stdout", "stderr"):
            stream = getattr(sys, category, None)
            if category in besides or stream is None or any(stream is hooked for hooked, _ in self._hooked):
                continue  # None: pythonw; the same object twice: 2>&1 in Python
            try:
                hook = self._hook(stream.write, category)
                stream.write = hook
            except Exception as error:
                log(f"sys.{category} cannot be mirrored: {error!r}")
                continue
            self._hooked.append((stream, hook))

    def stop(self) -> None:
        """Take our hooks off; one that the program has wrapped or replaced since is left, and passes on."""
        hooked, self._hooked = self._hooked, []
        for stream, hook in hooked:
            try:
                if stream.__dict__.get("write") is hook:
                    del stream.write
            except Exception as error:
                log(f"hook not removed from {type(stream).__name__}: {error!r}")

    def _hook(self, original: Callable[[str], Any], category: str) -> Callable[[str], Any]:
        def write(text: str, /) -> Any:
            result = original(text)
            try:
                if self._hooked and isinstance(text, str) and text:
                    text = "".join((text,))  # the text of a subclass, without running its methods
                    for start in range(0, len(text), CHUNK_CHARS):
                        self._emit(category, text[start : start + CHUNK_CHARS])
            except Exception as error:  # boundary: the program prints, whatever has become of us
                log_exception("mirror", error)
            return result

        return write
