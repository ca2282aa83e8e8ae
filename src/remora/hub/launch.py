"""Starting a program for a client: the command line and the environment, then the wait for its hello.

The debuggee runs `python <package>/agent/boot.py` with `REMORA_SESSION` in its environment; what that holds
is in `dap.hello`. With `internalConsole` it is our child and its agent has one end of a socket pair; in a
terminal the client starts it, and it dials a Unix socket in a folder only our user may enter.
"""

from __future__ import annotations

import json
import os
import sys

from remora.dap.errors import CANNOT_LAUNCH, DapError, UsageError
from remora.dap.hello import AGENT_ENTRY, HUB_VARIABLE, SESSION_VARIABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from remora.dap.hello import Address, SessionStart, Target
    from remora.hub.configuration import Launch

# A cold start from a network disk under load; a program that takes longer has not started at all.
HELLO_S = 60.0
# What a process in a terminal may still be told by after it has ended.
LAST_HELLO_S = 2.0
# Lines of the dead program's stderr that are worth showing in an error.
TAIL_LINES = 12


class Plan:
    """What to start, where, with what: checked, so that a mistake is an error before it is a process."""

    __slots__ = ("argv", "cwd", "environment", "name", "python", "target", "unset")

    def __init__(self, wish: Launch, own_environment: Mapping[str, str], own_cwd: str) -> None:
        """Raise UsageError for what is not there."""
        self.python = [*(wish.python or [sys.executable]), *wish.python_args]
        program = wish.program
        cwd = wish.cwd
        if cwd is not None:
            cwd = os.path.join(own_cwd, os.path.expanduser(cwd))
            if not os.path.isdir(cwd):
                raise UsageError(f'the launch setting "cwd" names no folder: {cwd}')
        if program is not None:
            path = os.path.join(cwd or own_cwd, os.path.expanduser(program))
            if not os.path.exists(path):
                raise CANNOT_LAUNCH(program=program, reason=f"there is no such file ({path})")
            if os.path.isdir(path) and not os.path.isfile(os.path.join(path, "__main__.py")):
                raise CANNOT_LAUNCH(program=program, reason="it is a folder without a __main__.py")
            if cwd is None and not os.path.isabs(program):
                program = path
            if cwd is None and os.path.dirname(program):
                # As existing configurations expect it: a program named by its path starts in its folder.
                cwd = os.path.dirname(path)
        self.cwd = cwd or own_cwd
        self.target: Target
        if program is not None:
            self.target = {"kind": "program", "value": program, "args": wish.args}
            self.name = os.path.basename(program) or program
            self.argv = [program, *wish.args]
        elif wish.module is not None:
            self.target = {"kind": "module", "value": wish.module, "args": wish.args}
            self.name = wish.module
            self.argv = ["-m", wish.module, *wish.args]
        else:
            self.target = {"kind": "code", "value": wish.code or "", "args": wish.args}
            self.name = "-c"
            self.argv = ["-c", wish.code or "", *wish.args]
        file_values = _read_env_file(wish.arguments.get("envFile"), self.cwd)
        wished: dict[str, str | None] = {**file_values, **wish.env}
        # What a terminal must be told, since it starts from an environment of its own.
        self.unset = [name for name, value in wished.items() if value is None]
        self.environment = {
            name: value
            for name, value in {**own_environment, **wished}.items()
            if value is not None and name not in (SESSION_VARIABLE, HUB_VARIABLE)
        }

    def session(self, address: Address, secret: str, *, wait: bool, captures: bool) -> str:
        """Return the content of `REMORA_SESSION`."""
        start: SessionStart = {
            "address": address,
            "secret": secret,
            "run": self.target,
            "wait": wait,
            "capturesOutput": captures,
        }
        return json.dumps(start)

    def debugged(self) -> list[str]:
        """Return the command line that starts the agent.

        The program's own words stand behind it for people and programs that look (`ps`, `sys.orig_argv`);
        the agent goes by the session.
        """
        package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        return [*self.python, os.path.join(package, *AGENT_ENTRY), *self.argv]

    def plain(self) -> list[str]:
        """Return the command line without a debugger; unbuffered, since its output goes through pipes."""
        return [*self.python, "-u", *self.argv]


def explain(plan: Plan, error: OSError) -> DapError:
    """Return why the process could not be started, as an error that names what to mend."""
    if isinstance(error, FileNotFoundError):
        return CANNOT_LAUNCH(program=plan.name, reason=f'there is no interpreter "{plan.python[0]}"')
    if isinstance(error, PermissionError):
        return CANNOT_LAUNCH(program=plan.name, reason=f'"{plan.python[0]}" may not be executed')
    return CANNOT_LAUNCH(program=plan.name, reason=error.strerror or str(error))


def died_early(plan: Plan, code: int | None, stderr: str) -> DapError:
    """Return the error for a process that ended before its hello."""
    tail = "\n".join(stderr.strip().splitlines()[-TAIL_LINES:])
    how = "ended" if code is None else f"ended with exit code {code}"
    reason = f'"{plan.python[0]}" {how} before it could be debugged' + (f":\n{tail}" if tail else "")
    return CANNOT_LAUNCH(program=plan.name, reason=reason)


def in_terminal(plan: Plan, wish: Launch, session: str) -> dict[str, Any]:
    """Return the arguments of `runInTerminal`."""
    environment: dict[str, str | None] = {
        name: value for name, value in plan.environment.items() if name in wish.env or name not in os.environ
    }
    environment.update(dict.fromkeys(plan.unset))
    environment[SESSION_VARIABLE] = session
    return {
        "kind": "external" if wish.console == "externalTerminal" else "integrated",
        "title": wish.arguments.get("consoleTitle") or wish.arguments.get("consoleName") or plan.name,
        "cwd": plan.cwd,
        "args": plan.debugged(),
        "env": environment,
    }


def private_folder() -> str:
    """Make a folder only our user may enter; the caller removes it."""
    base = os.environ.get("XDG_RUNTIME_DIR") or os.environ.get("TMPDIR") or "/tmp"
    # A Unix socket's name may have 107 bytes.
    if len(base) > 60 or not os.path.isdir(base):
        base = "/tmp"
    path = os.path.join(base, f"remora-{os.getpid()}-{os.urandom(6).hex()}")
    os.mkdir(path, 0o700)
    return path


def _read_env_file(name: Any, cwd: str) -> dict[str, str | None]:
    """Read NAME=VALUE lines, `#` comments, an optional `export`, and quotes round the value."""
    if not name:
        return {}
    path = os.path.join(cwd, os.path.expanduser(name))
    values: dict[str, str | None] = {}
    try:
        with open(path, encoding="utf-8-sig") as lines:
            for line in lines:
                text = line.strip().removeprefix("export ").lstrip()
                key, equals, value = text.partition("=")
                key, value = key.strip(), value.strip()
                if not equals or not key or key.startswith("#"):
                    continue
                if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
                    value = value[1:-1]
                values[key] = value
    except FileNotFoundError:
        # Front ends fill in a default name ("${workspaceFolder}/.env") whether it exists or not.
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f'the launch setting "envFile" cannot be read: {path}: {error}') from None
    return values
