"""The terminal client: pdb's commands on any DAP session, local or remote.

It stands on `remora.client` alone. `main` is its face: give it where the program is, get an exit code.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from remora.terminal.target import AttachTarget, LaunchTarget, ProcessTarget, Target

# As a program that SIGPIPE has ended.
_NOBODY_READS = 141

__all__ = ["AttachTarget", "LaunchTarget", "ProcessTarget", "Target", "main"]


def main(target: Target, commands: Sequence[str] = ()) -> int:
    """Debug `target` from this terminal; run `commands` (as `-c` gives them) first. Return the exit code."""
    from remora.terminal.app import App
    from remora.terminal.reader import open_reader
    from remora.terminal.screen import Screen

    screen = Screen()
    try:
        with App(target, screen, open_reader(screen, commands)) as app:
            return app.run()
    except BrokenPipeError:
        # Whoever read our output (`| head`) is gone. Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _NOBODY_READS
