"""What it takes to begin: an empty script under --listen, listen(), the first breakpoint, launch."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable

from benchmarks.figures import Contender, Figure
from benchmarks.rounds import Run, fill
from benchmarks.sessions import (
    MODULE,
    PROGRAMS,
    Session,
    adapter,
    bare,
    environment,
    free_port,
    listening,
)
from benchmarks.wire import Wire

EMPTY = PROGRAMS / "empty.py"
FIRST = PROGRAMS / "first.py"
LISTENS = PROGRAMS / "listens.py"


def empty(contender: Contender) -> float:
    """Wall time in ms of an empty script, nobody attached."""
    began = time.perf_counter()
    if contender is Contender.BARE:
        subprocess.run([sys.executable, EMPTY], check=True, env=environment())
    else:
        process = listening(contender, free_port(), EMPTY, wait=False)
        process.wait(60)
        assert process.stdout is not None
        process.stdout.close()
    return (time.perf_counter() - began) * 1e3


def listen_call(contender: Contender) -> float:
    """How long listen() keeps the program, in ms."""
    return float(bare(LISTENS, MODULE[contender], str(free_port()))) * 1e3


def first_breakpoint(contender: Contender) -> float:
    """From spawning the program to its first breakpoint, in ms."""
    port = free_port()
    began = time.perf_counter()
    process = listening(contender, port, FIRST)
    wire = Wire.connect("127.0.0.1", port)
    try:
        client = Session(wire, process, FIRST)
        client.begin("attach", {"justMyCode": True})
        client.break_at("first")
        client.go()
        client.stopped()
        return (time.perf_counter() - began) * 1e3
    finally:
        wire.close()
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def launch(contender: Contender) -> float:
    """From the launch request to the stop on entry, in ms; the adapter runs already."""
    with adapter(contender, FIRST) as client:
        arguments = {
            "program": str(FIRST),
            "python": [sys.executable],
            "console": "internalConsole",
            "stopOnEntry": True,
        }
        client.wire.request("initialize", {"adapterID": "x", "pathFormat": "path"})
        began = time.perf_counter()
        client._start_seq = client.wire.send("launch", arguments)
        client.wire.event("initialized")
        client.go()
        client.stopped()
        took_ms = (time.perf_counter() - began) * 1e3
        client.wire.request("disconnect", {"terminateDebuggee": True})
        return took_ms


def measure(run: Run) -> list[Figure]:
    figures = []
    samples, failures = run.take(
        {
            contender: lambda contender=contender: empty(contender)
            for contender in (Contender.BARE, Contender.DEBUGPY, Contender.REMORA)
        },
        rounds=run.rounds * 2,
    )
    figure = Figure("an empty script under --listen, over bare", "ms", at_most=60)
    figure.failures.update(failures)
    for contender, times in samples.items():
        if contender is not Contender.BARE:
            for time_ms, bare_ms in zip(times, samples[Contender.BARE], strict=False):
                figure.add(contender, time_ms - bare_ms)
    figures.append(figure)
    rows: tuple[tuple[str, float, Callable[[Contender], float]], ...] = (
        ("listen() returns", 10, listen_call),
        ("spawn → first breakpoint, attached by port", 120, first_breakpoint),
        ("launch request → stopped on entry", 160, launch),
    )
    for what, limit, action in rows:
        samples, failures = run.take(
            {
                contender: lambda action=action, contender=contender: action(contender)
                for contender in (Contender.DEBUGPY, Contender.REMORA)
            }
        )
        figures.append(fill(Figure(what, "ms", at_most=limit), samples, failures))
    return figures
