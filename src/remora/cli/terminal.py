"""`remora run` and `remora attach`: the terminal client, on a program to start or on one that listens."""

from __future__ import annotations

import os
from typing import Any

from remora.cli.main import UsageError, address_of, value_of

RUN_HELP = """\
usage: remora run [options] FILE | -m MODULE [ARG]...

Debug a program in this terminal, with pdb's commands. It stops at its first line.

  -c COMMAND         run this command first; may be given several times ("-c 'break 12' -c continue")
  --no-stop          don't stop at the first line: run to the first breakpoint
  --all-code         step into libraries too
  --python PATH      run the program with this interpreter
"""

ATTACH_HELP = """\
usage: remora attach [options] [HOST:]PORT

Debug, from this terminal, a program that listens (python -m remora --listen PORT FILE). Leaving with
`quit` lets it run on.

  -c COMMAND                  run this command first; may be given several times
  --all-code                  step into libraries too
  --path-mapping LOCAL=REMOTE a folder here and the same folder there; may be given several times

The token of a program that asks for one is taken from the variable REMORA_TOKEN.
"""


def run(arguments: list[str]) -> int:
    """Run `remora run`; return the exit code."""
    commands: list[str] = []
    stop, all_code = True, False
    python: str | None = None
    program: str | None = None
    module: str | None = None
    rest = list(arguments)
    while rest:
        option = _next(rest)
        match option:
            case "-h" | "--help":
                print(RUN_HELP, end="")
                return 0
            case "-c":
                commands.append(value_of(option, rest))
            case "--no-stop":
                stop = False
            case "--all-code":
                all_code = True
            case "--python":
                python = value_of(option, rest)
            case "-m":
                module = value_of(option, rest)
                break
            case "--":
                program = value_of(option, rest)
                break
            case _ if option.startswith("-"):
                raise UsageError(f"run: there is no option {option}; see remora run --help")
            case _:
                program = option
                break
    if program is None and module is None:
        raise UsageError("run: give a FILE or -m MODULE")
    if program is not None and not os.path.exists(program):
        raise UsageError(f"there is no file {program}")
    from remora import terminal

    target = terminal.LaunchTarget(
        program=program,
        module=module,
        args=rest,
        python=python,
        stop_on_entry=stop,
        just_my_code=not all_code,
    )
    return terminal.main(target, commands)


def attach(arguments: list[str]) -> int:
    """Run `remora attach`; return the exit code."""
    commands: list[str] = []
    settings: dict[str, Any] = {}
    address: tuple[str, int] | None = None
    rest = list(arguments)
    while rest:
        option = _next(rest)
        match option:
            case "-h" | "--help":
                print(ATTACH_HELP, end="")
                return 0
            case "-c":
                commands.append(value_of(option, rest))
            case "--all-code":
                settings["justMyCode"] = False
            case "--path-mapping":
                local, equals, remote = value_of(option, rest).partition("=")
                if not equals or not local or not remote:
                    raise UsageError("attach: --path-mapping takes LOCAL=REMOTE")
                rule = {"localRoot": os.path.abspath(local), "remoteRoot": remote}
                settings.setdefault("pathMappings", []).append(rule)
            case _ if option.startswith("-"):
                raise UsageError(f"attach: there is no option {option}; see remora attach --help")
            case _:
                if address is not None:
                    raise UsageError("attach: give one address, [HOST:]PORT")
                address = address_of(option, "attach")
    if address is None:
        raise UsageError("attach: give the address of a program that listens, [HOST:]PORT")
    token = os.environ.pop("REMORA_TOKEN", None)
    if token:
        settings["token"] = token
    from remora import terminal

    target = terminal.AttachTarget(*address, settings=settings)
    return terminal.main(target, commands)


def _next(rest: list[str]) -> str:
    """Take the next word; `--name=value` counts as two."""
    option = rest.pop(0)
    name, equals, value = option.partition("=")
    if equals and name.startswith("--"):
        rest.insert(0, value)
        return name
    return option
