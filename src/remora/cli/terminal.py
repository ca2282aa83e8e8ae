"""`remora run FILE` and `remora attach TARGET`: debug in this terminal."""

from __future__ import annotations

import os
import shutil
from typing import Any

from remora.cli.options import UsageError, address_of, take_option, value_of

RUN_HELP = """\
usage: remora run [options] FILE [ARG]...
       remora run [options] -m MODULE [ARG]...

Debug a program in this terminal, with pdb's commands; `help` at the prompt lists them. It stops at
the first line. The exit code is the program's own.

  -c COMMANDS      do these first, e.g. -c 'b 12; c; p total'; may be given more than once
  -m MODULE        run a module, as python -m does
  --no-stop        run at once, up to a breakpoint or an exception
  --all-code       step into and stop in library code as well
  --no-children    debug the program alone, not the processes it starts
  --stdin FILE     the program reads this file
  --python PATH    run it with this interpreter

What is typed while the program runs is the program's input; at the prompt it is commands. If stdin
is no terminal, commands are read from it, and the program reads nothing unless --stdin says what.
"""

ATTACH_HELP = """\
usage: remora attach [options] HOST:PORT | :PORT | PID | NAME

Debug, from this terminal, a program that listens (it was started with `remora --listen` or calls
`remora.listen()`), or any Python process of this machine, by its id or by the name of its script or
module; `remora ps` lists them. Leaving lets it run on.

A bare number is a process id if there is such a process, else a port.

  -c COMMANDS    do these first, e.g. -c 'b shop.py:12; c; bt'; may be given more than once
  --pid PID      the process with this id, for a number that is a port as well
  --all-code     step into and stop in library code as well
  --no-children  debug the program alone, not the processes it starts
  --path-mapping LOCAL=REMOTE
                 the folder LOCAL here is REMOTE there; may be given more than once

A token is read from the variable REMORA_TOKEN.
"""

_FLAGS = ("--help", "--no-stop", "--all-code", "--no-children")


def run(arguments: list[str]) -> int:
    """Run `remora run`; return the exit code."""
    commands: list[str] = []
    settings: dict[str, Any] = {}
    module: str | None = None
    rest = list(arguments)
    while rest and rest[0].startswith("-") and rest[0] != "-":
        option = take_option(rest, _FLAGS)
        match option:
            case "-h" | "--help":
                print(RUN_HELP, end="")
                return 0
            case "-c" | "--command":
                commands.append(value_of(option, rest))
            case "-m":
                module = value_of(option, rest)
                break
            case "--no-stop":
                settings["stop_on_entry"] = False
            case "--all-code":
                settings["just_my_code"] = False
            case "--no-children":
                settings["children"] = False
            case "--stdin":
                settings["stdin"] = _file(value_of(option, rest), option)
                if os.path.isdir(settings["stdin"]):
                    raise UsageError(f"{option}: {settings['stdin']} is a folder")
            case "--python":
                settings["python"] = _python(value_of(option, rest), option)
            case "--":
                break
            case _:
                raise UsageError(f"run: there is no option {option}; see remora run --help")
    if module is None and not rest:
        raise UsageError("run: which program? Give a FILE or -m MODULE")
    program = None if module is not None else _file(rest.pop(0), "run")
    from remora import terminal

    return terminal.main(
        terminal.LaunchTarget(program=program, module=module, args=rest, **settings), commands
    )


def attach(arguments: list[str]) -> int:
    """Run `remora attach`; return the exit code."""
    commands: list[str] = []
    settings: dict[str, Any] = {}
    mappings: list[dict[str, str]] = []
    target = ""
    pid: int | None = None
    rest = list(arguments)
    while rest:
        option = take_option(rest, _FLAGS)
        match option:
            case "-h" | "--help":
                print(ATTACH_HELP, end="")
                return 0
            case "-c" | "--command":
                commands.append(value_of(option, rest))
            case "--all-code":
                settings["justMyCode"] = False
            case "--no-children":
                settings["subProcess"] = False
            case "--path-mapping":
                local, equals, remote = value_of(option, rest).partition("=")
                if not equals or not local or not remote:
                    raise UsageError("--path-mapping: write LOCAL=REMOTE, two folders")
                mappings.append({"localRoot": os.path.abspath(local), "remoteRoot": remote})
            case "--pid":
                pid = _pid(value_of(option, rest), option)
            case _ if option.startswith("-") or target:
                raise UsageError(f"attach: there is no option {option}; see remora attach --help")
            case _:
                target = option
    if not target and pid is None:
        raise UsageError("attach: where to? Give HOST:PORT, the id of a process, or the name of its script")
    if target and pid is not None:
        raise UsageError(f"attach: {target!r} or --pid? One of them")
    if mappings:
        settings["pathMappings"] = mappings
    token = os.environ.pop("REMORA_TOKEN", None)
    if token:
        settings["token"] = token
    from remora import terminal

    where = pid if pid is not None else _where(target)
    if isinstance(where, int):
        return terminal.main(terminal.ProcessTarget(where, settings=settings), commands)
    return terminal.main(terminal.AttachTarget(*where, settings=settings), commands)


def _where(target: str) -> int | tuple[str, int]:
    """Return the process id or the address that is meant. UsageError."""
    if target.isascii() and target.isdigit():
        number = int(target)
        listens = number < 65536 and _somebody_listens(number)
        if not listens and (number > 65535 or _exists(number)):
            return number
        if listens and _is_python(number):
            raise UsageError(
                f"attach: {number} is the id of a Python process, and a port somebody listens on: "
                f"write --pid {number} or :{number}"
            )
        return "127.0.0.1", number
    if ":" in target:
        return address_of(target.removeprefix(":") if target.rfind(":") == 0 else target, "attach")
    from remora.cli.targets import pid_named

    return pid_named(target)


def _somebody_listens(port: int) -> bool:
    """Tell without connecting: the one who listens may take us for its client."""
    import errno
    import socket

    with socket.socket() as probe:
        # With this, connections of before are in nobody's way, only who listens is.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False


def _exists(pid: int) -> bool:
    return os.path.exists(f"/proc/{pid}")


def _is_python(pid: int) -> bool:
    from remora.inject.failures import DapError
    from remora.inject.processes import Target

    try:
        Target(pid)
    except DapError:
        return False
    return True


def _pid(text: str, option: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise UsageError(f"{option}: {text!r} is no process id")
    return int(text)


def _python(name: str, option: str) -> str:
    """Look an interpreter up as a shell would; the program may be started from another folder."""
    found = shutil.which(name)
    if found is None:
        raise UsageError(f"{option}: there is no interpreter {name!r}, or it may not be executed")
    return os.path.abspath(found)


def _file(path: str, option: str) -> str:
    if not os.path.exists(path):
        raise UsageError(f"{option}: there is no file {path}")
    return path
