"""What `launch` and `attach` were asked to do, checked: the arguments of the two requests as values.

A property of the wrong type or two that contradict each other are an error that names them. A property nobody
knows is named once, to the user, and passed over: front ends add their own. Those known to be harmless are
not even named. A null property counts as absent.
"""

from __future__ import annotations

import os

from remora.dap.errors import BAD_SETTING, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

DEFAULT_HOST = "127.0.0.1"

CONSOLES = ("internalConsole", "integratedTerminal", "externalTerminal")

# Front ends add these to every configuration; they say nothing to us.
_HARMLESS = frozenset(
    "name type request command presentation preLaunchTask postDebugTask internalConsoleOptions debugServer "
    "serverReadyAction workspaceFolder clientOS debugOptions variablePresentation purpose windows linux osx "
    "suppressMultipleSessionWarning debugAdapterPath debugAdapterPython debugLauncherPath logToFile "
    "consoleName consoleTitle "
    "showReturnValue timeout modes compounds stopAll hostName port host connect adapter cwdMode restart "
    "maxExceptionStackFrames steppingResumesAllThreads targetArchitecture processName isOutputRedirected "
    "env envFile cwd console python pythonPath pythonArgs args ".split()
)  # fmt: skip

# Read here or by the agent; the value tells what it must be.
_BOTH = {
    "justMyCode": "bool",
    "redirectOutput": "bool",
    "showReturnValue": "bool",
    "stopOnEntry": "bool",
    "subProcess": "bool",
    "token": "text",
    "pathMappings": "mappings",
    "localRoot": "text",
    "remoteRoot": "text",
    "rules": "list",
    "noDebug": "bool",
    "maxExceptionStackFrames": "number",
    "steppingResumesAllThreads": "bool",
}
_LAUNCH = {
    **_BOTH,
    "program": "text",
    "module": "text",
    "code": "text or lines",
    "args": "text or texts",
    "cwd": "text",
    "env": "environment",
    "envFile": "text",
    "python": "text or texts",
    "pythonPath": "text",
    "pythonArgs": "text or texts",
    "console": "console",
}
_ATTACH = {
    **_BOTH,
    "connect": "address",
    "listen": "address",
    "host": "text",
    "port": "port",
    "processId": "process",
    "subProcessId": "process",
}
# Known to people from other debuggers of Python, of use one day: a value that asks for something is answered.
_NOT_YET = frozenset("django jinja flask pyramid gevent sudo autoReload guiEventLoop subProcess".split())


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

    def for_agent(self) -> dict[str, Any]:
        """Return what the debuggee's side needs to know: neither secrets nor what only concerns starting."""
        wanted = ("justMyCode", "redirectOutput", "showReturnValue", "stopOnEntry", "subProcess", "rules",
                  "maxExceptionStackFrames", "steppingResumesAllThreads", "noDebug")  # fmt: skip
        return {name: self.arguments[name] for name in wanted if name in self.arguments}


class Attach(Configuration):
    """An `attach` request: at most one of `connect`, `listen`, `process_id`."""

    __slots__ = ("connect", "listen", "process_id", "sub_process_id")

    def __init__(self, arguments: dict[str, Any], notes: list[str]) -> None:
        super().__init__("attach", arguments, notes)
        self.connect = _address(arguments.get("connect"))
        self.listen = _address(arguments.get("listen"))
        if self.connect is None and self.listen is None and "port" in arguments:
            # Old style. VS Code's own attach also puts `host` alone there, which then means nothing.
            self.connect = Address(arguments.get("host") or DEFAULT_HOST, int(arguments["port"]))
        self.process_id = arguments.get("processId")
        sub = arguments.get("subProcessId")
        self.sub_process_id = int(sub) if sub is not None else None


class Launch(Configuration):
    """A `launch` request: exactly one of program, module, code."""

    __slots__ = (
        "args",
        "code",
        "console",
        "cwd",
        "env",
        "module",
        "no_debug",
        "program",
        "python",
        "python_args",
    )

    def __init__(self, arguments: dict[str, Any], notes: list[str]) -> None:
        super().__init__("launch", arguments, notes)
        code = arguments.get("code")
        self.program: str | None = arguments.get("program")
        self.module: str | None = arguments.get("module")
        self.code: str | None = "\n".join(code) if isinstance(code, list) else code
        self.args = _words(arguments.get("args"))
        python = arguments.get("python") or arguments.get("pythonPath")
        # One text is one path, blanks and all; a list brings arguments along.
        self.python: list[str] = [python] if isinstance(python, str) else list(python or ())
        self.python_args = _words(arguments.get("pythonArgs"))
        self.cwd: str | None = arguments.get("cwd") or None
        self.env: dict[str, str | None] = arguments.get("env", {})
        self.console: str = arguments.get("console", CONSOLES[0])
        self.no_debug: bool = arguments.get("noDebug", False)


def read(command: str, arguments: dict[str, Any]) -> Attach | Launch:
    """Check the arguments of `launch` or `attach`. Raise UsageError that names every problem."""
    table = _LAUNCH if command == "launch" else _ATTACH
    present = {name: value for name, value in arguments.items() if value is not None}
    problems: list[str] = []
    notes: list[str] = []
    unknown: list[str] = []
    for name, value in present.items():
        if name in table:
            problem = _CHECKS[table[name]](value)
            if problem:
                problems.append(f'"{name}" {problem}, not {_short(value)}')
        elif name in _NOT_YET:
            if value:
                notes.append(f'"{name}" has no effect in this version of remora')
        elif name not in _HARMLESS and not name.startswith("__"):
            unknown.append(f'"{name}"')
    if problems:
        raise UsageError(f"the {command} configuration is wrong: " + "; ".join(problems))
    if unknown:
        notes.append(f"the {command} configuration has settings remora does not know: " + ", ".join(unknown))
    if command == "launch":
        _check_launch(present)
        return Launch(present, notes)
    _check_attach(present)
    return Attach(present, notes)


def _check_launch(arguments: dict[str, Any]) -> None:
    targets = [name for name in ("program", "module", "code") if arguments.get(name)]
    if len(targets) != 1:
        problem = "needs one of" if not targets else "takes only one of"
        given = "" if not targets else " (given: " + ", ".join(f'"{name}"' for name in targets) + ")"
        raise UsageError(f'the launch configuration {problem} "program", "module" and "code"{given}')
    if arguments.get("python") and arguments.get("pythonPath"):
        raise UsageError('the launch configuration takes only one of "python" and "pythonPath"')
    if not arguments.get("python", "x"):
        raise BAD_SETTING(command="launch", setting='"python"', problem="is empty")


def _check_attach(arguments: dict[str, Any]) -> None:
    ways: list[str] = [name for name in ("connect", "listen", "processId") if name in arguments]
    if "port" in arguments and "connect" not in ways:
        ways.append("port")
    if len(ways) > 1:
        given = ", ".join(f'"{name}"' for name in ways)
        raise UsageError(f"the attach configuration takes only one of {given}")


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


def _short(value: Any) -> str:
    import json

    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."


# Each returns what the value must be if it is not that.


def _is_bool(value: Any) -> str | None:
    return None if isinstance(value, bool) else "must be true or false"


def _is_passable(text: str) -> bool:
    """Say whether a process can be given this text: no zero byte, no half of a surrogate pair."""
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def _is_text(value: Any) -> str | None:
    return None if isinstance(value, str) and _is_passable(value) else "must be a text"


def _is_number(value: Any) -> str | None:
    return None if type(value) in (int, float) else "must be a number"


def _is_list(value: Any) -> str | None:
    return None if isinstance(value, list) else "must be a list"


def _is_lines(value: Any) -> str | None:
    lines = value if isinstance(value, list) else [value]
    if all(isinstance(line, str) and _is_passable(line) for line in lines):
        return None
    return "must be a text or a list of lines"


def _is_texts(value: Any) -> str | None:
    if isinstance(value, str):
        import shlex

        try:
            shlex.split(value)
        except ValueError as error:
            return f"cannot be split into words ({error})"
        return _is_text(value)
    if isinstance(value, list) and all(
        type(word) in (int, float) or (isinstance(word, str) and _is_passable(word)) for word in value
    ):
        return None
    return "must be a text or a list of texts"


def _is_console(value: Any) -> str | None:
    return None if value in CONSOLES else "must be one of " + ", ".join(f'"{name}"' for name in CONSOLES)


def _is_environment(value: Any) -> str | None:
    if not isinstance(value, dict):
        return "must be an object of names and texts"
    for name, text in value.items():
        if not name or "=" in name or not _is_passable(name):
            return f"has a name no variable can have ({_short(name)})"
        if not (text is None or (isinstance(text, str) and _is_passable(text))):
            return f'must give a text, or null to unset, for "{name}"'
    return None


def _is_port(value: Any) -> str | None:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    return None if type(value) is int and 0 <= value <= 65535 else "must be a port number, 0 to 65535"


def _is_address(value: Any) -> str | None:
    if not isinstance(value, dict) or "port" not in value:
        return 'must be an object {"host": …, "port": …}'
    host = value.get("host")
    if host is not None and not isinstance(host, str):
        return "must have a text as its host"
    problem = _is_port(value["port"])
    return problem and problem.replace("must be", "must have as its port")


def _is_process(value: Any) -> str | None:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return None
    return None if type(value) is int and value > 0 else "must be a process id"


def _is_mappings(value: Any) -> str | None:
    shape = 'must be a list of objects {"localRoot": …, "remoteRoot": …}'
    if not isinstance(value, list):
        return shape
    for rule in value:
        if not isinstance(rule, dict):
            return shape
        for name in ("localRoot", "remoteRoot"):
            if not isinstance(rule.get(name), str):
                return shape
    return None


_CHECKS: dict[str, Callable[[Any], str | None]] = {
    "bool": _is_bool,
    "text": _is_text,
    "number": _is_number,
    "list": _is_list,
    "text or lines": _is_lines,
    "text or texts": _is_texts,
    "console": _is_console,
    "environment": _is_environment,
    "port": _is_port,
    "address": _is_address,
    "process": _is_process,
    "mappings": _is_mappings,
}
