"""Memory and wake-ups of a program that sleeps with a client attached. Linux: it reads /proc."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures import Contender, Figure
from benchmarks.rounds import Run, fill
from benchmarks.sessions import PROGRAMS, environment, session

PROGRAM = PROGRAMS / "busy.py"
TOKEN = "BENCH_TOKEN"
WATCH_S = 3.0


def family(token: str) -> list[int]:
    """Everything that was started with this token in its environment, detached or not."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                if f"{TOKEN}={token}".encode() in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
    return found


def memory_mb(pid: int, field: str) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"no {field} for {pid}")


def private_mb(pid: int) -> float:
    return memory_mb(pid, "Private_Clean") + memory_mb(pid, "Private_Dirty")


def switches(pids: list[int]) -> int:
    """How often all their threads went to sleep of their own will so far."""
    total = 0
    for pid in pids:
        for status in Path(f"/proc/{pid}/task").glob("*/status"):
            for line in status.read_text().splitlines():
                if line.startswith("voluntary_ctxt_switches"):
                    total += int(line.split()[1])
    return total


class Footprint:
    def __init__(self, debuggee_mb: float, hub_mb: float, all_mb: float, wake_ups: float) -> None:
        self.debuggee_mb = debuggee_mb
        self.hub_mb = hub_mb
        self.all_mb = all_mb
        self.wake_ups = wake_ups


@contextlib.contextmanager
def idle(contender: Contender, token: str) -> Iterator[int]:
    """Start the sleeping program, attach if there is a debugger, give its pid."""
    env = {TOKEN: token}
    if contender is Contender.BARE:
        process = subprocess.Popen(
            [sys.executable, PROGRAM, "idle"],
            stdout=subprocess.PIPE,
            env=environment(env),
            text=True,
        )
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
        process.kill()
        process.communicate()
        return
    with session(contender, PROGRAM, "idle", env=env) as client:
        client.filters("uncaught")
        client.go()
        assert client.process is not None and client.process.stdout is not None
        client.process.stdout.readline()
        yield client.process.pid


def footprint(contender: Contender) -> Footprint:
    token = uuid.uuid4().hex
    with idle(contender, token) as pid:
        time.sleep(1.0)  # what runs once after attach is over
        pids = family(token)
        before = switches(pids)
        began = time.perf_counter()
        time.sleep(WATCH_S)
        wake_ups = (switches(pids) - before) / (time.perf_counter() - began)
        shares_mb = {each: memory_mb(each, "Pss") for each in pids}
        # The hub, debugpy's adapter: the largest beside the debuggee.
        hub_mb = max((share for each, share in shares_mb.items() if each != pid), default=0.0)
        return Footprint(private_mb(pid), hub_mb, sum(shares_mb.values()), wake_ups)


def measure(run: Run) -> list[Figure]:
    if not os.path.exists("/proc/self/smaps_rollup"):
        return []
    samples, failures = run.take(
        {
            contender: lambda contender=contender: footprint(contender)
            for contender in (Contender.BARE, Contender.DEBUGPY, Contender.REMORA)
        },
        rounds=2 if run.quick else 3,
    )
    debuggee = Figure("memory of the debuggee over bare, private", "MB", at_most=6)
    hub = Figure("memory of the hub (debugpy: of its adapter), proportional", "MB", at_most=20)
    everything = Figure("memory of all processes over bare, proportional", "MB", at_most=22)
    wake_ups = Figure("idle wake-ups", "/s", at_most=0)
    for contender, taken in samples.items():
        if contender is not Contender.BARE:
            for print_, bare_ in zip(taken, samples[Contender.BARE], strict=False):
                debuggee.add(contender, print_.debuggee_mb - bare_.debuggee_mb)
                hub.add(contender, print_.hub_mb)
                everything.add(contender, print_.all_mb - bare_.all_mb)
    fill(
        wake_ups,
        {contender: [print_.wake_ups for print_ in taken] for contender, taken in samples.items()},
        failures,
    )
    return [debuggee, hub, everything, wake_ups]
