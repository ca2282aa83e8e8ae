"""What `launch` and `attach` were asked to do, checked: the arguments of the two requests as values.

A property of the wrong type or two that contradict each other are an error that names them. A property nobody
knows is named once, to the user, and passed over: front ends add their own. Those known to be harmless are
not even named. A null property counts as absent. Which properties there are: `properties`.
"""

from __future__ import annotations

from remora.dap.errors import UsageError
from remora.hub.kinds import CONSOLES, shown
from remora.hub.properties import (
    DEBUG_OPTIONS,
    OF_ATTACH_UNSAID,
    OF_LAUNCH_UNSAID,
    PROPERTIES,
    UNSAID,
    Effect,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DEFAULT_HOST = "127.0.0.1"
_WAYS: tuple[str, ...] = ("connect", "listen", "processId")

# What the debuggee's side needs to know: neither secrets nor what only concerns starting.
_FOR_AGENT = (
    "justMyCode",
    "redirectOutput",
    "showReturnValue",
    "stopOnEntry",
    "subProcess",
    "rules",
    "maxExceptionStackFrames",
    "steppingResumesAllThreads",
    "noDebug",
    "autoReload",
)


class Address:
    """A host and a port to dial or to listen on."""

    __slots__ = ("host", "port")

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Configuration:
    """The common part. `arguments` are the request's own, without nulls; `notes` are for the user."""

    __slots__ = ("arguments", "command", "notes")

    def __init__(self, command: str, arguments: dict[str, Any], notes: list[str]) -> None:
        self.command = command
        self.arguments = arguments
        self.notes = notes

    @property
    def token(self) -> str | None:
        return self.arguments.get("token")

    @property
    def wants_log(self) -> bool:
        return self.arguments.get("logToFile", False) is True

    def for_agent(self) -> dict[str, Any]:
        """Return what the debuggee's side needs to know."""
        return {name: self.arguments[name] for name in _FOR_AGENT if name in self.arguments}


class Attach(Configuration):
    """An `attach` request: at most one of `connect`, `listen`, `process_id`.

    `timeout_s` is how long to go on dialling, or to wait for a program that dials; None for the usual. With
    `restart` the client is told at the end to attach again.
    """

    __slots__ = (
        "connect",
        "interpreter_id",
        "listen",
        "process_id",
        "restart",
        "sub_process_id",
        "timeout_s",
    )

    def __init__(self, arguments: dict[str, Any], notes: list[str]) -> None:
        super().__init__("attach", arguments, notes)
        self.connect = _address(arguments.get("connect"))
        self.listen = _address(arguments.get("listen"))
        if self.connect is None and self.listen is None and "port" in arguments:
            # Old style. VS Code's own attach also puts `host` alone there, which then means nothing.
            self.connect = Address(arguments.get("host") or DEFAULT_HOST, int(arguments["port"]))
        process = arguments.get("processId")
        self.process_id = int(process) if process is not None else None
        sub = arguments.get("subProcessId")
        self.sub_process_id = int(sub) if sub is not None else None
        self.interpreter_id = int(arguments.get("interpreterId") or 0)
        timeout = arguments.get("timeout")
        self.timeout_s: float | None = float(timeout) if timeout is not None else None
        self.restart = bool(arguments.get("restart", False))

    def means(self, pid: int, interpreter: int) -> bool:
        """Tell whether this process, and this interpreter of it, is asked for by its id."""
        return self.sub_process_id == pid and self.interpreter_id == interpreter


class Launch(Configuration):
    """A `launch` request: exactly one of program, module, code.

    `shell_args` are arguments that a shell takes apart; then `args` is empty.
    """

    __slots__ = (
        "args",
        "code",
        "console",
        "cwd",
        "env",
        "env_file",
        "gevent",
        "module",
        "no_debug",
        "program",
        "python",
        "python_args",
        "shell_args",
        "sudo",
        "title",
        "waits_on_failure",
        "waits_on_success",
    )

    def __init__(self, arguments: dict[str, Any], notes: list[str]) -> None:
        super().__init__("launch", arguments, notes)
        code = arguments.get("code")
        self.program: str | None = arguments.get("program")
        self.module: str | None = arguments.get("module")
        self.code: str | None = "\n".join(code) if isinstance(code, list) else code
        args = arguments.get("args")
        self.shell_args: str | None = args.strip() or None if isinstance(args, str) else None
        self.args = _words(args) if isinstance(args, list) else []
        python = arguments.get("python") or arguments.get("pythonPath")
        # One text is one path, blanks and all; a list brings arguments along.
        self.python: list[str] = [python] if isinstance(python, str) else list(python or ())
        self.python_args = _words(arguments.get("pythonArgs"))
        self.cwd: str | None = arguments.get("cwd") or None
        self.env: dict[str, str | None] = arguments.get("env", {})
        self.env_file: str | None = arguments.get("envFile") or None
        self.console: str = arguments.get("console", CONSOLES[0])
        self.title: str | None = arguments.get("consoleTitle") or arguments.get("consoleName")
        self.no_debug: bool = arguments.get("noDebug", False)
        self.sudo: bool = arguments.get("sudo", False)
        self.gevent: bool = arguments.get("gevent", False)
        self.waits_on_success: bool = arguments.get("waitOnNormalExit", False)
        self.waits_on_failure: bool = arguments.get("waitOnAbnormalExit", False)
        # A terminal shows the output; whoever wants it in the debug console too says so. So with children.
        arguments.setdefault("redirectOutput", self.console == CONSOLES[0])

    @property
    def shows_output(self) -> bool:
        return self.arguments["redirectOutput"] is True


def read(command: str, arguments: dict[str, Any]) -> Attach | Launch:
    """Check the arguments of `launch` or `attach`. Raise UsageError that names every problem."""
    present = {name: value for name, value in arguments.items() if value is not None}
    _apply_debug_options(present)
    notes: list[str] = []
    problems: list[str] = []
    idle: list[str] = []
    other: list[str] = []
    unknown: list[str] = []
    for name, value in present.items():
        row = PROPERTIES.get(name)
        if row is None:
            if name not in UNSAID and not name.startswith("__"):
                unknown.append(name)
        elif not row.is_for(command):
            if name not in (OF_LAUNCH_UNSAID if command == "attach" else OF_ATTACH_UNSAID):
                other.append(name)
        elif problem := row.kind.check(value):
            problems.append(
                f'"{name}" {problem}' + ("" if problem == "is empty" else f", not {shown(value)}")
            )
        elif row.effect is Effect.NOT_YET and value and value != "none":
            idle.append(name)
    if problems:
        raise UsageError(f"the {command} configuration is wrong: " + "; ".join(problems))
    if command == "launch":
        _check_launch(present, other)
    else:
        _check_attach(present)
    notes += [f'"{name}" has no effect in this version of remora' for name in idle]
    if other:
        there = "attach" if command == "launch" else "launch"
        notes.append(f'{_quoted(other)}: of "request": "{there}", without effect in "{command}"')
    if unknown:
        notes.append(
            f"the {command} configuration has settings remora does not know: {_guessed(unknown, command)}"
        )
    return Launch(present, notes) if command == "launch" else Attach(present, notes)


def _apply_debug_options(arguments: dict[str, Any]) -> None:
    """Put in what older spellings stand for, where nothing else is said."""
    if isinstance(whole := arguments.get("debugStdLib"), bool):
        arguments.setdefault("justMyCode", not whole)
    options = arguments.get("debugOptions")
    for option in options if isinstance(options, list) else ():
        if isinstance(option, str) and option in DEBUG_OPTIONS:
            name, value = DEBUG_OPTIONS[option]
            arguments.setdefault(name, value)


def _check_launch(arguments: dict[str, Any], other: list[str]) -> None:
    targets = [name for name in ("program", "module", "code") if arguments.get(name)]
    if not targets and (ways := [name for name in _WAYS if name in other]):
        raise UsageError(
            f'the launch configuration has {_quoted(ways)}, which belongs to "request": "attach", '
            'and nothing to start: no "program", "module" or "code"'
        )
    if len(targets) != 1:
        problem = "needs one of" if not targets else "takes only one of"
        given = "" if not targets else f" (given: {_quoted(targets)})"
        raise UsageError(f'the launch configuration {problem} "program", "module" and "code"{given}')
    if arguments.get("python") and arguments.get("pythonPath"):
        raise UsageError('the launch configuration takes only one of "python" and "pythonPath"')
    waits = [name for name in ("waitOnNormalExit", "waitOnAbnormalExit") if arguments.get(name)]
    if waits and arguments.get("console", CONSOLES[0]) == CONSOLES[0]:
        raise UsageError(
            f'{_quoted(waits)}: only with "console" in a terminal is there a window to keep open'
        )


def _check_attach(arguments: dict[str, Any]) -> None:
    ways = [name for name in _WAYS if name in arguments]
    if "port" in arguments and "connect" not in ways:
        ways.append("port")
    if len(ways) > 1:
        raise UsageError(f"the attach configuration takes only one of {_quoted(ways)}")


def _quoted(names: list[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _guessed(unknown: list[str], command: str) -> str:
    """Name the unknown, each with the known name it may stand for."""
    import difflib

    known = {name.lower(): name for name, row in PROPERTIES.items() if row.is_for(command)}
    said = []
    for name in unknown:
        close = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.75)
        said.append(f'"{name}"' + (f' (did you mean "{known[close[0]]}"?)' if close else ""))
    return ", ".join(said)


def _address(value: Any) -> Address | None:
    if value is None:
        return None
    return Address(value.get("host") or DEFAULT_HOST, int(value["port"]))


def _words(value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, str):
        import shlex

        return shlex.split(value)
    return [str(word) for word in value]
