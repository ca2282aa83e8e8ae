"""Clients that vanish, babble, stop reading or come twice, hubs that are killed: no program notices."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.wire import Closed, Message, Refused, Wire
from live.harness.debuggee import Debuggee, remora, run, until
from live.harness.debugging import (
    INITIALIZE,
    PREFACES,
    Debugging,
    Way,
    attached,
    free_port,
    launched,
    started,
)
from live.harness.programs import Program
from processes import PROC, carrying, current_token, describe

Write = Callable[..., Program]

# Runs until somebody creates the file `stop` beside it; says what is left of us in the process.
SERVICE = """\
import os, sys, time
from pathlib import Path
def work(n):
    return n + 1                # @work
n = 0
print("up", flush=True)
while not Path("stop").exists():
    n = work(n)                 # @loop
    time.sleep(0.005)
end = time.monotonic() + 5      # who has lost its hub hears of it on a thread of its own
while any(tools := [sys.monitoring.get_tool(i) for i in range(6)]) and time.monotonic() < end:
    time.sleep(0.005)
print("left", [t for t in tools if t], sys.monitoring.get_events(0) if tools[0] else 0)
"""


def service(program: Write, *options: str) -> tuple[Program, int, list[str]]:
    target = program(SERVICE)
    port = free_port()
    return target, port, remora("--listen", port, *options, "app.py")


def finish(debugging: Debugging) -> str:
    """Let the service end, and return its last line."""
    assert debugging.program is not None and debugging.debuggee is not None
    (debugging.program.folder / "stop").touch()
    assert debugging.debuggee.exit_code() == 0, debugging.debuggee.stderr
    assert debugging.debuggee.stderr == ""
    return debugging.debuggee.stdout.splitlines()[-1]


def another(debugging: Debugging, **attach: object) -> Debugging:
    """One more client of the same program."""
    assert debugging.port is not None
    wire = Wire.connect("127.0.0.1", debugging.port)
    client = Debugging(wire, "attach", attach)
    client.program = debugging.program
    client.debuggee = debugging.debuggee
    client.port = debugging.port
    return client


def test_attach_again_and_again(program: Write) -> None:
    """Each client sets a breakpoint, stops, and leaves: by disconnect or by closing, stopped or running."""
    with _service(program) as first:
        client = first
        for round_number in range(12):
            if round_number:
                client = another(first)
            client.start("work")
            stop = client.stopped("breakpoint")
            assert stop.is_at("work")
            match round_number % 4:
                case 0:
                    client.disconnect()
                case 1:
                    client.wire.close()
                case 2:
                    client.break_at()
                    stop.resume()
                    client.disconnect()
                case 3:
                    stop.resume()
                    client.wire.close()
        assert finish(first) == "left [] 0"


def _service(program: Write, *options: str):  # type: ignore[no-untyped-def]
    target, port, argv = service(program, *options)
    return attached(target, argv, port)


def test_disconnect_leaves_the_program_running_at_no_cost(program: Write) -> None:
    with _service(program) as debugging:
        debugging.start("work", filters=["raised", "uncaught", "userUnhandled"])
        debugging.stopped("breakpoint")
        debugging.disconnect()
        assert finish(debugging) == "left [] 0"


def test_disconnect_may_end_the_program(program: Write) -> None:
    with _service(program) as debugging:
        debugging.start("work")
        debugging.stopped("breakpoint")
        debugging.wire.request("disconnect", {"terminateDebuggee": True})
        assert debugging.debuggee is not None
        assert debugging.debuggee.exit_code() != 0


def test_launched_program_ends_with_its_vanished_editor(program: Write) -> None:
    """Nobody else could end it; by default a launched program goes with its editor."""
    with launched(program("import os, time\npid = os.getpid()\ntime.sleep(600)    # @here\n")) as debugging:
        debugging.start("here")
        pid = int(debugging.stopped("breakpoint").evaluate("pid"))
        debugging.wire.close()
        until(lambda: not (PROC / str(pid)).exists() or _is_zombie(pid), "the program ends")


def _is_zombie(pid: int) -> bool:
    try:
        return ") Z " in (PROC / str(pid) / "stat").read_text()
    except OSError:
        return True


def test_client_that_stops_reading_does_not_stop_the_program(program: Write) -> None:
    """60 MB of output for somebody who never reads: the program ends all the same."""
    text = """\
import sys
print("up", flush=True)
for _ in range(60_000):
    print("x" * 999)
sys.stdout.flush()
sys.stderr.write("end")
"""
    target = program(text)
    port = free_port()
    with attached(target, remora("--listen", port, "--wait-for-client", "app.py"), port) as debugging:
        debugging.start()
        assert debugging.debuggee is not None
        debugging.debuggee.wait_for_output("end", stream="stderr", limit_s=40)
        debugging.wire.close()
        assert debugging.debuggee.exit_code() == 0
        assert debugging.debuggee.stdout.count("\n") == 60_001


GARBAGE = {
    "binary": os.urandom(5000),
    "tls hello": bytes.fromhex("16030100c8010000c40303") + bytes(200),
    "http get": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "no length": b"Content-Type: x\r\n\r\n{}",
    "negative length": b"Content-Length: -5\r\n\r\n",
    "wordy length": b"Content-Length: five\r\n\r\n{}",
    "huge length": b"Content-Length: 99999999999\r\n\r\n",
    "endless header": b"Content-Length: 2" + b"0" * 100_000,
    "not json": b"Content-Length: 5\r\n\r\n{nope",
    "not utf-8": b"Content-Length: 4\r\n\r\n\xff\xfe\xfd\xfc",
    "a list": b"Content-Length: 2\r\n\r\n[]",
    "a number": b"Content-Length: 1\r\n\r\n7",
    "deep": b"Content-Length: 200000\r\n\r\n" + b"[" * 200_000,
    "no type": b'Content-Length: 9\r\n\r\n{"seq":1}',
}


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_before_anything_else(name: str, program: Write) -> None:
    with _service(program) as debugging:
        stranger = socket.create_connection(("127.0.0.1", debugging.port or 0))
        stranger.settimeout(10)
        try:
            stranger.sendall(GARBAGE[name])
            stranger.shutdown(socket.SHUT_WR)
            while stranger.recv(65536):
                pass
        except (ConnectionResetError, BrokenPipeError):
            pass
        stranger.close()
        debugging.start("work")
        debugging.stopped("breakpoint")
        debugging.disconnect()
        assert finish(debugging) == "left [] 0"


@pytest.mark.parametrize("name", [name for name in GARBAGE if name not in ("endless header", "tls hello")])
def test_garbage_in_the_middle_of_a_session(name: str, program: Write) -> None:
    """The session goes on, or is closed with a reason; another client is welcome."""
    with _service(program) as debugging:
        debugging.start("work")
        debugging.stopped("breakpoint")
        debugging.wire.on_message = None
        try:
            debugging.wire.send_raw(GARBAGE[name])
            debugging.wire.send("threads")
            while True:
                message = debugging.wire.receive(3)
                if message["type"] == "response" and message["success"] and message["command"] == "threads":
                    break
        except (Closed, BrokenPipeError, ConnectionResetError, TimeoutError):
            pass
        debugging.wire.close()
        client = another(debugging)
        client.start("work")
        client.stopped("breakpoint")
        client.disconnect()
        assert finish(debugging) == "left [] 0"


WRONG: list[tuple[str, object, str]] = [
    ("setBreakpoints", {"source": {"path": 7}, "breakpoints": []}, "path"),
    ("setBreakpoints", {"breakpoints": []}, "source"),
    ("setBreakpoints", {"source": {"path": "x.py"}, "breakpoints": [{"line": "one"}]}, "line"),
    ("stackTrace", {}, "threadId"),
    ("stackTrace", {"threadId": 987654}, "987654"),
    ("stackTrace", {"threadId": "1"}, "threadId"),
    ("scopes", {"frameId": 424242}, "frame"),
    ("variables", {"variablesReference": 424242}, "424242"),
    ("variables", {"variablesReference": None}, "variablesReference"),
    ("evaluate", {"expression": 5}, "expression"),
    ("evaluate", ["n"], "arguments"),
    ("continue", {"threadId": 987654}, "987654"),
    ("setVariable", {"variablesReference": 424242, "name": "x", "value": "1"}, "424242"),
    ("source", {"sourceReference": 424242}, "424242"),
    ("noSuchCommand", {"a": 1}, "noSuchCommand"),
    ("setExceptionBreakpoints", {"filters": ["noSuchFilter"]}, "noSuchFilter"),
    ("attach", {}, ""),
    ("initialize", {"adapterID": "x"}, ""),
]


def test_wrong_requests_get_an_answer_that_names_the_problem(program: Write) -> None:
    with _service(program) as debugging:
        debugging.start("work")
        stop = debugging.stopped("breakpoint")
        problems = []
        for command, arguments, named in WRONG:
            answer = debugging.wire.response(debugging.wire.send(command, arguments))
            text = json.dumps(answer.get("body")) + str(answer.get("message"))
            if answer["success"] and command == "setExceptionBreakpoints":
                continue  # answered per filter, as unverified
            if answer["success"] or named not in text:
                problems.append((command, arguments, answer))
        assert not problems
        assert stop.evaluate("n + 0").isdecimal(), "the session goes on"
        debugging.disconnect()
        assert finish(debugging) == "left [] 0"


def test_handles_of_a_resumed_stop_are_refused(program: Write) -> None:
    with _service(program) as debugging:
        debugging.start("work")
        stop = debugging.stopped("breakpoint")
        frame = stop.top["id"]
        reference = next(iter(stop.scopes().values()))["variablesReference"]
        stop.resume()
        later = debugging.stopped("breakpoint")
        asks: list[tuple[str, Message]] = [
            ("scopes", {"frameId": frame}),
            ("variables", {"variablesReference": reference}),
            ("evaluate", {"expression": "1", "frameId": frame}),
        ]
        for command, arguments in asks:
            with pytest.raises(Refused) as refused:
                debugging.wire.request(command, arguments)
            assert refused.value.text
        assert later.evaluate("n").isdecimal()
        debugging.disconnect()
        assert finish(debugging) == "left [] 0"


def test_second_client_is_told_who_is_there(program: Write) -> None:
    with _service(program) as debugging:
        debugging.start("work")
        debugging.stopped("breakpoint")
        second = another(debugging)
        second.wire.request("initialize", INITIALIZE | {"clientID": "late", "clientName": "The late one"})
        with pytest.raises(Refused) as refused:
            second.wire.request("attach", {})
        assert "remora-tests" in refused.value.text or "attached" in refused.value.text
        second.wire.close()
        debugging.disconnect()
        third = another(debugging)
        third.start("work")
        third.stopped("breakpoint")
        third.disconnect()
        assert finish(debugging) == "left [] 0"


def hub_pids(debugging: Debugging) -> list[int]:
    assert debugging.debuggee is not None
    return [pid for pid in carrying(current_token()) if pid != debugging.debuggee.pid]


@pytest.mark.parametrize("stopped", [True, False], ids=["while stopped", "while running"])
def test_hub_killed(stopped: bool, program: Write) -> None:
    with _service(program) as debugging:
        debugging.start(*(["work"] if stopped else []))
        if stopped:
            debugging.stopped("breakpoint")
        hubs = hub_pids(debugging)
        assert len(hubs) == 1, [describe(pid) for pid in hubs]
        os.kill(hubs[0], signal.SIGKILL)
        with pytest.raises(Closed):
            debugging.wire.event("never")
        assert finish(debugging) == "left [] 0"


def test_debuggee_killed(program: Write) -> None:
    with _service(program) as debugging:
        debugging.start("work")
        debugging.stopped("breakpoint")
        assert debugging.debuggee is not None
        debugging.debuggee.process.kill()
        debugging.wire.event("terminated")
        debugging.debuggee.exit_code()
        until(lambda: not carrying(current_token()), "the hub goes when its session is gone")


def test_debuggee_killed_while_launched(program: Write) -> None:
    with launched(program("import os\nprint(os.getpid())    # @here\n")) as debugging:
        debugging.start("here")
        pid = int(debugging.stopped("breakpoint").evaluate("os.getpid()"))
        os.kill(pid, signal.SIGKILL)
        code, _ = debugging.until_exit()
        assert code in (-9, 137)


def test_hub_goes_when_the_program_goes(program: Write) -> None:
    target, port, argv = service(program)
    debuggee = Debuggee(argv, cwd=target.folder)
    debuggee.wait_for_output("up")
    Wire.connect("127.0.0.1", port).close()
    (target.folder / "stop").touch()
    assert debuggee.exit_code() == 0
    until(lambda: not carrying(current_token()), "the hub ends")


COUNT = "import sys; print(len(sys.modules))"


def modules_of_a_bare_interpreter() -> int:
    return int(run([sys.executable, "-c", COUNT], cwd=Path.cwd()).stdout)


def test_listening_agent_is_at_most_65_modules(tmp_path: Path) -> None:
    done = run(
        [sys.executable, "-c", f"import remora; remora.listen(0); {COUNT}; remora.stop()"], cwd=tmp_path
    )
    assert int(done.stdout) - modules_of_a_bare_interpreter() <= 65


@pytest.mark.parametrize("way", [Way.LAUNCH, Way.LISTEN_API], ids=lambda way: way.value)
def test_modules_after_a_session_that_looked_at_things(way: Way, program: Write) -> None:
    """What reads and evaluates values is loaded when it is first needed; debugpy has loaded 270 by then."""
    text = PREFACES.get(way, "") + f"x = {{'a': [1]}}\nprint(x)    # @here\n{COUNT}\n"
    with started(way, program(text)) as debugging:
        debugging.start("here", filters=["uncaught"])
        stop = debugging.stopped("breakpoint")
        stop.locals()
        stop.evaluate("x['a']")
        debugging.threads()
        stop.resume()
        output = debugging.until_exit()[1]["stdout"]
    assert int(output.splitlines()[-1]) - modules_of_a_bare_interpreter() <= 120


def test_pause_of_a_busy_and_of_a_blocked_program(program: Write) -> None:
    text = """\
import threading, time
def busy():
    while True: pass
def blocked():
    threading.Event().wait()
for f in (busy, blocked):
    threading.Thread(target=f, name=f.__name__, daemon=True).start()
while True:
    time.sleep(0.01)
"""
    with launched(program(text)) as debugging:
        debugging.start()
        threads = {}

        def all_there() -> bool:
            threads.update({thread["name"].split(" ")[0]: thread["id"] for thread in debugging.threads()})
            return {"busy", "blocked"} <= threads.keys()

        until(all_there, "both threads are listed")
        stop = debugging.pause()
        assert stop.body.get("allThreadsStopped") is True
        for name in ("busy", "blocked"):
            stack = debugging.wire.request("stackTrace", {"threadId": threads[name]})["stackFrames"]
            assert name in [frame["name"].split(".")[-1] for frame in stack]
        stop.resume()
        debugging.pause().resume()
        debugging.disconnect(terminateDebuggee=True)


def test_all_threads_stop_and_go_on_together(program: Write) -> None:
    text = """\
import threading
counts = [0] * 4
done = threading.Event()
def count(i):
    while not done.is_set():
        counts[i] += 1
workers = [threading.Thread(target=count, args=(i,)) for i in range(4)]
for w in workers: w.start()
while min(counts) < 100: pass
seen = list(counts)             # @here
done.set()
for w in workers: w.join()
print("end")
"""
    with launched(program(text)) as debugging:
        debugging.start("here")
        stop = debugging.stopped("breakpoint")
        first = stop.evaluate("list(counts)")
        for _ in range(20):
            assert stop.evaluate("list(counts)") == first, "somebody still runs"
        stop.resume()
        assert debugging.until_exit()[1]["stdout"] == "end\n"


def test_same_port_at_once_again(program: Write) -> None:
    """Run, end, run again: the port of the last run is free when its program is gone."""
    target = program("import sys; sys.stdout.write('ran')\n")
    port = free_port()
    for _ in range(6):
        done = run(remora("--listen", port, target.path), cwd=target.folder)
        assert (done.returncode, done.stdout, done.stderr) == (0, "ran", "")
