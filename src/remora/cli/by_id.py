"""`remora --listen|--connect … --pid PID`: a process that runs already listens, or dials; we end then."""

from __future__ import annotations

import json
import os
import sys

from remora.cli.options import UsageError, shown
from remora.inject import ladder, processes
from remora.inject.failures import DapError
from remora.inject.place import Place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def run(pid: int, way: str, address: tuple[str, int], options: dict[str, Any]) -> int:
    """Do it, and say how it went on stderr; return the exit code. UsageError if it cannot be done."""
    if pid == os.getpid():
        raise UsageError("--pid: that is this very command")
    token = os.environ.get("REMORA_TOKEN") or None
    made = token is None and way == "listen" and address[0] not in LOOPBACK and address[0][:4] != "127."
    if made:
        # Here, where somebody reads it; the program's own terminal is another one.
        token = os.urandom(16).hex()
    start = {"do": way, "where": list(address), "token": token, "options": options}
    watch = ladder.Watch(lambda text: print(f"remora: {text}", file=sys.stderr, flush=True))
    try:
        target = processes.Target(pid)
        place = Place(target)
        try:
            said = ladder.bring(target, place, start, watch)
        finally:
            place.remove()
    except DapError as error:
        raise UsageError(error.text) from None
    except KeyboardInterrupt:
        print(f"remora: given up; process {pid} runs on as it was", file=sys.stderr)
        return 130
    if said is not None and "listening" in said:
        where = shown(*said["listening"])
        print(f"remora: process {pid} is listening on {where}", file=sys.stderr)
        if made:
            _show_token(said["listening"][1], token)
    else:
        print(f"remora: process {pid} has connected to {shown(*address)}", file=sys.stderr)
    return 0


def _show_token(port: int, token: str | None) -> None:
    configuration = {
        "name": "remora",
        "type": "debugpy",
        "request": "attach",
        "connect": {"host": "HOST", "port": port},
        "token": token,
    }
    text = json.dumps(configuration, indent=4)
    print(
        "remora: it can be reached from other machines, so clients need a token. "
        f"To attach from an editor:\n{text}\n"
        f"or from a terminal: REMORA_TOKEN={token} remora attach HOST:{port}",
        file=sys.stderr,
    )
