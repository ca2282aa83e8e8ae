"""Programs of several processes as people meet them: from the start to the last word of a child."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.wire import Message, Wire
from live.harness.debuggee import LIMIT_S, Debuggee, environment, remora
from live.harness.debugging import INITIALIZE, free_port
from live.harness.programs import Program
from live.injected import adapter, running
from remora.client import Client, DebugSession, Family
from remora.dap import tables
from remora.dap.check import check_message

type Write = Callable[..., Program]

# One write a line, whatever buffers there are: four children share the pipe.
QUICK = """\
import subprocess, sys
line = "import sys; sys.stdout.write('line ' + sys.argv[1] + chr(10)); sys.exit(int(sys.argv[1]))"
for round in range(2):
    started = [subprocess.Popen([sys.executable, "-c", line, str(number)]) for number in range(4)]
    codes = [each.wait() for each in started]
    sys.stdout.write(f"codes {codes}" + chr(10))
    sys.stdout.flush()
"""


def test_children_that_exit_at_once_lose_nothing(program: Write) -> None:
    target = program(QUICK)
    client = Client.spawn([sys.executable, "-m", "remora", "adapter"])
    with DebugSession(client, family=Family(), timeout_s=LIMIT_S) as session:
        session.launch(program=str(target.path))
        assert session.wait_exit(timeout_s=LIMIT_S) == 0
        lines = session.output("stdout").splitlines()
        assert sorted(lines) == sorted(
            [*("line 0", "line 1", "line 2", "line 3") * 2, *["codes [0, 1, 2, 3]"] * 2]
        )
        assert len(session.children) == 8
        for child in session.children:
            child.client.wait_for("terminated", timeout_s=LIMIT_S)
            assert child.is_configured


BY_ID = """\
    import multiprocessing, os, subprocess, sys, time
    def work(number):
        return number * 2    # @work
    if __name__ == "__main__":
        print("ready", flush=True)
        while not os.path.exists("go"):
            time.sleep(0.01)
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            print(pool.map(work, [21]), flush=True)
        print(subprocess.call([sys.executable, "-c", "import app; app.work(3)"]), flush=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="attaching by process id needs /proc")
def test_children_of_a_program_attached_to_by_id(tmp_path: Path) -> None:
    """Those that start after the client came stop before their first line has run, as everywhere."""
    with (
        running(tmp_path, BY_ID) as target,
        adapter() as client,
        DebugSession(client, family=Family(), timeout_s=LIMIT_S) as session,
    ):
        session.attach(breakpoints={str(tmp_path / "app.py"): [3]}, processId=target.pid)
        (tmp_path / "go").touch()
        for number in ("21", "3"):
            child = session.wait_child(timeout_s=LIMIT_S)
            child.stopped("breakpoint")
            assert child.locals()["number"]["value"] == number
            child.resume()
        assert target.exit_code() == 0
        assert target.stdout.splitlines() == ["ready", "[42]", "0"]
        assert target.stderr == ""


# -- a program that comes back

ENDINGS = {
    "by itself": "pass",
    "killed": "os.kill(os.getpid(), 9)",
    "beside a child": "subprocess.Popen(['true'])",
}


@pytest.mark.parametrize("end", ENDINGS)
def test_attached_again_while_the_hub_of_before_is_still_there(end: str, program: Write) -> None:
    """An editor is back within milliseconds of `terminated`: the port still answers, the program is gone."""
    target, port = program(f"import os, subprocess\nx = 1    # @here\n{ENDINGS[end]}\n"), free_port()
    command = remora("--listen", str(port), "--wait-for-client", target.path)
    stops = {str(target.path): [target.line("here")]}
    settings = {"connect": {"port": port}, "restart": True, "timeout": LIMIT_S}
    first = Debuggee(command, cwd=target.folder)
    second = None
    try:
        with adapter() as client:
            session = DebugSession(client, timeout_s=LIMIT_S)
            session.attach(breakpoints=stops, **settings)
            session.stopped("breakpoint")
            session.resume()
            assert client.wait_for("terminated", timeout_s=LIMIT_S) == {"restart": True}
        with adapter() as client:
            again = DebugSession(client, timeout_s=LIMIT_S)
            again.initialize()
            asked = client.send("attach", settings)
            first.exit_code()
            second = Debuggee(command, cwd=target.folder)
            client.wait_for("initialized", timeout_s=LIMIT_S)
            again.set_breakpoints(str(target.path), stops[str(target.path)])
            client.request("configurationDone")
            asked.result(LIMIT_S)
            again.stopped("breakpoint")
            again.resume()
            client.wait_for("terminated", timeout_s=LIMIT_S)
        assert second.exit_code() == first.exit_code()
    finally:
        for each in (first, second):
            if each is not None:
                each.kill()


# -- what clients rely on holds in the session of a child

FORKING = """\
import os, subprocess, sys
if len(sys.argv) == 1:
    print("code", subprocess.call([sys.executable, __file__, "child"]))
else:
    import threading
    go = threading.Event()
    other = threading.Thread(target=go.wait)
    other.start()
    go.set()    # @child
    other.join()
    os.write(1, b"last words\\n")
    os._exit(5)
"""


def test_the_session_of_a_child_is_as_clients_expect(program: Write) -> None:
    target, port = program(FORKING), free_port()
    debuggee = Debuggee(remora("--listen", str(port), "--wait-for-client", target.path), cwd=target.folder)
    wires: list[Wire] = []

    def by_the_book(message: Message) -> None:
        assert not check_message(message)
        assert message["type"] != "event" or message["event"] in tables.EVENTS

    def dial(number: int) -> Wire:
        wire = Wire.connect("127.0.0.1", number)
        wire.on_message = by_the_book
        wires.append(wire)
        wire.request("initialize", INITIALIZE | {"supportsStartDebuggingRequest": True})
        return wire

    try:
        root = dial(port)
        attach = root.send("attach", {"name": "mine", "type": "debugpy"})
        root.event("initialized")
        root.request("configurationDone")
        root.result(attach)
        asked = root.take(lambda message: message["type"] == "request", "startDebugging")
        assert (asked["command"], asked["arguments"]["request"]) == ("startDebugging", "attach")
        configuration = asked["arguments"]["configuration"]
        assert configuration["connect"]["port"] == port
        root.send_message({"seq": 99, "type": "response", "request_seq": asked["seq"],
                           "command": "startDebugging", "success": True, "body": {}})  # fmt: skip

        child = dial(configuration["connect"]["port"])
        # Front ends add to the configuration, and ask for everything at once.
        attach = child.send("attach", configuration | {"__sessionId": "2", "noDebug": False})
        breakpoints = child.send("setBreakpoints", {
            "source": {"path": str(target.path)}, "breakpoints": [{"line": target.line("child")}],
        })  # fmt: skip
        done = child.send("configurationDone")
        child.event("initialized")
        child.result(breakpoints)
        child.result(done)
        child.result(attach)
        stopped = child.event("stopped")
        assert stopped["threadId"] == 1
        assert 1 in [thread["id"] for thread in child.request("threads")["threads"]]
        child.request("continue", {"threadId": 1})
        assert child.event("exited") == {"exitCode": 5}
        child.event("terminated")
        child.request("disconnect")
        root.event("terminated")
        assert debuggee.exit_code() == 0
        assert "last words" in debuggee.stdout and "code 5" in debuggee.stdout
        assert [
            m for _, m in child.transcript if m.get("event") == "output" and "remora" in m["body"]["output"]
        ] == []
    finally:
        for wire in wires:
            wire.close()
        debuggee.kill()


def test_a_list_of_processes_nobody_reads_to_its_end() -> None:
    command = subprocess.Popen(
        remora("ps", "--json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    )
    assert command.stdout is not None
    command.stdout.close()
    assert command.stderr is not None
    with command.stderr:
        assert command.stderr.read() == b""
    assert command.wait(LIMIT_S) == 0
