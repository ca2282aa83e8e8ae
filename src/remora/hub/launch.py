"""Starting a program for a client: the command line and the environment, then the wait for its hello.

The debuggee runs `python <package>/agent/boot.py` with `REMORA_SESSION` in its environment; what that holds
is in `dap.hello`. With `internalConsole` it is our child and its agent has one end of a socket pair; in a
terminal the client starts it, and it dials a Unix socket in a folder only our user may enter.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys

from remora.dap.errors import CANNOT_LAUNCH, DapError, UsageError
from remora.dap.hello import AGENT_ENTRY, FAMILY_VARIABLE, HUB_VARIABLE, SESSION_VARIABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from remora.dap.hello import Address, Family, SessionStart, Target
    from remora.hub.configuration import Launch

# A cold start from a network disk under load; a program that takes longer has not started at all.
HELLO_S = 60.0
# Somebody has to see that a password is asked for, find it, and type it.
PASSWORD_S = 600.0
# What a process in a terminal may still be told by after it has ended.
LAST_HELLO_S = 2.0
# Lines of the dead program's stderr that are worth showing in an error.
TAIL_LINES = 12
SHELL = "/bin/sh"
_OURS = (SESSION_VARIABLE, HUB_VARIABLE, FAMILY_VARIABLE)


class Plan:
    """What to start, where, with what: checked, so that a mistake is an error before it is a process."""

    __slots__ = (
        "argv",
        "cwd",
        "environment",
        "name",
        "notes",
        "python",
        "shell_args",
        "sudo",
        "target",
        "unset",
        "wished",
    )

    def __init__(self, wish: Launch, own_environment: Mapping[str, str], own_cwd: str) -> None:
        """Raise UsageError for what is not there."""
        self.notes: list[str] = []  # for the user
        self.python = [*(wish.python or [sys.executable]), *wish.python_args]
        program = wish.program
        cwd = wish.cwd
        if cwd is not None:
            cwd = _expanded(cwd, own_cwd)
            if not os.path.isdir(cwd):
                raise UsageError(f'the launch setting "cwd" names no folder: {cwd}')
        if program is not None:
            path = _expanded(program, cwd or own_cwd)
            if not os.path.exists(path):
                raise CANNOT_LAUNCH(program=program, reason=f"there is no such file ({path})")
            if os.path.isdir(path) and not os.path.isfile(os.path.join(path, "__main__.py")):
                raise CANNOT_LAUNCH(program=program, reason="it is a folder without a __main__.py")
            if not os.path.isabs(program) and (cwd is None or program.startswith("~")):
                program = path
            if cwd is None and os.path.dirname(program):
                # As existing configurations expect it: a program named by its path starts in its folder.
                cwd = os.path.dirname(path)
        self.cwd = cwd or own_cwd
        self.target: Target
        self.sudo = wish.sudo
        self.shell_args = wish.shell_args
        # The agent finds in its command line what a shell has made of them.
        args = wish.args if wish.shell_args is None else None
        if program is not None:
            self.target = {"kind": "program", "value": program, "args": args}
            self.name = os.path.basename(program) or program
            self.argv = [program, *wish.args]
        elif wish.module is not None:
            self.target = {"kind": "module", "value": wish.module, "args": args}
            self.name = wish.module
            self.argv = ["-m", wish.module, *wish.args]
        else:
            self.target = {"kind": "code", "value": wish.code or "", "args": args}
            self.name = "-c"
            self.argv = ["-c", wish.code or "", *wish.args]
        from_file = self._read_file(wish.env_file, own_environment)
        # What was said, as against what the program would have had anyway.
        self.wished: dict[str, str | None] = {**from_file, **wish.env}
        if wish.gevent:
            # gevent's own debuggers look at it, and so do programs that patch less when they are debugged.
            self.wished.setdefault("GEVENT_SUPPORT", "True")
        # What a terminal must be told, since it starts from an environment of its own.
        self.unset = [name for name, value in self.wished.items() if value is None]
        self.environment = {
            name: value
            for name, value in {**own_environment, **self.wished}.items()
            if value is not None and name not in _OURS
        }

    def _read_file(self, name: str | None, own_environment: Mapping[str, str]) -> dict[str, str]:
        if name is None:
            return {}
        from remora.hub import environment

        path = _expanded(name, self.cwd)
        try:
            return environment.read(path, own_environment)
        except FileNotFoundError:
            # Front ends fill in a default name ("${workspaceFolder}/.env") whether it exists or not.
            if os.path.basename(path) != ".env":
                self.notes.append(f'the file of "envFile" is not there: {path}')
            return {}

    def session(
        self,
        address: Address,
        secret: str,
        *,
        wait: bool,
        captures: bool,
        family: Family | None = None,
        log: str | None = None,
    ) -> str:
        """Return the content of `REMORA_SESSION`."""
        start: SessionStart = {
            "address": address,
            "secret": secret,
            "run": self.target,
            "wait": wait,
            "capturesOutput": captures,
        }
        if family is not None:
            start["family"] = family
        if log is not None:
            start["log"] = log
        return json.dumps(start)

    def debugged(self) -> list[str]:
        """Return the command line that starts the agent.

        The program's own words stand behind it for people and programs that look (`ps`, `sys.orig_argv`);
        the agent goes by the session.
        """
        package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        return self._through_shell([*self.python, os.path.join(package, *AGENT_ENTRY), *self.argv])

    def plain(self) -> list[str]:
        """Return the command line without a debugger; unbuffered, since its output goes through pipes."""
        return self._through_shell([*self.python, "-u", *self.argv])

    def _through_shell(self, words: list[str]) -> list[str]:
        if self.shell_args is None:
            return words
        import shlex

        # Text: the shell's business, with its variables, patterns, quotes and redirections.
        return [SHELL, "-c", f"exec {shlex.join(words)} {self.shell_args}"]

    def for_shell(self) -> list[str]:
        """Return the words of a command line for a terminal's own shell: quoted, but for `args`."""
        import shlex

        words = self.debugged()
        if self.shell_args is not None:
            package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
            words = [*self.python, os.path.join(package, *AGENT_ENTRY), *self.argv]
        quoted = [shlex.quote(word) for word in words]
        return quoted if self.shell_args is None else [*quoted, self.shell_args]

    def as_root(self, command: list[str], settings: str, *, ask: bool) -> list[str]:
        """Return `command` under sudo, with what `settings` (a file, see `root_settings`) sets.

        sudo clears the environment as its rules say, whoever has the right to keep it or not; and what stands
        in a command line everybody can read. So a shell reads the file as root.
        """
        asking = [] if ask else ["-n"]
        return ["sudo", *asking, "--", SHELL, "-c", '. "$0"; exec "$@"', settings, *command]

    def root_settings(self, session: str | None) -> str:
        """Return the shell text for `as_root`: the variables and the folder.

        What sudo sets itself (HOME, PATH, USER …) stays, unless the configuration names it.
        """
        import shlex

        lines = [f"cd -- {shlex.quote(self.cwd)}"]
        for name, value in sorted(self.environment.items()):
            if not name.replace("_", "a").isalnum() or not name.isascii() or name[0].isdigit():
                continue  # no name for a shell
            setting = f"export {name}={shlex.quote(value)}"
            lines.append(setting if name in self.wished else f'[ "${{{name}+x}}" ] || {setting}')
        lines += [f"unset {name}" for name in self.unset if name.isidentifier()]
        if session is not None:
            lines.append(f"export {SESSION_VARIABLE}={shlex.quote(session)}")
        return "\n".join(lines) + "\n"


def _expanded(path: str, folder: str) -> str:
    """Return where a file named in a configuration is."""
    return os.path.join(folder, os.path.expanduser(path))


def explain(plan: Plan, error: OSError) -> DapError:
    """Return why the process could not be started, as an error that names what to mend."""
    if isinstance(error, FileNotFoundError) and plan.sudo:
        return CANNOT_LAUNCH(program=plan.name, reason='"sudo" is not installed here')
    if isinstance(error, FileNotFoundError):
        return CANNOT_LAUNCH(program=plan.name, reason=f'there is no interpreter "{plan.python[0]}"')
    if isinstance(error, PermissionError):
        return CANNOT_LAUNCH(program=plan.name, reason=f'"{plan.python[0]}" may not be executed')
    return CANNOT_LAUNCH(program=plan.name, reason=error.strerror or str(error))


def died_early(plan: Plan, code: int | None, stderr: str) -> DapError:
    """Return the error for a process that ended before its hello."""
    tail = "\n".join(stderr.strip().splitlines()[-TAIL_LINES:])
    if plan.sudo and "password" in stderr:
        return CANNOT_LAUNCH(
            program=plan.name,
            reason="sudo needs a password, and there is no place to type it: use "
            f'"console": "integratedTerminal", or a rule with NOPASSWD\n{tail}',
        )
    from remora.hub.life import described

    how = "ended" if code is None else described(code)
    reason = f'"{plan.python[0]}" {how} before it could be debugged' + (f":\n{tail}" if tail else "")
    return CANNOT_LAUNCH(program=plan.name, reason=reason)


def in_terminal(
    plan: Plan, wish: Launch, session: str, settings: str | None, *, expands: bool
) -> dict[str, Any]:
    """Return the arguments of `runInTerminal`.

    `session` is the value for REMORA_SESSION: a client may type it into a shell, so it is no secret but the
    name of a file that holds it. `settings` is the file for sudo. `expands`: the client can leave `args` to
    the terminal's shell.
    """
    expands = expands and plan.shell_args is not None
    command = plan.for_shell() if expands and settings is None else plan.debugged()
    arguments: dict[str, Any] = {
        "kind": "external" if wish.console == "externalTerminal" else "integrated",
        "title": wish.title or plan.name,
        "cwd": plan.cwd,
    }
    if settings is not None:
        command = plan.as_root(command, settings, ask=True)
        arguments["env"] = {}
    else:
        arguments["env"] = {**plan.wished, SESSION_VARIABLE: session}
        if expands:
            arguments["argsCanBeInterpretedByShell"] = True
    if wish.waits_on_success or wish.waits_on_failure:
        command = _with_a_last_word(wish, command, expands=expands and settings is None)
    arguments["args"] = command
    return arguments


def _with_a_last_word(wish: Launch, command: list[str], *, expands: bool) -> list[str]:
    """Return `command` so that its window stays until somebody has read it."""
    when = {(True, True): "true", (True, False): '[ "$code" = 0 ]', (False, True): '[ "$code" != 0 ]'}
    script = (
        '"$@"; code=$?; if ' + when[wish.waits_on_success, wish.waits_on_failure] + "; then "
        'printf "\\n[ended with exit code %s: press Enter to close]" "$code"; read -r _; fi; exit "$code"'
    )
    if expands:
        import shlex

        return [SHELL, "-c", shlex.quote(script), "remora", *command]
    return [SHELL, "-c", script, "remora", *command]


def private_folder() -> str:
    """Make a folder only our user may enter; the caller removes it."""
    base = os.environ.get("XDG_RUNTIME_DIR") or os.environ.get("TMPDIR") or "/tmp"
    # A Unix socket's name may have 107 bytes.
    if len(base) > 60 or not os.path.isdir(base):
        base = "/tmp"
    path = os.path.join(base, f"remora-{os.getpid()}-{os.urandom(6).hex()}")
    os.mkdir(path, 0o700)
    return path


def remove_folder(path: str) -> None:
    """Remove a private folder and the files in it, as far as they are there."""
    # Not shutil.rmtree: that module loads the compressors, and a launch waits for it.
    with contextlib.suppress(OSError):
        for name in os.listdir(path):
            os.unlink(os.path.join(path, name))
        os.rmdir(path)


def private_file(folder: str, name: str, text: str) -> str:
    """Write a file that only our user may read; return its path."""
    path = os.path.join(folder, name)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    return path
