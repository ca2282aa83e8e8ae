"""What real editors demand of a server: one test for each rule that was learnt from them.

Three rules hold for every message of every live test, because the harness checks each one against the
specification's tables: an event has a body, `success` is exactly true or false, no event of our own.
Here they are tried once more where they are easiest to break.
"""

from __future__ import annotations

import os
import pty
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from benchmarks.wire import Message, Wire
from live.harness.debuggee import Debuggee, environment, remora, until
from live.harness.debugging import (
    INITIALIZE,
    Debugging,
    Way,
    adapter,
    attached,
    free_port,
    launched,
    started,
    watching,
)
from live.harness.programs import Program
from remora.dap import tables

LOOP = """\
import time
def main():
    n = 0
    while n < 3000:             # @loop
        n += 1                  # @body
        time.sleep(0.01)
main()                          # @call
"""
SHORT = """\
print("one")                    # @first
print("two")                    # @second
"""
Write = Callable[..., Program]


def position(debugging: Debugging, kind: str, name: str) -> int:
    """Where in the transcript remora first sent this event or response."""
    for index, (direction, message) in enumerate(debugging.wire.transcript):
        if (
            direction == "<"
            and message["type"] == kind
            and message.get("event", message.get("command")) == name
        ):
            return index
    raise AssertionError(f"no {kind} {name}")


# 1
def test_requests_back_to_back_do_not_stall(program: Write) -> None:
    """Without TCP_NODELAY each costs the other side's delayed acknowledgement, 40 ms."""
    with started(Way.LISTEN_CLI, program(LOOP)) as debugging:
        debugging.start("body")
        stop = debugging.stopped("breakpoint")
        times_s = []
        for _ in range(25):
            began = time.perf_counter()
            debugging.wire.request("stackTrace", {"threadId": stop.thread_id, "levels": 1})
            times_s.append(time.perf_counter() - began)
        assert statistics.median(times_s) < 0.02


# 2
def test_terminal_stays_with_whoever_has_it(program: Write) -> None:
    """A launched program gets a session of its own, and the terminal's foreground does not change."""
    target = program("import os\nprint(os.getsid(0), os.getpid())    # @here\n")
    master, slave = pty.openpty()

    to_adapter, adapter_in = os.pipe(), os.pipe()
    # A shell with a terminal, and the adapter in its foreground, as an editor in a terminal starts it.
    process = subprocess.Popen(
        [sys.executable, "-c", SHELL, str(to_adapter[0]), str(adapter_in[1]), *remora("adapter")],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        pass_fds=(to_adapter[0], adapter_in[1]),
        start_new_session=True,
        env=environment(),
        cwd=target.folder,
    )
    for fd in (slave, to_adapter[0], adapter_in[1]):
        os.close(fd)
    wire = Wire(adapter_in[0], to_adapter[1])
    try:
        until(lambda: os.tcgetpgrp(master) == process.pid, "the shell has the terminal")
        before = os.tcgetpgrp(master)
        debugging = Debugging(wire, "launch", {"program": str(target.path), "console": "internalConsole"})
        debugging.program = target
        with watching(debugging):
            debugging.start("here")
            stop = debugging.stopped("breakpoint")
            session = int(stop.evaluate("os.getsid(0)"))
            assert session != os.getsid(process.pid)
            assert os.tcgetpgrp(master) == before
            stop.resume()
            assert debugging.until_exit()[0] == 0
            debugging.wire.request("disconnect")
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
        os.close(master)


SHELL = """\
import fcntl, subprocess, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
stdin, stdout = int(sys.argv[1]), int(sys.argv[2])
sys.exit(subprocess.call(sys.argv[3:], stdin=stdin, stdout=stdout))
"""


# 3
def test_pipelined_requests_are_handled_in_order(program: Write) -> None:
    """Everything is sent before anything is answered; the breakpoint on the first line still holds."""
    target = program(SHORT)
    with launched(target) as debugging:
        wire = debugging.wire
        source = {"path": str(target.path)}
        sent = [
            wire.send("initialize", INITIALIZE),
            wire.send("launch", debugging.start_arguments),
            wire.send("setBreakpoints", {"source": source, "breakpoints": [{"line": target.line("first")}]}),
            wire.send("setExceptionBreakpoints", {"filters": []}),
            wire.send("configurationDone"),
            wire.send("threads"),
        ]
        stop = debugging.stopped("breakpoint")
        assert stop.is_at("first")
        for seq in sent:
            wire.result(seq)
        answers = [
            message["request_seq"]
            for direction, message in wire.transcript
            if direction == "<" and message["type"] == "response" and message["request_seq"] in sent
        ]
        in_order = [seq for seq in answers if seq != sent[1]]
        assert in_order == sorted(in_order)
        assert answers.index(sent[1]) > answers.index(sent[4]), "launch is answered after configurationDone"
        stop.resume()
        assert debugging.until_exit()[0] == 0


# 4
@pytest.mark.parametrize("way", [Way.LAUNCH, Way.LISTEN_CLI], ids=["launch", "attach"])
def test_order_of_the_handshake(way: Way, program: Write) -> None:
    with started(way, program(SHORT)) as debugging:
        debugging.start()
        debugging.until_exit()
        order = [
            position(debugging, "response", "initialize"),
            position(debugging, "event", "initialized"),
            position(debugging, "response", "configurationDone"),
            position(debugging, "response", debugging.start_request),
        ]
        assert order == sorted(order)


# 5
def test_sequence_numbers_of_a_client_mean_nothing(program: Write) -> None:
    with launched(program(LOOP)) as debugging:
        debugging.start("body")
        stop = debugging.stopped("breakpoint")
        for seq in (7, 7, 3, 1, 1, 2_000_000_000, 0):
            debugging.wire.send("evaluate", {"expression": "n", "frameId": stop.top["id"]}, seq=seq)
            answer = debugging.wire.response(seq)
            assert (answer["command"], answer["success"]) == ("evaluate", True)
        stop.resume()


# 6
def test_framing_is_one_header_and_ascii(program: Write) -> None:
    """benchmarks/wire.py refuses anything else; here is something that would tempt."""
    with launched(
        program("print('grüße 漢字 \\U0001f40d')    # @here\n"), env={"PYTHONIOENCODING": "utf-8"}
    ) as debugging:
        debugging.start("here")
        stop = debugging.stopped("breakpoint")
        assert stop.evaluate("'ж' * 3") == "'жжж'"
        stop.resume()
        assert debugging.until_exit()[1]["stdout"] == "grüße 漢字 \U0001f40d\n"


# 7
@pytest.mark.parametrize(
    "arguments", [{}, {"arguments": None}, {"arguments": {}}], ids=["missing", "null", "empty"]
)
def test_arguments_may_be_left_out(arguments: Message, program: Write) -> None:
    with launched(program(LOOP)) as debugging:
        debugging.begin()
        for seq, command in enumerate(("configurationDone", "threads", "disconnect"), 100):
            debugging.wire.send_message({"seq": seq, "type": "request", "command": command, **arguments})
            assert debugging.wire.response(seq)["success"] is True


# 8, 16, 18
def test_every_message_is_by_the_book(program: Write) -> None:
    with launched(program(SHORT)) as debugging:
        debugging.start("first", filters=["raised", "uncaught", "userUnhandled"])
        debugging.stopped("breakpoint").step().resume()
        debugging.until_exit()
        debugging.wire.request("disconnect")
        received = [message for direction, message in debugging.wire.transcript if direction == "<"]
        events = [message for message in received if message["type"] == "event"]
        assert {"initialized", "stopped", "terminated"} <= {event["event"] for event in events}
        for event in events:
            assert isinstance(event["body"], dict)
            assert event["event"] in tables.EVENTS, "an event of our own confuses clients"
        for message in received:
            if message["type"] == "response":
                assert message["success"] is True


# 9
@pytest.mark.parametrize("way", [Way.LAUNCH, Way.LISTEN_CLI, Way.LISTEN_API, Way.IN_PROCESS], ids=str)
def test_main_thread_is_number_one(way: Way, program: Write) -> None:
    from live.harness.debugging import PREFACES

    text = PREFACES.get(way, "") + (
        "import threading\n"
        "go = threading.Event()\n"
        "other = threading.Thread(target=go.wait, name='other')\n"
        "other.start()\n"
        "go.set()                        # @here\n"
    )
    with started(way, program(text)) as debugging:
        debugging.start("here")
        stop = debugging.stopped("breakpoint")
        assert stop.thread_id == 1
        names = {thread["id"]: thread["name"] for thread in debugging.threads()}
        assert names[1] == "MainThread"
        assert [name for name in names.values() if name.startswith("other")], "it may be marked as blocked"
        stop.resume()
        debugging.until_exit()


# 10
def test_output_then_exited_then_terminated(program: Write) -> None:
    text = (
        "import sys\nfor i in range(20000): print('line', i)\nsys.stderr.write('last words')\nsys.exit(4)\n"
    )
    with launched(program(text)) as debugging:
        debugging.start()
        code, output = debugging.until_exit()
        assert code == 4
        assert output["stdout"] == "".join(f"line {i}\n" for i in range(20000))
        assert output["stderr"] == "last words"
        events = [m["event"] for d, m in debugging.wire.transcript if d == "<" and m["type"] == "event"]
        last_output = len(events) - 1 - events[::-1].index("output")
        assert last_output < events.index("exited") < events.index("terminated")


# 11
def test_run_in_terminal_is_asked_of_those_who_can(program: Write) -> None:
    target = program(SHORT)
    with launched(target, console="integratedTerminal") as debugging:
        debugging.wire.request("initialize", INITIALIZE | {"supportsRunInTerminalRequest": True})
        debugging._start_seq = debugging.wire.send("launch", debugging.start_arguments)
        ask = debugging.wire.take(
            lambda m: m["type"] == "request" and m["command"] == "runInTerminal", "runInTerminal"
        )
        arguments = ask["arguments"]
        assert arguments["kind"] == "integrated"
        terminal = Debuggee(
            arguments["args"],
            cwd=arguments["cwd"],
            env={k: v for k, v in arguments.get("env", {}).items() if v},
        )
        debugging.processes.append(terminal)
        debugging.wire.send_message(
            {
                "seq": 1000,
                "type": "response",
                "request_seq": ask["seq"],
                "command": "runInTerminal",
                "success": True,
                "body": {"processId": terminal.pid},
            }
        )
        debugging.wait_initialized()
        debugging.break_at("second")
        debugging.go()
        debugging.stopped("breakpoint").resume()
        debugging.until_exit()
        assert terminal.exit_code() == 0
        assert terminal.stdout == "one\ntwo\n"


def test_no_reverse_request_to_those_who_cannot(program: Write) -> None:
    with launched(program(SHORT), console="integratedTerminal") as debugging:
        debugging.start()
        code, output = debugging.until_exit()
        assert (code, output["stdout"]) == (0, "one\ntwo\n")
        assert not [m for d, m in debugging.wire.transcript if d == "<" and m["type"] == "request"]


# 12
def test_stack_in_pieces(program: Write) -> None:
    text = "def f(n):\n    return n if not n else f(n - 1)    # @deep\nf(60)\n"
    with launched(program(text)) as debugging:
        debugging.begin()
        debugging.break_at({"line": "deep", "condition": "n == 0"})
        debugging.go()
        thread = {"threadId": debugging.stopped("breakpoint").thread_id}
        everything = debugging.wire.request("stackTrace", thread | {"startFrame": 0, "levels": 0})
        assert len(everything["stackFrames"]) == 62
        first = debugging.wire.request("stackTrace", thread | {"startFrame": 0, "levels": 1})
        assert len(first["stackFrames"]) == 1
        assert first["totalFrames"] > 1, "or the client does not ask for the rest"
        rest = debugging.wire.request("stackTrace", thread | {"startFrame": 1, "levels": 20})
        assert [frame["line"] for frame in rest["stackFrames"]] == [2] * 20
        assert debugging.wire.request("stackTrace", thread)["totalFrames"] == 62
        debugging.resume()
        debugging.until_exit()


# 13
def test_hover_of_a_browser_and_scopes_after_each_evaluation(program: Write) -> None:
    target = program(LOOP)
    with launched(target) as debugging:
        debugging.start("body")
        stop = debugging.stopped("breakpoint")
        result = debugging.wire.request(
            "evaluate",
            {
                "expression": "n",
                "frameId": stop.top["id"],
                "context": "hover",
                "source": {"path": f"vscode-remote://localhost:8080{target.path}"},
                "line": stop.top["line"],
                "column": 9,
            },
        )
        assert result["result"] == "0"
        for number in range(3):
            stop.evaluate(f"n = {number}", "repl")
            assert stop.locals()["n"] == str(number)
        stop.resume()


# 14
def test_unknown_properties_are_named_once_and_known_ones_never(program: Write) -> None:
    harmless = {
        "type": "python",
        "request": "launch",
        "name": "Python: current file",
        "__sessionId": "7c1d",
        "__configurationTarget": 6,
        "command": "remora",
        "noDebug": False,
        "debugOptions": ["RedirectOutput"],
        "workspaceFolder": "/somewhere",
        "clientOS": "unix",
        "showReturnValue": True,
    }
    with launched(program(SHORT), **harmless, frobnicate=1) as debugging:
        debugging.start()
        code, output = debugging.until_exit()
        assert code == 0
        said = output.get("console", "") + output.get("important", "")
        assert said.count("frobnicate") == 1
        assert not [name for name in harmless if name in said]


# 15
def test_probing_the_port_ends_nothing(program: Write) -> None:
    port = free_port()
    with attached(program(SHORT), remora("--listen", port, "--wait-for-client", "app.py"), port) as debugging:
        for _ in range(3):
            socket.create_connection(("127.0.0.1", port)).close()
        debugging.start()
        assert debugging.until_exit()[0] == 0


@pytest.mark.skipif(not socket.has_ipv6, reason="this Python has no IPv6")
def test_localhost_means_both_loopback_addresses(program: Write) -> None:
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no IPv6 loopback address")
    port = free_port()
    target = program(SHORT)
    server = Debuggee(remora("adapter", "--port", port), cwd=target.folder, is_server=True)
    Wire.connect("127.0.0.1", port).close()
    with watching(Debugging(Wire.connect("::1", port), "launch", target.launch_arguments)) as debugging:
        debugging.processes.append(server)
        debugging.start()
        assert debugging.until_exit()[0] == 0


# 17
@pytest.mark.parametrize("last", [("terminate", "disconnect"), ("disconnect",)], ids="-".join)
def test_requests_after_the_end_are_answered(last: tuple[str, ...], program: Write) -> None:
    with launched(program(SHORT)) as debugging:
        debugging.start()
        debugging.until_exit()
        for command in last:
            debugging.wire.request(command, {"restart": False})


def test_adapter_that_saw_no_request_goes_when_its_editor_goes() -> None:
    from pathlib import Path

    with adapter(Path.cwd()) as debugging:
        process = debugging.processes[0]
        debugging.wire.close()
        until(lambda: not process.running, "the adapter ends")
