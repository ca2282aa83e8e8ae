"""Servers that start processes: prefork, recycled workers, reloaders. Real packages, over real sockets."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from frameworks.served import PATIENCE_S, Fetched, Server, debugged, free_port, line_of

pytestmark = pytest.mark.time_limit(120)

type Write = Callable[..., Path]


def stop_in_a_request(debugger, fetched: Fetched, hello: int) -> int:  # type: ignore[no-untyped-def]
    """Take the stop a request leads to, look, go on; return the process it was in."""
    session = debugger.stopped()
    assert session.top()["line"] == hello
    assert session.variable("name")["value"] == "'ann'"
    pid = int(session.evaluate("os.getpid()"))
    assert pid == session.process_id
    session.resume()
    assert fetched.result() == f"hello ann from {pid}"
    return pid


def edit(path: Path, server: Server, restarted: str, *, count: int = 1) -> None:
    """Save the file as after a change, until the server says so many times that it has `restarted`.

    Again and again, a second later each time: a reloader that has not looked at the file yet takes the first
    change for how it always was.
    """
    later_s = time.time()
    deadline = time.monotonic() + PATIENCE_S
    while len(re.findall(restarted, server.text)) < count:
        assert time.monotonic() < deadline, f"no {restarted!r} in:\n{server.text}"
        later_s += 5
        path.write_text(path.read_text() + "\n# edited\n")
        os.utime(path, (later_s, later_s))
        looks_again = time.monotonic() + 3
        while len(re.findall(restarted, server.text)) < count and time.monotonic() < looks_again:
            time.sleep(0.02)


def test_gunicorn_prefork_and_recycled_workers(application: Write) -> None:
    path = application("wsgi")
    hello = line_of(path, "hello")
    command = ["-m", "gunicorn", "--workers", "2", "--max-requests", "1", "--bind", "127.0.0.1:0", "app:app"]
    with debugged(command, cwd=path.parent, breakpoints={path: [hello]}) as (server, debugger):
        url = server.expect(r"Listening at: (http://[\d.:]+)")[1] + "/ann"
        debugger.wait_children(2)
        # Each worker ends after one request; the one that takes its place is debugged as well.
        pids = {stop_in_a_request(debugger, Fetched(url), hello) for _ in range(4)}
        assert len(pids) == 4
        assert server.process.pid not in pids
        debugger.close()
        assert Fetched(url).result().startswith("hello ann")
        assert server.end(signal.SIGTERM) == 0


def test_gunicorn_is_attached_to_later(application: Write) -> None:
    path = application("wsgi")
    hello = line_of(path, "hello")
    command = ["-m", "gunicorn", "--workers", "2", "--bind", "127.0.0.1:0", "app:app"]
    from frameworks.served import Debugger

    server = Server(command, cwd=path.parent)
    try:
        url = server.expect(r"Listening at: (http://[\d.:]+)")[1] + "/ann"
        assert Fetched(url).result().startswith("hello ann")
        for _ in range(2):  # attach, leave, attach again
            debugger = Debugger(server, {path: [hello]})
            debugger.wait_children(2)
            stop_in_a_request(debugger, Fetched(url), hello)
            debugger.close()
        assert Fetched(url).result().startswith("hello ann")
    finally:
        assert server.end(signal.SIGTERM) == 0


def test_uvicorn_reload(application: Write) -> None:
    path = application("asgi")
    hello = line_of(path, "hello")
    port = free_port()
    command = ["-m", "uvicorn", "--reload", "--port", str(port), "app:app"]
    with debugged(command, cwd=path.parent, breakpoints={path: [hello]}) as (server, debugger):
        url = f"http://127.0.0.1:{port}/ann"
        first = stop_in_a_request(debugger, Fetched(url), hello)
        edit(path, server, "Started server process", count=2)
        second = stop_in_a_request(debugger, Fetched(url), hello)
        assert first != second


def test_uvicorn_workers(application: Write) -> None:
    path = application("asgi")
    hello = line_of(path, "hello")
    port = free_port()
    command = ["-m", "uvicorn", "--workers", "2", "--port", str(port), "app:app"]
    with debugged(command, cwd=path.parent, breakpoints={path: [hello]}) as (_, debugger):
        debugger.wait_children(2)
        stop_in_a_request(debugger, Fetched(f"http://127.0.0.1:{port}/ann"), hello)


def test_flask_reloader(application: Write) -> None:
    path = application("flask")
    hello = line_of(path, "hello")
    port = free_port()
    command = ["-m", "flask", "--app", "app", "run", "--debug", "--port", str(port)]
    with debugged(command, cwd=path.parent, breakpoints={path: [hello]}) as (server, debugger):
        url = f"http://127.0.0.1:{port}/ann"
        first = stop_in_a_request(debugger, Fetched(url), hello)
        edit(path, server, "Restarting with", count=2)
        second = stop_in_a_request(debugger, Fetched(url), hello)
        assert first != second


def test_django_reloader(application: Write) -> None:
    path = application("django", "manage.py")
    hello = line_of(path, "hello")
    port = free_port()
    command = ["manage.py", "runserver", f"127.0.0.1:{port}"]
    with debugged(command, cwd=path.parent, breakpoints={path: [hello]}) as (server, debugger):
        url = f"http://127.0.0.1:{port}/ann"
        first = stop_in_a_request(debugger, Fetched(url), hello)
        edit(path, server, "changed, reloading")
        second = stop_in_a_request(debugger, Fetched(url), hello)
        assert first != second


def test_celery_prefork(application: Write) -> None:
    path = application("celery", "tasks.py")
    folder = path.parent
    for name in ("queue", "control", "results"):
        (folder / name).mkdir()
    add = line_of(path, "add")
    command = ["-m", "celery", "-A", "tasks", "worker", "--pool", "prefork", "--concurrency", "2",
               "--without-gossip", "--without-mingle", "--loglevel", "INFO"]  # fmt: skip
    env = {"C_FORCE_ROOT": "1"}
    with debugged(command, cwd=folder, breakpoints={path: [add]}, env=env) as (server, debugger):
        server.expect(r"ready\.")
        _send_task(folder)
        session = debugger.stopped()
        assert session.parent is not None
        assert session.top()["line"] == add
        assert session.evaluate("x, y") == "(2, 3)"
        session.resume()
        deadline = time.monotonic() + PATIENCE_S
        while not (folder / "done").exists():
            assert time.monotonic() < deadline, server.text
            time.sleep(0.02)


def _send_task(folder: Path) -> None:
    import subprocess
    import sys

    subprocess.run(
        [sys.executable, "-c", "import tasks; tasks.add.delay(2, 3)"],
        cwd=folder,
        check=True,
        timeout=PATIENCE_S,
    )


def test_pytest_xdist(application: Write) -> None:
    path = application("xdist", "test_app.py")
    line = line_of(path, "test")
    command = ["-m", "pytest", "-p", "no:cacheprovider", "-n", "2", "-q", str(path)]
    with debugged(command, cwd=path.parent, breakpoints={path: [line]}) as (server, debugger):
        workers = set()
        for _ in range(4):
            session = debugger.stopped()
            assert session.parent is not None
            workers.add(session.evaluate("worker"))
            session.resume()
        assert workers <= {"'gw0'", "'gw1'"}
        server.expect(r"4 passed")
        assert server.process.wait(PATIENCE_S) == 0
