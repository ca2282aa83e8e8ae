"""`remora --listen|--connect … FILE | -m MODULE | -c CODE`: this process becomes the debuggee.

The program runs in this very process, as `python FILE` would run it, and its exit code is ours.
"""

from __future__ import annotations

import os
import signal
import sys
import time

from remora.cli.options import UsageError, address_of, shown, take_option, value_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


_FLAGS = ("--wait-for-client", "--log-to-stderr")
REDIAL_S = 0.1


class Wish:
    """What the command line asks for."""

    __slots__ = (
        "address",
        "arguments",
        "kind",
        "log_to",
        "log_to_stderr",
        "options",
        "pid",
        "target",
        "wait",
        "way",
    )

    def __init__(self) -> None:
        self.way = ""  # "listen" or "connect"
        self.address = ("", 0)
        self.wait = False
        self.options: dict[str, Any] = {}
        self.log_to: str | None = None
        self.log_to_stderr = False
        self.pid: int | None = None  # of a process that runs already
        self.kind = ""  # "program", "module" or "code"
        self.target = ""
        self.arguments: list[str] = []


def run(arguments: list[str]) -> int:
    """Run the command; what the program raises comes out, SystemExit included."""
    wish = read(arguments)
    if wish.pid is not None:
        from remora.cli import by_id

        return by_id.run(wish.pid, wish.way, wish.address, wish.options)
    if wish.kind == "program" and not os.path.exists(wish.target):
        raise UsageError(f"there is no file {wish.target}")
    import remora

    _take_us_out(wish)
    # The name a client sees; what the program itself finds there is set when it runs.
    sys.argv[:] = [wish.target if wish.kind != "code" else "-c", *wish.arguments]
    # Not through the facade: this process is the debuggee, and this its main program.
    from remora.agent import join
    from remora.agent.run import run as run_program

    try:
        where = _join(wish)
        agent = join.current()
        assert agent is not None
        agent.is_ahead = True
        if wish.wait:
            # To a person only: a program in a pipe writes what it would write without us.
            if where is not None and wish.address[1] != 0 and sys.stderr is not None and sys.stderr.isatty():
                print(f"remora: waiting for a client on {shown(*where)}", file=sys.stderr, flush=True)
            remora.wait_for_client()
    except KeyboardInterrupt:
        return 128 + signal.SIGINT  # nothing of the program has run: no traceback of ours
    run_program(wish.kind, wish.target, wish.arguments, agent=agent, ready=agent.program_begins)
    return 0


def _take_us_out(wish: Wish) -> None:
    """Make `sys.orig_argv` the line of the program alone: reloaders (werkzeug's) start it again.

    With us in it the new process would ask for the port that this one has.
    """
    given = sys.argv[1:]
    before = sys.orig_argv[: len(sys.orig_argv) - len(given)]
    if sys.orig_argv[len(before) :] != given or len(before) < 2:
        return  # we were not started by a command line
    # Behind Python's options stands our script, or `-m remora`.
    if before.pop() == "remora" and before[-1].startswith("-") and before[-1].endswith("m"):
        letters = before.pop()[:-1]
        before += [letters] if letters != "-" else []
    words = {"program": [], "module": ["-m"], "code": ["-c"]}[wish.kind]
    sys.orig_argv[:] = [*before, *words, wish.target, *wish.arguments]


def _join(wish: Wish) -> tuple[str, int] | None:
    """Set the options, then listen or dial; return where we listen. UsageError."""
    import remora

    try:
        if wish.log_to is not None:
            os.makedirs(wish.log_to, exist_ok=True)
            remora.log_to(wish.log_to)
        if wish.log_to_stderr:
            remora.log_to("/dev/stderr")
        if wish.options:
            remora.configure(wish.options)
        if wish.way == "connect":
            _connect(wish)
            return None
        where = remora.listen(wish.address)
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        # What the user got wrong: a port in use, an unknown option, nobody there to connect to.
        raise UsageError(_reason(error)) from None
    if wish.address[1] == 0:
        print(f"remora: listening on {shown(*where)}", file=sys.stderr, flush=True)
    return where


def _connect(wish: Wish) -> None:
    """Dial the hub. A program that waits for its client waits for the hub as well."""
    import remora

    is_said = False
    while True:
        try:
            remora.connect(wish.address)
            return
        except ConnectionRefusedError:
            if not wish.wait:
                raise
        if not is_said and sys.stderr is not None and sys.stderr.isatty():
            print(f"remora: waiting for a debugger at {shown(*wish.address)}", file=sys.stderr, flush=True)
        is_said = True
        time.sleep(REDIAL_S)


def read(arguments: list[str]) -> Wish:
    """Take the command line apart. UsageError."""
    wish = Wish()
    rest = list(arguments)
    while rest:
        option = take_option(rest, _FLAGS)
        match option:
            case "--listen" | "--connect":
                way = option[2:]
                if wish.way:
                    raise UsageError("give --listen or --connect, once")
                wish.way = way
                wish.address = address_of(value_of(option, rest), option)
            case "--wait-for-client":
                wish.wait = True
            case "--log-to":
                wish.log_to = value_of(option, rest)
            case "--log-to-stderr":
                wish.log_to_stderr = True
            case "--pid":
                wish.pid = _process_id(value_of(option, rest))
            case "-m" | "-c":
                wish.kind = "module" if option == "-m" else "code"
                wish.target = value_of(option, rest)
                break
            case "--":
                wish.kind, wish.target = "program", value_of("--", rest)
                break
            case _ if option.startswith("--configure-"):
                wish.options[option[len("--configure-") :]] = _value(value_of(option, rest))
            case _ if option.startswith("-m") and len(option) > 2 and not option.startswith("--"):
                # As Python takes it: -mMODULE.
                wish.kind, wish.target = "module", option[2:]
                break
            case _ if option.startswith("-") and option != "-":
                raise UsageError(f"there is no option {option}; see remora --help")
            case _:
                wish.kind, wish.target = "program", option
                break
    wish.arguments = rest
    if not wish.way:
        what = f"remora run {wish.target}" if wish.kind == "program" else "remora --help"
        raise UsageError(f"give --listen or --connect (to debug in this terminal: {what})")
    if wish.pid is not None:
        _check_pid(wish)
        return wish
    if not wish.kind:
        raise UsageError("give a FILE, -m MODULE or -c CODE to run")
    return wish


def _process_id(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise UsageError(f"--pid: {text!r} is no process id; `remora ps` lists the processes")
    return int(text)


def _check_pid(wish: Wish) -> None:
    if wish.kind:
        raise UsageError("give --pid, or a program to start: not both")
    if wish.wait:
        raise UsageError("--wait-for-client: the process of --pid runs already, and goes on")
    if wish.log_to is not None or wish.log_to_stderr:
        raise UsageError("--log-to is not for --pid: the log would be written by another process")


def _value(text: str) -> object:
    """Read the value of an option as launch configurations would write it: true, 3, 1.5, null, or a text."""
    words = {"true": True, "false": False, "null": None, "none": None}
    lowered = text.lower()
    if lowered in words:
        return words[lowered]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror and not str(error).startswith("[Errno"):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror + (f": {error.filename}" if error.filename else "")
    return str(error)
