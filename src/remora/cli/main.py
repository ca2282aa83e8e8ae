"""The command line: which command is meant.

Without the name of a command it is the way every user of debugpy knows: `--listen 5678 FILE`. Parsed by hand:
argparse costs 12 ms, and everything after FILE belongs to the program. A command's module is imported only
when that command is given.
"""

from __future__ import annotations

import sys

from remora.cli.options import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

USAGE_EXIT = 2

COMMANDS = {
    "adapter": "serve the Debug Adapter Protocol to an editor",
    "run": "debug a program in this terminal",
    "attach": "debug, from this terminal, a program that runs",
    "ps": "the Python processes that can be attached to",
    "log": "messages from a line of a live program",
    "snapshot": "variables and stack at a line of a live program",
    "stack": "where the threads and tasks of a live program are",
    "eval": "the value of an expression in a live program",
    "demo": "show what a debugging session looks like, on an example",
}

HELP = """\
remora: a remote debugger for Python

Start a program so that a debugger can attach to it:

  remora --listen [HOST:]PORT [options] FILE | -m MODULE | -c CODE [ARG]...
  remora --connect [HOST:]PORT [options] FILE | -m MODULE | -c CODE [ARG]...
  remora --listen [HOST:]PORT --pid PID

  --listen [HOST:]PORT     wait for debuggers on this port (host 127.0.0.1 unless given;
                           0 takes any free port and says which); the program starts at once
  --connect [HOST:]PORT    connect to a debugger that waits on this port
  --pid PID                a process that runs already listens (or connects); this command then ends
  --wait-for-client        hold the program until a debugger has attached
  --configure-NAME VALUE   set an option of the debugger, e.g. --configure-subProcess false
  --log-to PATH            write the debugger's own log to files in this folder
  --log-to-stderr          write the debugger's own log to stderr

Other commands (remora COMMAND --help tells more):

{commands}

  --version, --help

Examples:

  remora --listen 5678 --wait-for-client app.py --port 80
  remora --listen 0.0.0.0:5678 -m flask run
  remora run app.py
  remora attach localhost:5678
"""


def run(arguments: Sequence[str]) -> int:
    """Run a command line; return the exit code. The program's own, where one is run."""
    try:
        return _dispatch(list(arguments))
    except UsageError as error:
        print(f"remora: {error}", file=sys.stderr)
        return USAGE_EXIT


def _dispatch(arguments: list[str]) -> int:
    first = arguments[0] if arguments else ""
    if first in COMMANDS:
        rest = arguments[1:]
        match first:
            case "adapter":
                from remora.cli import adapter

                return adapter.run(rest)
            case "run":
                from remora.cli import terminal

                return terminal.run(rest)
            case "attach":
                from remora.cli import terminal

                return terminal.attach(rest)
            case "ps":
                from remora.cli import ps

                return ps.run(rest)
            case "log":
                from remora.cli import log

                return log.run(rest)
            case "snapshot":
                from remora.cli import snapshot

                return snapshot.run(rest)
            case "stack":
                from remora.cli import stack

                return stack.run(rest)
            case "eval":
                from remora.cli import evaluate

                return evaluate.run(rest)
            case _:
                from remora.cli import demo

                return demo.run(rest)
    if first in ("", "-h", "--help", "help"):
        commands = "\n".join(f"  remora {name:<10} {what}" for name, what in COMMANDS.items())
        text = HELP.format(commands=commands)
        if first:
            print(text, end="")
            return 0
        print(text, end="", file=sys.stderr)
        return USAGE_EXIT
    if first in ("-V", "--version"):
        print(f"remora {version()}")
        return 0
    from remora.cli import debuggee

    return debuggee.run(arguments)


def version() -> str:
    """Return the version of the installed distribution."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("remora-debugger")
    except PackageNotFoundError:
        return "(not installed)"
