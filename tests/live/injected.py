"""Programs for the tests that attach by process id, and how a test attaches."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from live.harness.debuggee import Debuggee, until
from live.harness.debugging import free_port
from remora.client import Client, DebugSession

# Each prints "ready" when it is where its name says; what it prints then is what it would print without us.
PROGRAMS = {
    "busy": """\
        print("ready", flush=True)
        n = 0
        while True:
            n += 1                # @line
    """,
    "sleep": """\
        import time
        print("ready", flush=True)
        time.sleep(1000)
    """,
    "recv": """\
        import socket
        ours, theirs = socket.socketpair()
        print("ready", flush=True)
        ours.recv(1)
    """,
    "accept": """\
        import socket
        server = socket.create_server(("127.0.0.1", 0))
        print("ready", flush=True)
        server.accept()
    """,
    "lock": """\
        import _thread
        lock = _thread.allocate_lock()
        lock.acquire()
        print("ready", flush=True)
        lock.acquire()
    """,
    "queue": """\
        import queue
        print("ready", flush=True)
        queue.Queue().get()
    """,
    "wait": """\
        import subprocess
        child = subprocess.Popen(["sleep", "1000"])
        print("ready", flush=True)
        child.wait()
    """,
    "stdin": """\
        print("ready", flush=True)
        input()
    """,
    "asyncio": """\
        import asyncio
        async def main():
            print("ready", flush=True)
            await asyncio.sleep(1000)
        asyncio.run(main())
    """,
    "threads": """\
        import threading, time
        def spin():
            n = 0
            while True:
                n += 1
        for _ in range(4):
            threading.Thread(target=spin, daemon=True).start()
        print("ready", flush=True)
        time.sleep(1000)
    """,
}


@contextlib.contextmanager
def running(folder: Path, text: str, *, python: str = sys.executable, **settings: Any) -> Iterator[Debuggee]:
    """Start a program that knows nothing of us, and wait until it is ready."""
    path = folder / "app.py"
    path.write_text(textwrap.dedent(text))
    debuggee = Debuggee([python, "-u", path], cwd=folder, stdin=subprocess.PIPE, **settings)
    try:
        debuggee.wait_for_output("ready")
        yield debuggee
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(debuggee.pid, signal.SIGKILL)
        debuggee.kill()


@contextlib.contextmanager
def adapter(on_event: Callable[[str, Any], None] | None = None) -> Iterator[Client]:
    client = Client.spawn([sys.executable, "-m", "remora", "adapter"], on_event=on_event)
    try:
        yield client
    finally:
        client.close()


@contextlib.contextmanager
def adapter_with_port() -> Iterator[int]:
    """Run an adapter that many clients use, one after the other."""
    port = free_port()
    made = Debuggee([sys.executable, "-m", "remora", "adapter", "--port", str(port)], cwd=Path.cwd())
    try:
        until(lambda: _answers(port), "the adapter listens")
        yield port
    finally:
        made.process.terminate()
        made.exit_code()


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@contextlib.contextmanager
def attached(pid: int, **settings: Any) -> Iterator[DebugSession]:
    """Attach through an adapter of its own; detach at the end."""
    with adapter() as client:
        session = DebugSession(client)
        session.attach(processId=pid, **settings)
        yield session
        session.disconnect()


def threads_and_files(pid: int) -> tuple[int, int]:
    return len(os.listdir(f"/proc/{pid}/task")), len(os.listdir(f"/proc/{pid}/fd"))


def leaves_nothing(pid: int, before: tuple[int, int]) -> None:
    """Wait until the process has as many threads and descriptors as before."""
    until(lambda: threads_and_files(pid) == before, f"process {pid} is as it was: {before}")


def folders_left(pid: int) -> list[str]:
    return [name for base in ("/tmp", os.environ.get("TMPDIR", "/tmp")) for name in os.listdir(base)
            if name.startswith(f"remora-{pid}-")]  # fmt: skip
