"""`launch` with real processes: settings, terminals, ends, and mistakes."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.wire import Message, Refused, Wire

from .harness.debugging import Debugging, adapter, launched
from .harness.programs import Program

type Write = Callable[..., Program]

HELLO = 'import sys\nprint("hello", *sys.argv[1:])\nsys.exit(5)\n'


def refused(**settings: Any) -> str:
    """The reason a launch fails for; nothing may be left running, which the test's own watch sees."""
    with adapter(Path("/"), "launch", **settings) as debugging:
        with pytest.raises(Refused) as caught:
            debugging.begin()
        # The session survives its mistakes: a second try is the client's right.
        with pytest.raises(Refused):
            debugging.wire.request("launch", settings)
        return caught.value.text


def test_settings_of_a_program(program: Write) -> None:
    target = program(
        """\
import json, os, sys
names = [os.environ.get(name) for name in ("A", "HOME")]
print(json.dumps([sys.argv[1:], *names, os.getcwd(), sys.flags.optimize]))
"""
    )
    (target.folder / "sub").mkdir()
    (target.folder / "vars.env").write_text("A=from the file\nB=2\n")
    settings: dict[str, Any] = {
        "program": str(target.path),
        "args": "one 'two words'",
        "env": {"HOME": None},
        "envFile": "../vars.env",
        "cwd": str(target.folder / "sub"),
        "pythonArgs": ["-O"],
    }
    with adapter(target.folder, "launch", **settings) as debugging:
        debugging.start()
        _, output = debugging.until_exit()
    expected = f'[["one", "two words"], "from the file", null, "{target.folder}/sub", 1]\n'
    assert output["stdout"] == expected


@pytest.mark.parametrize("how", ["program", "module", "code"])
def test_the_command_line_is_the_programs_own(how: str, program: Write) -> None:
    """Reloaders start `sys.orig_argv` again: werkzeug's does."""
    text = "import sys; print(sys.orig_argv[1:])"
    target = program(text)
    value = {"program": str(target.path), "module": target.path.stem, "code": text}[how]
    with adapter(
        target.folder, "launch", **{how: value}, args=["a"], pythonArgs=["-X", "dev"], cwd=str(target.folder)
    ) as debugging:
        debugging.start()
        _, output = debugging.until_exit()
    words = {"program": [value], "module": ["-m", value], "code": ["-c", value]}[how]
    assert output["stdout"] == f"{['-X', 'dev', *words, 'a']}\n"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"program": "/no/such/file.py"}, ["/no/such/file.py", "no such file"]),
        ({"code": "1", "python": "/no/such/python"}, ["/no/such/python"]),
        ({"code": "1", "python": "/etc/passwd"}, ["/etc/passwd", "executed"]),
        ({"code": "1", "cwd": "/no/such/folder"}, ["/no/such/folder"]),
        ({"code": "1", "python": ["sh", "-c", "echo alas >&2; exit 9"]}, ["exit code 9", "alas"]),
        ({"code": "1", "noDebug": True, "python": "/no/such/python"}, ["/no/such/python"]),
    ],
)
def test_mistakes(settings: dict[str, Any], words: list[str]) -> None:
    if settings.get("noDebug"):
        with adapter(Path("/"), "launch", **settings) as debugging:
            debugging.begin()
            with pytest.raises(Refused) as caught:
                debugging.go()
            text = caught.value.text
    else:
        text = refused(**settings)
    assert all(word in text for word in words), text


def test_without_debugging(program: Write) -> None:
    target = program(HELLO)
    with launched(target, ["you"], noDebug=True) as debugging:
        debugging.begin()
        answers = debugging.wire.request(
            "setBreakpoints", {"source": {"path": str(target.path)}, "breakpoints": [{"line": 2}]}
        )["breakpoints"]
        assert [each["verified"] for each in answers] == [False]
        debugging.go()
        assert debugging.until_exit() == (5, {"stdout": "hello you\n"})


def test_text_cut_anywhere_and_bytes_that_are_none(program: Write) -> None:
    target = program(
        """\
import os, time
for byte in "€uro".encode():
    os.write(1, bytes([byte]))
    time.sleep(0.01)
os.write(2, b"\\xff!")
"""
    )
    with launched(target) as debugging:
        debugging.start()
        _, output = debugging.until_exit()
    assert output["stdout"] == "€uro"
    assert output["stderr"] == "\ufffd!"


@pytest.mark.parametrize("unbuffered", [None, "1"])
def test_output_before_a_stop_is_seen_before_it(unbuffered: str | None, program: Write) -> None:
    """Through a pipe Python would keep it back until 8 kB are there."""
    target = program('print("before")\nprint("after")   # @here\n')
    with launched(target, env={"PYTHONUNBUFFERED": unbuffered}) as debugging:
        debugging.start("here")
        debugging.stopped("breakpoint")
        seen = [m["body"]["output"] for m in debugging.wire.backlog if m.get("event") == "output"]
        assert "".join(seen) == "before\n"
        assert len(seen) == 1 or unbuffered
        debugging.resume()
        debugging.until_exit()


def test_stop_on_entry(program: Write) -> None:
    target = program("import os   # @first\nprint(1)\n")
    with launched(target, stopOnEntry=True) as debugging:
        debugging.start()
        stop = debugging.stopped("entry")
        assert stop.is_at("first")
        stop.resume()
        assert debugging.until_exit() == (0, {"stdout": "1\n"})


# -- ends

WAITING = """\
import os, signal, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
if "handler" in sys.argv:
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(33))
if "stubborn" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
try:
    os.write(1, b"child %d\\n" % child.pid)   # @here
    time.sleep(600)
finally:
    print("tidied up", flush=True)
"""


def child_of(debugging: Debugging) -> int:
    body = debugging.wire.event("output", lambda body: "child" in body["output"])
    return int(body["output"].split()[1])


def is_running(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


@pytest.fixture
def waiting(program: Write) -> Iterator[Program]:
    yield program(WAITING)


@pytest.mark.parametrize(("how", "code"), [("plain", 130), ("handler", 33)])
def test_terminate_lets_the_program_tidy_up(how: str, code: int, waiting: Program) -> None:
    with launched(waiting, [how]) as debugging:
        debugging.start()
        child = child_of(debugging)
        debugging.wire.request("terminate")
        assert debugging.until_exit()[0] == code
        assert any("tidied up" in str(message) for message in debugging.wire.backlog)
        assert not is_running(child), "what it started ends with it"
        debugging.wire.request("disconnect")


def test_terminate_of_a_stopped_program(waiting: Program) -> None:
    with launched(waiting) as debugging:
        debugging.start("here")
        debugging.stopped("breakpoint")
        debugging.wire.request("terminate")
        assert debugging.until_exit()[0] == 130


def test_disconnect_after_terminate_kills(waiting: Program) -> None:
    with launched(waiting, ["stubborn"]) as debugging:
        debugging.start()
        child = child_of(debugging)
        debugging.wire.request("terminate")
        debugging.wire.request("disconnect")
        codes = [m["body"]["exitCode"] for m in debugging.wire.backlog if m.get("event") == "exited"]
        assert codes == [128 + signal.SIGKILL]
        assert not is_running(child)


def test_disconnect_may_leave_the_program(program: Write) -> None:
    target = program('import sys, time\nprint("up", flush=True)\ntime.sleep(0.5)\nprint("still here")\n')
    with launched(target) as debugging:
        debugging.start()
        pid = debugging.wire.event("process")["systemProcessId"]
        debugging.wire.event("output")
        debugging.wire.request("disconnect", {"terminateDebuggee": False})
        assert is_running(pid)
        # The adapter reads on, so that the program does not die of a broken pipe; then both end.
        assert debugging.processes[0].exit_code() == 0


def test_a_client_that_disconnects_before_the_program_is_up(tmp_path: Path) -> None:
    slow = ["sh", "-c", "sleep 600"]
    with adapter(tmp_path, "launch", code="1", python=slow) as debugging:
        debugging.wire.request("initialize", {"adapterID": "x"})
        launch = debugging.wire.send("launch", debugging.start_arguments)
        debugging.wire.request("disconnect")
        assert debugging.wire.response(launch)["success"] is False
        assert debugging.processes[0].exit_code() == 0


# -- terminals


def answer_terminal(wire: Wire, program: Callable[[Message], Message]) -> None:
    """Wait for runInTerminal and answer with what `program` makes of its arguments."""
    asked = wire.take(lambda m: m["type"] == "request", "runInTerminal")
    assert asked["command"] == "runInTerminal"
    wire.send_message(
        {"seq": 900, "type": "response", "request_seq": asked["seq"], "command": "runInTerminal"}
        | program(asked["arguments"])
    )


def test_a_terminal_that_cannot_be_opened(program: Write) -> None:
    target = program(HELLO)
    with launched(target, console="integratedTerminal") as debugging:
        debugging.wire.request("initialize", {"adapterID": "x", "supportsRunInTerminalRequest": True})
        launch = debugging.wire.send("launch", debugging.start_arguments)
        answer_terminal(debugging.wire, lambda _: {"success": False, "message": "no terminal today"})
        answer = debugging.wire.response(launch)
        assert answer["success"] is False
        assert "no terminal today" in answer["message"]


@pytest.mark.parametrize("debug", [True, False])
def test_in_a_terminal(debug: bool, program: Write) -> None:
    import subprocess

    target = program(HELLO.replace('print("hello"', 'print("hello"   # @here\n     '))
    processes: list[subprocess.Popen[str]] = []

    def terminal(arguments: Message) -> Message:
        environment = dict(os.environ)
        for name, value in arguments["env"].items():
            if value is None:
                environment.pop(name, None)
            else:
                environment[name] = value
        processes.append(
            subprocess.Popen(
                arguments["args"], cwd=arguments["cwd"], env=environment, stdout=subprocess.PIPE, text=True
            )
        )
        return {"success": True, "body": {"shellProcessId": 1}}

    with launched(target, ["you"], console="integratedTerminal", noDebug=not debug) as debugging:
        debugging.wire.request("initialize", {"adapterID": "x", "supportsRunInTerminalRequest": True})
        launch = debugging.wire.send("launch", debugging.start_arguments)
        if debug:
            answer_terminal(debugging.wire, terminal)
            debugging.wire.event("initialized")
            debugging.break_at("here")
            debugging.wire.request("configurationDone")
        else:
            debugging.wire.event("initialized")
            debugging.wire.request("configurationDone")
            answer_terminal(debugging.wire, terminal)
        debugging.wire.result(launch)
        assert debugging.wire.event("process")["systemProcessId"] == processes[0].pid
        if debug:
            debugging.stopped("breakpoint").resume()
        code, output = debugging.until_exit()
        assert code == 5
        assert output.get("stdout", "") in ("", "hello you\n")
        assert processes[0].communicate(timeout=20)[0] == "hello you\n"


def test_python_of_another_version_is_welcome(program: Write) -> None:
    """The package is found by where it lies: the interpreter need not have it installed."""
    target = program("import sys\nprint(sys.flags.no_site)\n")
    with launched(target, python=[sys.executable, "-S"]) as debugging:
        debugging.start()
        assert debugging.until_exit() == (0, {"stdout": "1\n"})


def test_python_too_old_is_said(tmp_path: Path) -> None:
    old = next((found for minor in (8, 9, 10, 11) if (found := _interpreter(minor))), None)
    if old is None:
        pytest.skip("no Python between 3.8 and 3.11 here")
    assert "remora needs Python 3.12 or newer" in refused(code="1", python=old)


def _interpreter(minor: int) -> str | None:
    for root in (Path("/usr/bin"), *Path.home().glob(f".pyenv/versions/3.{minor}.*/bin")):
        if (root / f"python3.{minor}").exists():
            return str(root / f"python3.{minor}")
    return None
