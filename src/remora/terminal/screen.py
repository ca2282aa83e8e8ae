"""What the person sees: text with colour where it helps, from any thread, never torn apart.

Colour is used only on a terminal that understands it, never when NO_COLOR is set or TERM is `dumb`.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from typing import TextIO

_STYLES = {
    "dim": "2",
    "bold": "1",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "cyan": "36",
}
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


class Screen:
    """Standard output and standard error of the debugger."""

    def __init__(self, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self._fixed_out = out
        self._fixed_err = err
        # Guards the order of writes, and `_mid_line`.
        self._lock = threading.RLock()
        self._mid_line = False
        # Who has begun the line.
        self._label = ""
        self.color = wants_color(self.out)

    @property
    def out(self) -> TextIO:
        # Looked up each time: prompt_toolkit puts a proxy there while it shows a prompt.
        return self._fixed_out or sys.stdout

    @property
    def err(self) -> TextIO:
        return self._fixed_err or sys.stderr

    def style(self, text: str, *names: str) -> str:
        """Return `text` in these styles (`bold`, `dim`, a colour), or as it is without colour."""
        if not self.color or not text:
            return text
        return f"\x1b[{';'.join(_STYLES[name] for name in names)}m{text}\x1b[0m"

    def say(self, text: str = "") -> None:
        """Write lines of the debugger's own; begins a new line if the program left one unfinished."""
        with self._lock:
            if self._mid_line:
                text = "\n" + text
            self._mid_line = False
            _write(self.out, text + "\n")

    def fail(self, text: str) -> None:
        """Write what went wrong, as pdb marks it."""
        self.say(self.style("*** ", "red", "bold") + text)

    def complain(self, text: str) -> None:
        """Write on standard error why there is no session."""
        with self._lock:
            _write(self.err, f"remora: {text}\n")

    def program_output(self, text: str, category: str, label: str = "") -> None:
        """Write what a process (`stdout`, `stderr`) or its adapter (anything else) has to say.

        Each line begins with `label`, which tells processes apart; no line is of two processes.
        """
        with self._lock:
            if category in ("stdout", "stderr"):
                if not text:
                    return
                # Where both are the same terminal, one stream keeps the order.
                out = self.err if category == "stderr" else self.out
                ends_line = text.endswith("\n")
                if label:
                    shown = self.style(label, "dim")
                    text = text.removesuffix("\n").replace("\n", f"\n{shown}") + ("\n" if ends_line else "")
                    if not (self._mid_line and self._label == label):
                        text = shown + text
                if self._mid_line and self._label != label:
                    text = "\n" + text
                _write(out, text)
                self._mid_line = not ends_line
                self._label = label
            else:
                for line in text.rstrip("\n").split("\n"):
                    self.say(label + self.style(line, "dim" if category != "important" else "yellow"))


def wants_color(out: TextIO) -> bool:
    """Tell whether colour is understood and wanted there."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM", "") in ("", "dumb"):
        return False
    return bool(out.isatty())


def visible_length(text: str) -> int:
    """Return the length of a text without its colours."""
    return len(_ANSI.sub("", text))


def _write(out: TextIO, text: str) -> None:
    try:
        out.write(text)
    except UnicodeEncodeError:
        encoding = out.encoding or "ascii"
        out.write(text.encode(encoding, "backslashreplace").decode(encoding))
    out.flush()
