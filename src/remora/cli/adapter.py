"""`remora adapter`: the Debug Adapter Protocol on stdio, or on a port."""

from __future__ import annotations

import os
import sys

from remora.cli.options import UsageError, port_of, shown, take_option, value_of

HELP = """\
usage: remora adapter [--port PORT [--host HOST]] [--log-to PATH]

Serve the Debug Adapter Protocol: `launch` starts a program, `attach` with "connect" goes to one
that listens. On stdin and stdout unless a port is given; that is what editors start.

  --port PORT    take any number of clients on this port (0: any free one, told on stderr)
  --host HOST    on this address (127.0.0.1)
  --log-to PATH  write a log to a file in this folder

A port that others can reach needs a token: it is taken from the variable REMORA_TOKEN, or made and
printed.
"""


def run(arguments: list[str]) -> int:
    """Run the command; return its exit code."""
    port: int | None = None
    host: str | None = None
    log: str | None = None
    rest = list(arguments)
    while rest:
        option = take_option(rest, ("--help",))
        match option:
            case "-h" | "--help":
                print(HELP, end="")
                return 0
            case "--port":
                port = port_of(value_of(option, rest), option)
            case "--host":
                host = value_of(option, rest)
            case "--log-to" | "--log-dir":
                log = log_file(value_of(option, rest))
            case _:
                raise UsageError(f"adapter: there is no option {option}; see remora adapter --help")
    from remora.hub import service

    if port is None:
        if host is not None:
            raise UsageError("adapter: --host needs --port too")
        if sys.stdin is None or sys.stdout is None:
            raise UsageError("adapter: stdin or stdout is closed, and that is where an editor speaks to it")
        if sys.stdin.isatty():
            print(
                "remora adapter: an editor speaks here; for people there is `remora run FILE`",
                file=sys.stderr,
            )
        service.adapter_on_stdio(log=log)
        return 0
    from remora.hub import listeners

    host = host or "127.0.0.1"
    try:
        sockets = listeners.listen(host, port)
    except listeners.CannotListen as error:
        raise UsageError(f"adapter: {error.text}") from None
    token = os.environ.pop("REMORA_TOKEN", None) or None
    shown_host, shown_port = sockets[0].getsockname()[:2]
    lines = [f"remora: listening on {shown(shown_host, shown_port)}"]
    if token is None and host not in listeners.LOOPBACK_NAMES:
        token = os.urandom(16).hex()
        lines.append(
            f'remora: others can reach this port: clients need "token": "{token}" in their configuration'
        )
    print("\n".join(lines), file=sys.stderr, flush=True)
    service.adapter_on_port(sockets, token=token, log=log)
    return 0


def log_file(folder: str) -> str:
    """Return the name of this process' log in a folder, made if need be. UsageError."""
    path = os.path.join(os.path.abspath(folder), f"remora-hub-{os.getpid()}.log")
    try:
        os.makedirs(folder, exist_ok=True)
        with open(path, "a"):
            pass
    except OSError as error:
        raise UsageError(f"--log-to: cannot write a log into {folder}: {error.strerror}") from None
    return path
