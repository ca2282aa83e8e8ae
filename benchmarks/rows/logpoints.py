"""A logpoint on a hot line of a program that ends at once afterwards."""

from __future__ import annotations

import contextlib
import re
import time

from benchmarks.figures import Contender, Figure
from benchmarks.rounds import Run, fill
from benchmarks.sessions import PROGRAMS, bare, session
from benchmarks.wire import Closed

PROGRAM = PROGRAMS / "logs.py"
MESSAGE = re.compile(r"^hit (\d+)$", re.MULTILINE)


class Delivery:
    def __init__(self, rate: float, cost_us: float, lost_percent: float, in_order: bool) -> None:
        self.rate = rate
        self.cost_us = cost_us
        self.lost_percent = lost_percent
        self.in_order = in_order


def deliver(contender: Contender, hits: int) -> Delivery:
    env = {"BENCH_N": str(hits)}
    bare_s = float(bare(PROGRAM, env=env))
    with session(contender, PROGRAM, env=env) as client:
        client.break_at({"line": "hot", "logMessage": "hit {i}"})
        client.filters("uncaught")
        client.go()
        began = time.perf_counter()
        last = began
        numbers: list[int] = []
        with contextlib.suppress(Closed):
            while True:
                message = client.wire.receive(60)
                if message["type"] == "event" and message["event"] == "output":
                    found = MESSAGE.findall(message["body"]["output"])
                    if found:
                        numbers += map(int, found)
                        last = time.perf_counter()
                elif message["type"] == "event" and message["event"] == "terminated":
                    break
        spent_s = float(client.finish())
        return Delivery(
            len(numbers) / max(last - began, 1e-9),
            (spent_s - bare_s) / hits * 1e6,
            100 * (1 - len(numbers) / hits),
            numbers == sorted(numbers),
        )


def measure(run: Run) -> list[Figure]:
    hits = 20_000 if run.quick else 50_000
    samples, failures = run.take(
        {
            Contender.DEBUGPY: lambda: deliver(Contender.DEBUGPY, hits // 2),
            Contender.REMORA: lambda: deliver(Contender.REMORA, hits),
        }
    )
    rate = Figure("logpoint messages delivered", "/s", at_least=40_000)
    cost = Figure("logpoint, cost in the debuggee of a hit", "µs", at_most=3)
    lost = Figure("logpoint messages lost at exit", "%", at_most=0)
    order = Figure("logpoint messages out of order", "runs", at_most=0)
    fill(rate, {c: [d.rate for d in taken] for c, taken in samples.items()}, failures)
    fill(cost, {c: [d.cost_us for d in taken] for c, taken in samples.items()}, failures)
    fill(lost, {c: [d.lost_percent for d in taken] for c, taken in samples.items()}, failures)
    fill(order, {c: [float(not d.in_order) for d in taken] for c, taken in samples.items()}, failures)
    return [rate, cost, lost, order]
