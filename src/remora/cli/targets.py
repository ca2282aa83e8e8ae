"""Which program a command is about: a process id, an address, or a name.

An address is a program that listens. A process is attached to through an adapter of our own. A name is that
of the one process of this user that runs such a script or module.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Protocol

from remora.cli.options import UsageError, address_of, shown
from remora.client import Client
from remora.inject import processes

# Who listens is there: this only bridges a program that is just starting.
CONNECT_S = 3.0


class Target(Protocol):
    """How to reach a program."""

    arguments: dict[str, Any]  # of `attach`
    attach_timeout_s: float

    def open(self, **callbacks: Any) -> Client:
        """Connect. OSError with a text for a person."""


class AddressTarget:
    """A program that listens for a debugger."""

    attach_timeout_s = 30.0

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.arguments: dict[str, Any] = {}
        token = os.environ.get("REMORA_TOKEN")
        if token:
            self.arguments["token"] = token

    def open(self, **callbacks: Any) -> Client:
        try:
            return Client.connect(self.host, self.port, connect_timeout_s=CONNECT_S, **callbacks)
        except (OSError, ValueError) as error:  # ValueError: what cannot be the name of a host
            reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
            raise OSError(f"cannot reach {shown(self.host, self.port)}: {reason}") from error


class ProcessTarget:
    """A process of this machine, prepared or not."""

    # One that is blocked is attached to as soon as it goes on; until then the hub says what it is blocked in,
    # and who does not want to wait says so with Ctrl-C.
    attach_timeout_s = 7 * 86400.0

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.arguments: dict[str, Any] = {"processId": pid}

    def open(self, **callbacks: Any) -> Client:
        # Not from the folder we are in: a file there could be taken for a module of ours.
        return Client.spawn([sys.executable, "-P", "-m", "remora", "adapter"], **callbacks)


def target_of(text: str) -> Target:
    """Read a TARGET. UsageError if it names nothing, or more than one process."""
    if text.isascii() and text.isdigit():
        return ProcessTarget(int(text))
    _, colon, port = text.rpartition(":")
    if colon and port.isascii() and port.isdigit():
        return AddressTarget(*address_of(text.removeprefix(":") if text[0] == ":" else text, "TARGET"))
    return ProcessTarget(pid_named(text))


def pid_named(name: str) -> int:
    """Return the id of the one process of this user that runs this script or module. UsageError."""
    found = [(pid, line) for pid, names, line in _processes() if name in names]
    if not found:
        raise UsageError(f"no Python process of yours runs {name!r}; `remora ps` lists them")
    if len(found) > 1:
        lines = "".join(f"\n  {pid:>7}  {line}" for pid, line in found)
        raise UsageError(f"{len(found)} processes run {name!r}; say which by its id:{lines}")
    return found[0][0]


def _processes() -> list[tuple[int, set[str], str]]:
    """List (id, names it goes by, command line) of the Python processes of this user."""
    found = []
    for pid in processes.all_pids():
        try:
            if pid == os.getpid() or os.stat(f"/proc/{pid}").st_uid != os.getuid():
                continue
        except OSError:
            continue  # it has ended meanwhile
        words = processes.command_line(pid)
        names = names_of(words)
        if names:
            found.append((pid, names, " ".join(words)))
    return found


# Options of the interpreter that have a word of their own after them.
_WITH_VALUE = {"-W", "-X", "--check-hash-based-pycs"}


def names_of(words: list[str]) -> set[str]:
    """Return what a Python process may be called: `app`, `app.py`, its path as given, or its module."""
    if not words or not os.path.basename(words[0]).startswith("python"):
        return set()
    rest = words[1:]
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        if option in _WITH_VALUE and rest:
            rest.pop(0)
        elif option == "-m" or (option.endswith("m") and not option.startswith("--") and "c" not in option):
            return {rest[0]} if rest else set()
        elif option.startswith("-c"):
            return set()
    if not rest:
        return set()
    base = os.path.basename(rest[0])
    return {rest[0], base, base.removesuffix(".py")}
