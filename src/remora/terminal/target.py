"""What is to be debugged, and how to reach it: a program we launch, one that listens, or any process here.

A target can be opened again, for `restart`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from remora.client import Client
from remora.client.client import DEFAULT_TIMEOUT_S

# Not from the folder we are in (-P): a file there could be taken for a module of ours.
_ADAPTER = [sys.executable, "-P", "-m", "remora", "adapter"]
# A process that is blocked is waited for as long as it takes; the adapter tells what it is blocked in.
_NO_LIMIT_S = 86_400.0


class Target(Protocol):
    """Where a session comes from."""

    command: str  # "launch" or "attach"
    arguments: dict[str, Any]
    #: file that `break 12` means before anything has stopped; None if not known
    main_file: str | None
    #: whether the program runs on this machine, as a child of this terminal
    is_local: bool
    #: how long the answer to `command` may take; Ctrl-C ends that wait, too
    begin_timeout_s: float

    def open(self, **callbacks: Any) -> Client:
        """Connect. OSError with a text for a person."""

    def describe(self) -> str:
        """Name it in a few words."""


class LaunchTarget:
    """A program to start, through an adapter of ours on stdio."""

    command = "launch"
    is_local = True
    begin_timeout_s = DEFAULT_TIMEOUT_S

    def __init__(
        self,
        *,
        program: str | None = None,
        module: str | None = None,
        args: Sequence[str] = (),
        python: str | None = None,
        stop_on_entry: bool = True,
        just_my_code: bool = True,
        children: bool = True,
        stdin: str | None = None,
        adapter: Sequence[str] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        """Take a file or a module; `stdin` is a file the program reads, default this terminal.

        `children`: debug the processes it starts, too. `adapter` is the command to start it through,
        `settings` are more of the launch arguments.
        """
        self.adapter = list(adapter or _ADAPTER)
        self.stdin = stdin
        self.main_file = os.path.abspath(program) if program is not None else None
        self._name = program if program is not None else f"-m {module}"
        self.arguments: dict[str, Any] = {
            "args": list(args),
            "cwd": os.getcwd(),
            "python": [python or sys.executable],
            "console": "integratedTerminal",
            "stopOnEntry": stop_on_entry,
            "justMyCode": just_my_code,
            "redirectOutput": False,  # it writes to this terminal by itself
            "subProcess": children,
            # In a file or a pipe its output must stand in order with ours; it would buffer there.
            "pythonArgs": [] if sys.stdout is not None and sys.stdout.isatty() else ["-u"],
            **({"module": module} if module is not None else {"program": self.main_file}),
            **(settings or {}),
        }

    def open(self, **callbacks: Any) -> Client:
        return Client.spawn(self.adapter, **callbacks)

    def describe(self) -> str:
        return self._name


class AttachTarget:
    """A program that listens for a debugger."""

    command = "attach"
    main_file: str | None = None
    is_local = False
    begin_timeout_s = DEFAULT_TIMEOUT_S

    def __init__(
        self,
        host: str,
        port: int,
        *,
        connect_timeout_s: float = 5.0,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        """Take the address; `settings` are the attach arguments (token, pathMappings, justMyCode)."""
        self.host, self.port = host, port
        self._connect_timeout_s = connect_timeout_s
        self.arguments: dict[str, Any] = dict(settings or {})

    def open(self, **callbacks: Any) -> Client:
        try:
            return Client.connect(
                self.host, self.port, connect_timeout_s=self._connect_timeout_s, **callbacks
            )
        except (OSError, ValueError) as error:  # ValueError: what cannot be the name of a host
            reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
            raise OSError(f"cannot reach {self.describe()}: {reason}") from error

    def describe(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class ProcessTarget:
    """A process of this machine, which need not know of us: an adapter of ours attaches by its id."""

    command = "attach"
    main_file: str | None = None
    is_local = False
    begin_timeout_s = _NO_LIMIT_S

    def __init__(
        self,
        pid: int,
        *,
        adapter: Sequence[str] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        """Take the id; `settings` are more of the attach arguments, `adapter` the command to go through."""
        self.pid = pid
        self.adapter = list(adapter or _ADAPTER)
        self.arguments: dict[str, Any] = {"processId": pid, **(settings or {})}

    def open(self, **callbacks: Any) -> Client:
        return Client.spawn(self.adapter, **callbacks)

    def describe(self) -> str:
        return f"process {self.pid}"
