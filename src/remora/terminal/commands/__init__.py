"""The commands: a table of names, filled by the modules of this package."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import NamedTuple

from remora.terminal.conversation import Conversation

Run = Callable[[Conversation, str], None]


class Command(NamedTuple):
    """One command; `names` the first of which is the full one."""

    names: tuple[str, ...]
    usage: str
    help: str
    run: Run
    #: an empty line does it again
    repeats: bool


#: in the order of `help`
ORDER: list[Command] = []
TABLE: dict[str, Command] = {}


def command(names: str, usage: str, help: str, *, repeats: bool = False) -> Callable[[Run], Run]:
    """Put a function into the table under these names, separated by spaces."""

    def enter(run: Run) -> Run:
        made = Command(tuple(names.split()), usage, help, run, repeats)
        ORDER.append(made)
        for name in made.names:
            if name in TABLE:
                raise ValueError(f"two commands are called {name}")
            TABLE[name] = made
        return run

    return enter


def load() -> dict[str, Command]:
    """Fill the table; return it."""
    for name in ("moving", "stopping", "looking", "evaluating", "switching", "leaving"):
        importlib.import_module(f"remora.terminal.commands.{name}")
    return TABLE
