"""The terminal client: pdb's commands on any DAP session, local or remote.

It stands on `remora.client` alone. `main` is its face: give it where the program is, get an exit code.
"""

from __future__ import annotations

from collections.abc import Sequence

from remora.terminal.target import AttachTarget, LaunchTarget, Target

__all__ = ["AttachTarget", "LaunchTarget", "Target", "main"]


def main(target: Target, commands: Sequence[str] = ()) -> int:
    """Debug `target` from this terminal; run `commands` (as `-c` gives them) first. Return the exit code."""
    from remora.terminal.app import App
    from remora.terminal.reader import open_reader
    from remora.terminal.screen import Screen

    screen = Screen()
    with App(target, screen, open_reader(screen, commands)) as app:
        return app.run()
