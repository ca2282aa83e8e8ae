"""Two hundred attaches by process id to each kind of program, and what it computes meanwhile.

    python -m benchmarks.attach_cycles [CYCLES] [KIND]...

Each program prints lines that follow from nothing but their number, until it is told to stop. What it has
printed is compared, line by line, with what it prints undisturbed. Prints the times of the attaches. Exits
1 if a line differs, the program has said anything on stderr, ended otherwise than it should, or has a
thread or descriptor left.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from remora.client import Client, DebugSession

PROGRAMS = {
    "busy": """\
        import os
        def work(seed):
            total, x = seed, 1.0
            for n in range(1, 60_000):
                total = (total * 31 + n) % 1_000_003
                x = (x * 1.000001 + n / 3.0) % 97.0
            return total, round(x, 9)
        number = 0
        while not os.path.exists("stop"):
            print(number, work(number), flush=True)
            number += 1
    """,
    "threads": """\
        import os, queue, threading
        def work(seed, results):
            total = seed
            for n in range(1, 20_000):
                total = (total * 31 + n) % 1_000_003
            results.put((seed, total))
        number = 0
        while not os.path.exists("stop"):
            results = queue.Queue()
            threads = [threading.Thread(target=work, args=(number * 4 + n, results)) for n in range(4)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
            print(number, sorted(results.get() for _ in threads), threading.active_count(), flush=True)
            number += 1
    """,
    "asyncio": """\
        import asyncio, os
        async def tick(seed):
            total = seed
            for n in range(20):
                await asyncio.sleep(0.001)
                total = (total * 31 + n) % 1_000_003
            return total
        async def main():
            number = 0
            while not os.path.exists("stop"):
                found = await asyncio.gather(*(tick(number + n) for n in range(10)))
                print(number, found, len(asyncio.all_tasks()), flush=True)
                number += 1
        asyncio.run(main())
    """,
    "blocked": """\
        import os, select, socket, subprocess, threading, time
        ours, theirs = socket.socketpair()
        lock = threading.Lock()
        number = 0
        while not os.path.exists("stop"):
            began = time.monotonic()
            time.sleep(0.2)
            slept = time.monotonic() - began >= 0.199
            lock.acquire()
            late = lock.acquire(timeout=0.1)
            lock.release()
            ready = select.select([ours], [], [], 0.1)[0]
            ours.settimeout(0.1)
            try:
                received = ours.recv(1)
            except TimeoutError:
                received = "nothing"
            code = subprocess.run(["sleep", "0.1"]).returncode
            print(number, slept, late, ready, received, code, flush=True)
            number += 1
    """,
}
# Undisturbed it is faster: it needs less time for as many lines.
UNDISTURBED_S = 300.0
LEFT_S = 10.0


def main(arguments: list[str]) -> int:
    cycles = int(arguments[0]) if arguments else 200
    bad = 0
    for kind in arguments[1:] or PROGRAMS:
        bad += not run(kind, cycles)
    return 1 if bad else 0


def run(kind: str, cycles: int) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        times_ms: list[float] = []

        def disturb(process: subprocess.Popen[bytes]) -> None:
            before = counts(process.pid)
            with adapter() as port:
                for _ in range(cycles):
                    with Client.connect("127.0.0.1", port) as client:
                        session = DebugSession(client)
                        session.initialize()
                        began = time.perf_counter()
                        session.begin("attach", {"processId": process.pid})
                        session.configuration_done()
                        times_ms.append((time.perf_counter() - began) * 1e3)
                        session.threads()
                        session.disconnect()
            deadline = time.monotonic() + LEFT_S
            while (lowest := counts(process.pid)) > before:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"threads and descriptors: {before} before, {lowest} after")
                time.sleep(0.001)

        found, stderr, disturbed_code = output_of(kind, Path(folder), disturb)

        def undisturbed(process: subprocess.Popen[bytes]) -> None:
            deadline = time.monotonic() + UNDISTURBED_S
            out = Path(folder, "out")
            while out.read_bytes().count(b"\n") < len(found) and time.monotonic() < deadline:
                time.sleep(0.05)

        wanted, _, code = output_of(kind, Path(folder), undisturbed)
    same = all(a == b for a, b in zip(wanted, found, strict=False))
    good = same and len(found) > 1 and not stderr and disturbed_code == code
    good = good and len(times_ms) == cycles
    times_ms.sort()
    times_ms = times_ms or [0.0]
    print(
        f"{kind:8} {cycles} cycles, {len(found)} lines, {min(len(found), len(wanted))} compared: "
        f"{'as undisturbed' if good else 'DIFFERENT'}; attach {times_ms[len(times_ms) // 2]:.0f} ms "
        f"({times_ms[0]:.0f} to {times_ms[-1]:.0f})",
        flush=True,
    )
    if not good:
        print(f"exit code {disturbed_code}, stderr {stderr[-500:]!r}")
    return good


def output_of(
    kind: str, folder: Path, meanwhile: Callable[[subprocess.Popen[bytes]], None]
) -> tuple[list[str], str, int]:
    """Run a program, do something meanwhile, stop it; return its lines, its stderr, its exit code."""
    stop = folder / "stop"
    stop.unlink(missing_ok=True)
    path = folder / "program.py"
    path.write_text(textwrap.dedent(PROGRAMS[kind]))
    out, err = folder / "out", folder / "err"
    with open(out, "wb") as stdout, open(err, "wb") as stderr:
        process = subprocess.Popen([sys.executable, path], cwd=folder, stdout=stdout, stderr=stderr)
        try:
            while not out.stat().st_size:
                time.sleep(0.01)
            failure = ""
            try:
                meanwhile(process)
            except Exception as error:
                failure = f"{type(error).__name__}: {error}"
            stop.touch()
            code = process.wait(30)
        finally:
            process.kill()
            process.wait()
    return out.read_text().splitlines(), err.read_text() + failure, code


@contextlib.contextmanager
def adapter() -> Iterator[int]:
    """Run an adapter that one client after the other uses."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "remora", "adapter", "--port", str(port)], stderr=subprocess.DEVNULL
    )
    try:
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.01)
        yield port
    finally:
        process.terminate()
        process.wait()


def counts(pid: int) -> tuple[int, int]:
    return len(os.listdir(f"/proc/{pid}/task")), len(os.listdir(f"/proc/{pid}/fd"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
