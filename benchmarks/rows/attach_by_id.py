"""Attach to a running program by its process id, from the request to its answer; the adapter runs already."""

from __future__ import annotations

import subprocess
import sys
import time

from benchmarks.figures import Contender, Figure
from benchmarks.rounds import Run, fill
from benchmarks.sessions import PROGRAMS, adapter, environment

BUSY = PROGRAMS / "busy.py"
# 3.14 brought sys.remote_exec; before that debugpy asks gdb, and remora does without through ptrace.
HAS_REMOTE_EXEC = sys.version_info >= (3, 14)


def to_attached(contender: Contender) -> float:
    """From the attach request to its answer, in ms."""
    program = subprocess.Popen(
        [sys.executable, "-u", BUSY, "busy"], env=environment(), stdout=subprocess.PIPE, text=True
    )
    try:
        assert program.stdout is not None
        program.stdout.readline()
        with adapter(contender, BUSY) as client:
            client.wire.request("initialize", {"adapterID": "x", "pathFormat": "path"})
            began = time.perf_counter()
            client._start_seq = client.wire.send("attach", {"processId": program.pid})
            client.wire.event("initialized", timeout_s=60)
            client.go()
            took_ms = (time.perf_counter() - began) * 1e3
            client.wire.request("disconnect", {"terminateDebuggee": False})
            return took_ms
    finally:
        program.kill()
        program.wait()
        program.stdout.close()


def measure(run: Run) -> list[Figure]:
    samples, failures = run.take(
        {
            contender: lambda contender=contender: to_attached(contender)
            for contender in (Contender.DEBUGPY, Contender.REMORA)
        }
    )
    version = "{}.{}".format(*sys.version_info)
    figure = Figure(
        f"attach by process id to attached, on {version}", "ms", at_most=50 if HAS_REMOTE_EXEC else 700
    )
    return [fill(figure, samples, failures)]
