"""`remora log`, `snapshot`, `stack`, `eval`: a live program is looked at, and neither stopped nor changed."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from remora.client import Client, DebugSession

from .harness.debuggee import Debuggee, remora, run, until
from .harness.debugging import free_port
from .harness.programs import Program

type Write = Callable[..., Program]

# Says which tools of sys.monitoring there are when it is asked.
WATCHED = """\
import os, sys, threading, time

class User:
    def __init__(self, number):
        self.number = number
        self.password = "hunter2"
    @property
    def touched(self):
        print("PROPERTY RAN", flush=True)
    def __repr__(self):
        print("REPR RAN", flush=True)
        return "User!"

def handle(number, token="t0k3n"):
    user = User(number)
    headers = [("authorization", "Bearer abcdefgh"), ("accept", "*/*")]
    config = {"api_key": "k3y", "size": [1, [2, [3, [4]]]]}
    return number                                # @here

def work():
    for number in range(10**9):
        handle(number)
        time.sleep(0.01)

threading.Thread(target=work, daemon=True, name="worker").start()
print("begun", flush=True)
while True:
    if os.path.exists("ask"):
        os.remove("ask")
        print("tools", [tool for tool in map(sys.monitoring.get_tool, range(6)) if tool], flush=True)
    time.sleep(0.01)
"""


@contextlib.contextmanager
def listening(
    target: Program, *options: str, env: dict[str, str] | None = None
) -> Iterator[tuple[Debuggee, str]]:
    debuggee = Debuggee(remora("--listen", "0", *options, str(target.path)), cwd=target.folder, env=env)
    try:
        debuggee.wait_for_output("listening on", stream="stderr")
        found = re.search(r"listening on \S+:(\d+)", debuggee.stderr)
        assert found
        yield debuggee, f"127.0.0.1:{found[1]}"
    finally:
        debuggee.kill()


def editor(where: str) -> DebugSession:
    host, _, port = where.rpartition(":")
    return DebugSession(Client.connect(host, int(port)), features={"clientName": "an editor"})


def place(target: Program, marker: str = "here") -> str:
    return f"{target.path}:{target.line(marker)}"


def answers(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def tools(debuggee: Debuggee, folder: Path) -> str:
    """Ask the program who watches it."""
    answered = debuggee.stdout.count("tools [")
    (folder / "ask").touch()
    until(lambda: debuggee.stdout.count("tools [") > answered, "an answer of the program")
    return debuggee.stdout.rpartition("tools ")[2].strip()


def is_gone(debuggee: Debuggee, folder: Path) -> None:
    until(lambda: tools(debuggee, folder) == "[]", "the engine gone")


# -- log


def test_log_says_what_was_asked_for_and_leaves_nothing(program: Write) -> None:
    target = program(WATCHED)
    with listening(target) as (debuggee, where):
        done = run(
            remora("log", where, place(target), "n={number} {len(token)}", "--limit", "3"), cwd=target.folder
        )
        assert (done.returncode, done.stderr) == (0, "")
        numbers = [
            int(re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3} n=(\d+) 5", line)[1])
            for line in done.stdout.splitlines()
        ]  # type: ignore[index]
        assert numbers == list(range(numbers[0], numbers[0] + 3)), "each visit, and only once"
        is_gone(debuggee, target.folder)
        assert "RAN" not in debuggee.stdout


def test_log_as_json(program: Write) -> None:
    target = program(WATCHED)
    with listening(target) as (debuggee, where):
        done = run(
            remora("log", where, place(target), "{number}", "--json", "--limit=2", "--hit-condition", "% 3",
                   "--condition", "number >= 0"),
            cwd=target.folder,
        )  # fmt: skip
        first, second, end = answers(done.stdout)
        assert end == {"type": "end", "reason": "limit", "count": 2}
        assert int(second["text"]) - int(first["text"]) == 3
        assert second["time"] > first["time"]
        del first["text"], first["time"]
        assert first == {
            "type": "log",
            "pid": debuggee.pid,
            "threadId": 2,
            "thread": "worker",
            "file": str(target.path),
            "line": target.line("here"),
        }


def test_log_hides_secrets_unless_told(program: Write) -> None:
    target = program(WATCHED)
    message = "{number} {token} {user.password} {config} {headers[0][1]}"
    with listening(target) as (_, where):
        done = run(remora("log", where, place(target), message, "--limit", "1"), cwd=target.folder)
        assert "t0k3n" not in done.stdout
        assert "hunter2" not in done.stdout
        assert "k3y" not in done.stdout
        assert "abcdefgh" not in done.stdout
        assert done.stdout.count("<redacted>") == 4
        done = run(
            remora("log", where, place(target), message, "--limit", "1", "--no-redact"), cwd=target.folder
        )
        for secret in ("t0k3n", "hunter2", "k3y", "abcdefgh"):
            assert secret in done.stdout


HOT = """\
import sys, time

def work(count):
    total = 0
    for number in range(count):
        total += number        # @hot
    return total

began = time.thread_time()
work(3_000_000)
bare = time.thread_time() - began
print("begun", flush=True)
while work(1000) and not hasattr(sys, "told"):    # until the first message is out
    time.sleep(0.001)
began = time.thread_time()
work(3_000_000)
print("ratio", (time.thread_time() - began) / bare, "times", flush=True)
"""


def test_a_hot_line_does_not_drown_the_program(program: Write) -> None:
    """Three million hits: without the rate they would take some ten seconds, and as many megabytes."""
    target = program(HOT)
    with listening(target) as (debuggee, where):
        debuggee.wait_for_output("begun")
        message = "{total} {setattr(sys, 'told', 1)}"
        command = Debuggee(
            remora("log", where, place(target, "hot"), message, "--json", "--rate", "5/s"), cwd=target.folder
        )
        debuggee.wait_for_output("times\n")
        ratio = float(debuggee.stdout.split()[-2])
        assert ratio < 4, "1.0 to 1.3 on a quiet machine; without the rate some 50"
        assert debuggee.exit_code() == 0
        assert command.exit_code() == 0
        told = answers(command.stdout)
        assert {one["type"] for one in told} == {"log", "leftOut", "end"}
        assert all(0 < one["count"] <= 1000 for one in told if one["type"] == "leftOut")
        times = [one["time"] for one in told if one["type"] == "log"]
        assert 5 <= len(times) <= 5 * (times[-1] - times[0] + 1)
        assert told[-1]["reason"] == "programEnded"
        assert "the program has ended" in command.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_however_it_ends_the_program_is_as_it_was(program: Write, number: signal.Signals) -> None:
    target = program(WATCHED)
    with listening(target) as (debuggee, where):
        command = Debuggee(
            remora("log", where, place(target), "{number}", "--rate", "none"), cwd=target.folder
        )
        command.wait_for_output("\n")
        assert tools(debuggee, target.folder) == "['remora', 'remora']"
        command.process.send_signal(number)
        assert command.exit_code() == (-9 if number == signal.SIGKILL else 0)
        assert command.stderr == ""
        is_gone(debuggee, target.folder)
        done = run(remora("eval", where, "1 + 1"), cwd=target.folder)
        assert (done.stdout, done.returncode) == ("2\n", 0), "and the next one gets in"


def test_a_closed_pipe_ends_it(program: Write) -> None:
    target = program(WATCHED)
    with listening(target) as (debuggee, where):
        line = " ".join(remora("log", where, place(target), "'{number}'"))
        done = run(["sh", "-c", f"{line} | head -n 1"], cwd=target.folder)
        assert len(done.stdout.splitlines()) == 1
        assert done.stderr == ""
        is_gone(debuggee, target.folder)


def test_log_until_the_time_is_over(program: Write) -> None:
    target = program(WATCHED)
    with listening(target) as (_, where):
        done = run(
            remora("log", where, place(target), "{number}", "--for", "0.3", "--json"), cwd=target.folder
        )
        assert answers(done.stdout)[-1]["reason"] == "time"
        assert done.returncode == 0


@pytest.mark.parametrize(
    ("line", "message", "options", "said"),
    [
        ("here", "{", [], "never closed"),
        ("here", "", [], "empty"),
        ("here", "{number}", ["--condition", "1 +"], "condition is wrong"),
        ("here", "{number}", ["--hit-condition", "often"], "'often' is none of"),
    ],
)
def test_log_refuses_what_cannot_work(
    program: Write, line: str, message: str, options: list[str], said: str
) -> None:
    target = program(WATCHED)
    with listening(target) as (debuggee, where):
        done = run(remora("log", where, place(target, line), message, *options), cwd=target.folder)
        assert done.returncode == 1
        assert said in done.stderr
        assert "Traceback" not in done.stderr
        is_gone(debuggee, target.folder)


def test_an_error_in_the_condition_is_told_and_the_program_runs_on(program: Write) -> None:
    target = program(WATCHED)
    with listening(target) as (debuggee, where):
        done = run(
            remora("log", where, place(target), "x", "--condition", "number / 0", "--for", "0.3"),
            cwd=target.folder,
        )
        assert done.stdout.count("ZeroDivisionError") == 1
        is_gone(debuggee, target.folder)


# -- snapshot


def test_snapshot_shows_the_place_without_running_code_of_the_program(program: Write) -> None:
    target = program(WATCHED)
    with listening(target) as (debuggee, where):
        done = run(remora("snapshot", where, place(target), "--json"), cwd=target.folder)
        assert (done.returncode, done.stderr) == (0, "")
        snapshot, end = answers(done.stdout)
        assert end == {"type": "end", "reason": "limit", "count": 1}
        assert (snapshot["pid"], snapshot["thread"]) == (debuggee.pid, "worker")
        top, caller, *_ = snapshot["frames"]
        assert (top["function"], top["line"], top["file"]) == (
            "handle",
            target.line("here"),
            str(target.path),
        )
        variables = {one["name"]: one["value"] for one in top["variables"]}
        number = int(variables["number"])
        assert variables == {
            "number": str(number),
            "token": "<redacted>",
            "user": f"<User number={number} password=<redacted>>",
            "headers": "[('authorization', <redacted>), ('accept', '*/*')]",
            "config": "{'api_key': <redacted>, 'size': [1, [2, […]]]}",
        }
        assert caller["function"] == "work"
        assert "variables" not in caller
        is_gone(debuggee, target.folder)
        assert "RAN" not in debuggee.stdout


def test_snapshot_in_text_with_more_of_everything(program: Write) -> None:
    target = program(WATCHED)
    with listening(target) as (debuggee, where):
        done = run(
            remora("snapshot", where, place(target), "--depth=5", "--all-frames", "--count", "2",
                   "--no-redact", "--watch", "number * 0", "--watch", "missing", "--repr"),
            cwd=target.folder,
        )  # fmt: skip
        assert done.returncode == 0
        assert done.stdout.count(f"app.py:{target.line('here')} in handle [worker]") == 2
        assert "  number * 0 = 0\n" in done.stdout
        assert "  missing = NameError: name 'missing' is not defined\n" in done.stdout
        assert "'size': [1, [2, [3, [4]]]]" in done.stdout
        assert "  token = 't0k3n'\n" in done.stdout
        assert "  user = User!\n" in done.stdout
        assert re.search(r"called from app.py:\d+ in work\n    number = \d+\n", done.stdout)
        debuggee.wait_for_output("REPR RAN")


def test_snapshot_of_a_line_that_is_not_reached(program: Write) -> None:
    target = program("def f():\n    return 1   # @never\nimport time\nwhile True:\n    time.sleep(0.01)\n")
    with listening(target) as (_, where):
        done = run(remora("snapshot", where, place(target, "never"), "--for", "0.3"), cwd=target.folder)
        assert done.returncode == 1
        assert "was not reached in 0.3 s" in done.stderr


# -- stack

TASKS = """\
import asyncio, threading, time

def spin(secret_word, count):
    while True:
        time.sleep(0.01)

async def leaf():
    password = "hunter2"
    here = "leaf"
    await asyncio.sleep(1000)               # @leaf

async def branch():
    await leaf()                            # @branch

async def trunk():
    await asyncio.create_task(branch(), name="branch")

async def main():
    gathered = asyncio.gather(asyncio.create_task(leaf(), name="leaf-1"))
    asyncio.create_task(trunk(), name="trunk")
    async with asyncio.TaskGroup() as group:
        group.create_task(leaf(), name="in group")
        await asyncio.sleep(0)
        print("begun", flush=True)
    await gathered

threading.Thread(target=spin, args=("x", 3), daemon=True, name="spinner").start()
asyncio.run(main())
"""


def test_stack_has_threads_and_tasks_and_who_awaits_whom(program: Write) -> None:
    target = program(TASKS)
    with listening(target) as (debuggee, where):
        debuggee.wait_for_output("begun")
        done = run(remora("stack", where, "--json", "--locals"), cwd=target.folder)
        assert (done.returncode, done.stderr) == (0, "")
        stacks = {one["name"]: one for one in answers(done.stdout)}
        spinner = stacks["spinner"]
        assert spinner["type"] == "thread"
        own = [frame for frame in spinner["frames"] if frame["userCode"]]
        assert [(frame["function"], frame["variables"]) for frame in own] == [
            (
                "spin",
                [
                    {"name": "secret_word", "value": "<redacted>", "type": "str"},
                    {"name": "count", "value": "3", "type": "int"},
                ],
            )
        ]
        assert stacks["MainThread"]["frames"][-1]["function"] == "<module>"
        branch = stacks["branch"]
        assert (branch["type"], branch["state"], branch["awaitedBy"]) == ("task", "waiting", ["trunk"])
        places = [(frame["function"], frame["line"]) for frame in branch["frames"] if frame["userCode"]]
        assert places == [("leaf", target.line("leaf")), ("branch", target.line("branch"))]
        leaf = next(frame for frame in branch["frames"] if frame["function"] == "leaf")
        assert [(one["name"], one["value"]) for one in leaf["variables"]] == [
            ("password", "<redacted>"),
            ("here", "'leaf'"),
        ]
        assert stacks["trunk"]["waitsFor"] == "task branch"
        assert stacks["in group"]["awaitedBy"] == ["Task-1"]
        assert stacks["Task-1"]["threadId"] == 1
        names = [one["name"] for one in answers(done.stdout)]
        assert names == ["MainThread", "spinner", "Task-1", "branch", "in group", "leaf-1", "trunk"]


def test_stack_in_text(program: Write) -> None:
    target = program(TASKS)
    with listening(target) as (debuggee, where):
        debuggee.wait_for_output("begun")
        done = run(remora("stack", where), cwd=target.folder)
        assert done.returncode == 0
        assert f"process {debuggee.pid}, Python {sys.version.split()[0]}\n" in done.stdout
        assert "\nthread 1 'MainThread'\n" in done.stdout
        assert "\ntask 'trunk' (trunk) waits for task branch\n" in done.stdout
        line = target.line("branch")
        assert f"  app.py:{line} in branch\n    await leaf()" in done.stdout
        assert "_bootstrap" not in done.stdout, "how a thread begins tells nobody anything"
        assert "password" not in done.stdout, "no variables unless asked for"


def test_stack_of_a_program_that_waits_for_a_debugger_lets_it_wait(program: Write) -> None:
    target = program("print('ran', flush=True)\n")
    with listening(target, "--wait-for-client") as (debuggee, where):
        for _ in range(2):
            done = run(remora("stack", where), cwd=target.folder)
            assert done.returncode == 0, done.stderr
        assert debuggee.stdout == ""
        with editor(where) as session:
            session.attach()
            debuggee.wait_for_output("ran")


# -- eval


def test_eval(program: Write) -> None:
    target = program(WATCHED)
    with listening(target) as (debuggee, where):
        done = run(remora("eval", where, "threading.active_count() * 0 + 41 + 1"), cwd=target.folder)
        assert (done.stdout, done.stderr, done.returncode) == ("42\n", "", 0)
        done = run(remora("eval", where, "{'password': 1, 'x': 'y'}", "--json"), cwd=target.folder)
        assert answers(done.stdout) == [
            {
                "type": "value",
                "expression": "{'password': 1, 'x': 'y'}",
                "pid": debuggee.pid,
                "value": "<redacted>",
                "valueType": "dict",
            }
        ]
        done = run(remora("eval", where, "1/0"), cwd=target.folder)
        assert done.returncode == 1
        assert "ZeroDivisionError" in done.stderr
        is_gone(debuggee, target.folder)


def test_eval_where_the_program_comes_by(program: Write) -> None:
    target = program(WATCHED)
    with listening(target) as (_, where):
        done = run(
            remora("eval", where, "number // number, config['size'][0]", "--frame", place(target)),
            cwd=target.folder,
        )
        assert (done.stdout, done.returncode) == ("(1, 1)\n", 0)
        done = run(remora("eval", where, "token", "--frame", place(target)), cwd=target.folder)
        assert done.stdout == "<redacted>\n"
        done = run(remora("eval", where, "nothing", "--frame", place(target)), cwd=target.folder)
        assert done.returncode == 1
        assert "NameError" in done.stderr
        done = run(remora("eval", where, "1 +", "--frame", place(target)), cwd=target.folder)
        assert done.returncode == 1
        assert "1 +" in done.stderr


# -- who else is there


def test_somebody_else_is_attached(program: Write) -> None:
    target = program(WATCHED)
    with listening(target) as (_, where), editor(where) as session:
        session.attach()
        for command in (["stack", where], ["log", where, place(target), "x"], ["eval", where, "1"]):
            done = run(remora(*command), cwd=target.folder)
            assert done.returncode == 1
            assert "already attached" in done.stderr
            assert "an editor" in done.stderr, "and who it is"
        session.disconnect()


STOPPING = """\
import remora, time
print("begun", flush=True)
for number in range(10**9):
    remora.breakpoint()
    time.sleep(0.01)
    print("beat", number, flush=True)      # @here
"""


def test_a_breakpoint_in_the_program_does_not_stop_for_a_guest(program: Write) -> None:
    target = program(STOPPING)
    with listening(target) as (debuggee, where):
        debuggee.wait_for_output("beat 3\n")
        done = run(remora("log", where, place(target), "{number}", "--limit", "5"), cwd=target.folder)
        assert len(done.stdout.splitlines()) == 5
        beat = int(done.stdout.split()[-1])
        debuggee.wait_for_output(f"beat {beat + 5}\n")


def test_the_program_ends_meanwhile(program: Write) -> None:
    target = program("import time\nfor number in range(100):\n    time.sleep(0.02)   # @here\n")
    with listening(target) as (debuggee, where):
        done = run(remora("log", where, place(target), "{number}"), cwd=target.folder)
        assert done.returncode == 0
        assert done.stdout.splitlines()[-1].endswith(" 99")
        assert "the program has ended" in done.stderr
        assert debuggee.exit_code() == 0


def test_nobody_listens_there(tmp_path: Path) -> None:
    done = run(remora("stack", f":{free_port()}"), cwd=tmp_path)
    assert done.returncode == 1
    assert "cannot reach 127.0.0.1" in done.stderr


def test_a_token_is_needed(program: Write) -> None:
    target = program(WATCHED)
    with listening(target, env={"REMORA_TOKEN": "abracadabra"}) as (_, where):
        done = run(remora("eval", where, "1"), cwd=target.folder)
        assert (done.returncode, "needs a token" in done.stderr) == (1, True)
        done = run(remora("eval", where, "1"), cwd=target.folder, env={"REMORA_TOKEN": "abracadabra"})
        assert done.stdout == "1\n"


def test_something_else_listens_there(tmp_path: Path) -> None:
    import socket
    import threading

    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                peer, _ = server.accept()
                peer.sendall(b"220 mail.example.org ESMTP ready\r\n")
                peer.close()

        thread = threading.Thread(target=serve)
        thread.start()
        done = run(remora("stack", f"127.0.0.1:{server.getsockname()[1]}"), cwd=tmp_path)
        thread.join()
    assert done.returncode == 1
    assert done.stderr.startswith("remora: ")
    assert "Traceback" not in done.stderr


SPAWNING = """\
import subprocess, sys, time
print("begun", flush=True)
for number in range(10**9):
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", "pass"])
    took = time.monotonic() - began
    time.sleep(0.01)                             # @here
"""


def test_children_are_not_held_for_a_guest(program: Write) -> None:
    target = program(SPAWNING)
    with listening(target) as (debuggee, where):
        debuggee.wait_for_output("begun")
        done = run(remora("log", where, place(target), "{took}", "--limit", "3"), cwd=target.folder)
        assert done.returncode == 0
        slowest = max(float(line.split()[1]) for line in done.stdout.splitlines())
        assert slowest < 3, "0.1 to 0.5 s; a child that is held for somebody waits for 4 s at least"
