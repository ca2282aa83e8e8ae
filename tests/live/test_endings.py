"""Every end of a session and of a program, in every way it was started and whatever it was about.

| what ends it | where |
|---|---|
| disconnect without terminate, the client vanishing | the_program_goes_on; of what was launched: ends_with_its_client |
| disconnect with terminate | disconnect_and_terminate |
| terminate: plain, SIGTERM handler, exit handler; a program that is deaf to signals | terminate, _gently, _hard |
| stop(), also from the debug console | stop, stop_while_it_stands |
| the hub, the debuggee killed with -9 | hub_killed, killed |
| exit, os._exit, signals, exec, threads, exit handlers, closed streams, much output | ends_by_itself (`OWN_ENDS`) |
| exit beside a thread that stands; at an uncaught exception; Ctrl-C | ends_while_another_thread_stands, _post_mortem, interrupt_key |

Each of these in each way to start (`Way`) and, where it matters, in each `State`, but for pairs that make no sense.
What all have in common: every request is answered once, all output comes, then `exited` with the code the kernel
knows, then `terminated`; a program that goes on costs nothing; no process, thread, descriptor, socket or file is left.
"""  # noqa: E501

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from typing import Any

import pytest

from .harness.debuggee import until
from .harness.endings import CHILD, LAUNCHED, Line, Scene, State, Way, scene

WAYS = list(Way)


def named(value: Any) -> str:
    return str(value.value if isinstance(value, Way | State) else value)


def every(*names: str, rows: Iterable[Any]) -> pytest.MarkDecorator:
    """Each row in each way; with children of the two kinds in turn, which end alike."""
    pairs = [
        (row, way)
        for number, row in enumerate(rows)
        for way in WAYS
        if way not in CHILD or way is CHILD[number % 2]
    ]
    return pytest.mark.parametrize(names, pairs, ids=named)


# -- what is true of every end


def last_words(line: Line, code: int | None) -> None:
    """The session ends by itself, with this exit code; then the client says goodbye, as many do."""
    line.wire.event("terminated")
    line.wire.send("terminate", {})
    line.wire.send("disconnect", {})
    line.drain()
    line.is_well_told()
    assert [body["exitCode"] for body in line.events("exited")] == ([] if code is None else [code])
    assert len(line.events("terminated")) == 1
    assert_quiet(line)


def let_go(line: Line) -> None:
    """The session ends, and the program does not: the client hears neither `exited` nor `terminated`."""
    line.drain()
    line.is_well_told()
    assert not line.events("exited")
    assert not line.events("terminated")
    assert_quiet(line)


# What the console says of an end that nobody has wished for.
NEWS = "remora: the program was ended by signal"
# Where an exception enters the program at the place where it stands. It cannot be hidden.
ENTRY = "remora/engine/monitoring.py"


def without_entry(text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if ENTRY not in line)


def assert_quiet(line: Line) -> None:
    assert "remora" not in without_entry(line.output("stdout") + line.output("stderr"))
    assert not [note for note in line.notes if not note.startswith(NEWS)]
    assert line.output("important") == ""


def nothing_left(it: Scene) -> None:
    """After the program's end: no hub, no socket, no file. (No process: tests/conftest.py.)"""
    it.let_the_parent_end()
    for line in it.lines:
        line.close()
    for process in it.processes:
        if process.is_server:
            process.process.terminate()
    until(lambda: not it.hubs(), "the hubs end", 5.0)
    assert not it.names_left()
    assert not it.files_left()
    for process in it.processes:
        if process is it.program:
            assert "remora" not in without_entry(process.stderr), process.stderr


type Seen = tuple[dict[str, Any], dict[str, Any]]

IDLE = {
    "tools": [None] * 6,
    "thread hook": True,
    "mirrored": [False, False],
    "traced": ["None"] * 3,
    "interval": 0.005,
    "finders": 3,
    "threads": ["MainThread"],
}


def costs_nothing(it: Scene, before: Seen | None = None) -> Seen:
    """Nobody is attached, nothing is watched: all is as `before`. Return what program and kernel see."""
    seen: Seen = ({}, {})

    def idle() -> bool:
        nonlocal seen
        seen = it.report(), it.kernel_counts()
        if before is not None:
            return seen == before
        return all(seen[0][name] == value for name, value in IDLE.items())

    try:
        until(idle, "the program is left alone", 3.0)
    except TimeoutError as error:
        expected = before or (IDLE, seen[1])
        differing = [
            f"{name}: {now[name]} and not {value}"
            for was, now in zip(expected, seen, strict=True)
            for name, value in was.items()
            if now[name] != value
        ]
        raise AssertionError("\n".join(differing)) from error
    return seen


# -- the client leaves, the program goes on


@pytest.mark.parametrize("way", WAYS, ids=named)
@pytest.mark.parametrize("how", ["disconnect", "vanish"])
def test_the_program_goes_on(how: str, way: Way) -> None:
    if how == "vanish" and way in LAUNCHED:
        pytest.skip("what was launched ends with its client: test_ends_with_its_client")
    with scene(way) as it:
        seen = (it.before, it.counted) if way is Way.PROCESS_ID else None
        for state in State:
            if it.wire.closed:
                it.attach_again()
            it.be(state)
            if how == "disconnect":
                it.wire.send("disconnect", {"terminateDebuggee": False})
                let_go(it.line)
            it.wire.close()
            it.go_on(state)
            seen = costs_nothing(it, seen)
        it.order("sys.exit(5)")
        assert it.exit_code() in (5, None)
        nothing_left(it)


# -- the program lets go of the debugger


@pytest.mark.parametrize("way", [way for way in WAYS if way is not Way.PROCESS_ID], ids=named)
def test_stop(way: Way) -> None:
    """remora.stop(): the client is told, the program is as it was before it ever listened."""
    with scene(way) as it:
        it.order("import remora; remora.stop(); say('left')")
        it.said("left", 2.0)
        if way in LAUNCHED:
            # Its end, and what it writes, is still the adapter's to tell.
            it.order("print('by myself'); sys.exit(5)")
            last_words(it.line, 5)
            assert way is Way.TERMINAL or "by myself" in it.line.output("stdout")
        else:
            last_words(it.line, None)
            if way not in CHILD:
                costs_nothing(it, (it.before, it.kernel_counts()))
            it.order("sys.exit(5)")
            assert it.exit_code() == 5
        nothing_left(it)


@pytest.mark.parametrize("way", [Way.LISTEN, Way.LAUNCH, Way.PROCESS_ID], ids=named)
def test_stop_while_it_stands(way: Way) -> None:
    """The same from the debug console, while the program stands at a breakpoint."""
    with scene(way) as it:
        it.be(State.STOPPED)
        it.wire.send("evaluate", {"expression": "__import__('remora').stop()", "context": "repl"})
        it.go_on(State.STOPPED)
        it.order("sys.exit(5)")
        last_words(it.line, 5 if way is Way.LAUNCH else None)
        nothing_left(it)


# -- the hub dies


@every("state", "way", rows=State)
def test_hub_killed(state: State, way: Way) -> None:
    """The program goes on at no cost, and when it next starts a process nothing is left of its family."""
    with scene(way) as it:
        it.be(state)
        until(lambda: not it.files_left(), "what brought the agent there is gone", 3.0)
        for hub in it.hubs():
            os.kill(hub, signal.SIGKILL)
        it.line.adapter_gives = -signal.SIGKILL
        it.line.drain()
        it.go_on(state)

        def is_left() -> bool:
            it.order("subprocess.call(['true'])")
            seen = it.report()
            return not seen["wrapped"] and "remora" not in str(seen["environment"]).lower()

        until(is_left, "the program leaves the family", 3.0)
        costs_nothing(it, (it.before, it.kernel_counts()) if it.before and way not in CHILD else None)
        if way is Way.PROCESS_ID:
            assert it.kernel_counts() == it.counted
        else:
            assert it.kernel_counts()["threads"] == 1
        if way is not Way.LAUNCH:  # its output went to the hub
            it.order("sys.exit(5)")
            assert it.exit_code() == 5
            nothing_left(it)
        else:
            it.order("os._exit(5)")
        until(lambda: not it.lives(), "the program ends")


# -- the program dies


@every("state", "way", rows=State)
def test_killed(state: State, way: Way) -> None:
    with scene(way) as it:
        it.be(state)
        os.kill(it.pid, signal.SIGKILL)
        last_words(it.line, 128 + signal.SIGKILL)
        assert it.exit_code() in (-signal.SIGKILL, None)
        nothing_left(it)


# What the program does, its exit code, and what it has written by then.
OWN_ENDS: dict[str, tuple[str, int, str]] = {
    "exit": ("sys.exit(7)", 7, "tidied up\n"),
    "exit 0": ("sys.exit()", 0, "tidied up\n"),
    "exit with a text": ("sys.exit('alas')", 1, "tidied up\nalas\n"),
    "os._exit": ("print('last'); os._exit(7)", 7, "last\n"),
    "signal": ("os.kill(os.getpid(), signal.SIGUSR1); time.sleep(60)", 128 + signal.SIGUSR1, ""),
    "SIGTERM": ("os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)", 128 + signal.SIGTERM, ""),
    "abort": ("signal.signal(signal.SIGABRT, signal.SIG_DFL); os.abort()", 128 + signal.SIGABRT, ""),
    "exec": ("os.execv('/bin/sh', ['sh', '-c', 'exit 7'])", 7, ""),
    "much output": ("print('x' * 3_000_000); sys.exit(7)", 7, "x" * 3_000_000 + "\ntidied up\n"),
    "stdout closed": ("sys.stdout.close(); os._exit(7)", 7, ""),
    "uncaught": ("raise SystemError('alas')", 1, "tidied up\n{}SystemError: alas\n"),
    "Ctrl-C": ("signal.raise_signal(signal.SIGINT)", 130, "tidied up\n{}KeyboardInterrupt\n"),
    "daemon threads": (
        "[threading.Thread(target=lambda: [time.sleep(0) for _ in iter(int, 1)], daemon=True).start()"
        " for _ in range(3)]; time.sleep(0.05); sys.exit(7)",
        7,
        "tidied up\n",
    ),
    "a thread that goes on": (
        "threading.Thread(target=lambda: [time.sleep(0.2), print('thread over')]).start(); sys.exit(7)",
        7,
        "tidied up\nthread over\n",
    ),
    "a thread that exits": (
        "thread = threading.Thread(target=sys.exit, args=(3,)); thread.start(); thread.join(); sys.exit(7)",
        7,
        "tidied up\n",
    ),
    "much at exit": (
        "atexit.register(lambda: [print(n) or n % 1000 or time.sleep(0.1) for n in range(5000)]);"
        " sys.exit(7)",
        7,
        "tidied up\n" + "".join(f"{n}\n" for n in range(5000)),
    ),
    "an error at exit": (
        "atexit.register(int, 'alas'); sys.exit(7)",
        7,
        "tidied up\n{}ValueError: invalid literal for int() with base 10: 'alas'\n",
    ),
    "streams closed": ("os.closerange(0, 3); os._exit(7)", 7, ""),
}


@every("end", "way", rows=OWN_ENDS)
def test_ends_by_itself(end: str, way: Way) -> None:
    text, code, output = OWN_ENDS[end]
    with scene(way) as it:
        it.order(text)
        last_words(it.line, code)
        assert len(it.line.notes) == (end in ("signal", "abort")), "what somebody has wished for is no news"
        if way is not Way.TERMINAL:
            begin, _, rest = output.partition("{}")  # between these lies a traceback
            told = it.line.output("stdout") + it.line.output("stderr")
            assert told.startswith(begin)
            assert told.endswith(rest)
            assert rest or told == begin
        assert it.exit_code() in (None, code, 128 - code)
        nothing_left(it)


# -- the client ends the program


def is_ended(it: Scene, code: int, output: str) -> None:
    last_words(it.line, code)
    if it.way is not Way.TERMINAL:
        assert output in it.line.output("stdout")
    assert it.exit_code() in (None, code, 128 - code)
    nothing_left(it)


# What the program does about signals, the exit code, and what it has written by then.
GENTLE: dict[str, tuple[str, int, str]] = {
    "handler": ("signal.signal(signal.SIGTERM, lambda *_: sys.exit(33))", 33, "tidied up\n"),
    "at exit": ("atexit.register(print, 'at exit')", 130, "tidied up\nat exit\n"),
}


@every("state", "way", rows=State)
def test_terminate(state: State, way: Way) -> None:
    with scene(way) as it:
        it.be(state)
        it.wire.send("terminate", {})
        is_ended(it, 130, "tidied up\n")


@every("how", "way", rows=GENTLE)
def test_terminate_gently(how: str, way: Way) -> None:
    text, code, output = GENTLE[how]
    with scene(way) as it:
        it.order(text + "; say('ready')")
        it.said("ready")
        it.wire.send("terminate", {})
        is_ended(it, code, output)


@every("state", "way", rows=[State.RUNNING, State.STOPPED])
def test_disconnect_and_terminate(state: State, way: Way) -> None:
    with scene(way) as it:
        it.be(state)
        it.wire.send("disconnect", {"terminateDebuggee": True})
        it.line.drain()
        it.line.is_well_told()
        if way in LAUNCHED:
            code = 130 if state is State.RUNNING else 137
            assert [body["exitCode"] for body in it.line.events("exited")] == [code]
        assert it.exit_code() in (None, -2, -9)
        nothing_left(it)


@pytest.mark.parametrize("way", WAYS, ids=named)
def test_terminate_hard(way: Way) -> None:
    """A program that is deaf to signals goes on after `terminate`, and is killed when the client insists."""
    with scene(way) as it:
        it.order("[signal.signal(number, signal.SIG_IGN) for number in (2, 15)]; say('ready')")
        it.said("ready")
        it.wire.request("terminate", {})
        it.report()
        it.wire.send("disconnect", {"terminateDebuggee": True})
        it.line.drain()
        it.line.is_well_told()
        if way in LAUNCHED:
            assert [body["exitCode"] for body in it.line.events("exited")] == [137]
        assert it.exit_code() in (None, -9)
        nothing_left(it)


@pytest.mark.parametrize("way", LAUNCHED, ids=named)
@pytest.mark.parametrize("state", State, ids=named)
def test_ends_with_its_client(state: State, way: Way) -> None:
    with scene(way) as it:
        it.be(state)
        it.wire.close()
        until(lambda: not it.lives(), "the program ends")
        assert it.exit_code() in (None, -2, -9)
        nothing_left(it)


# -- special moments


@pytest.mark.parametrize("way", [Way.LISTEN, Way.LAUNCH, Way.POPEN], ids=named)
@pytest.mark.parametrize("end", ["daemon", "non-daemon", "os._exit"])
def test_ends_while_another_thread_stands(end: str, way: Way) -> None:
    """The main thread was let go on alone; what it ends with ends the thread that stands, or lets it go."""
    with scene(way) as it:
        it.order(f"threading.Thread(target=aside, daemon={end != 'non-daemon'}).start()")
        stopped = it.wire.event("stopped", lambda body: body["reason"] == "breakpoint")
        assert stopped["threadId"] != 1
        # It may sit in C still, and stands as soon as it is back.
        until(lambda: it.succeeds("continue", threadId=1, singleThread=True), "the main thread goes on", 3.0)
        it.order("os._exit(7)" if end == "os._exit" else "sys.exit(7)")
        if end == "non-daemon":  # the interpreter waits for it
            it.wire.event("output", lambda body: "tidied up" in body["output"])
            it.wire.request("continue", {"threadId": stopped["threadId"]})
            it.said("aside over")
        last_words(it.line, 7)
        assert it.exit_code() in (7, None)
        nothing_left(it)


@pytest.mark.parametrize("way", [Way.LISTEN, Way.LAUNCH, Way.PROCESS_ID, Way.POPEN], ids=named)
@pytest.mark.parametrize("end", ["continue", "kill", "disconnect"])
def test_ends_post_mortem(end: str, way: Way) -> None:
    """It stands at the exception that is about to end it."""
    with scene(way) as it:
        it.wire.request("setExceptionBreakpoints", {"filters": ["uncaught"]})
        it.order("raise SystemError('alas')")
        thread = it.wire.event("stopped", lambda body: body["reason"] == "exception")["threadId"]
        if end == "kill":
            os.kill(it.pid, signal.SIGKILL)
            last_words(it.line, 137)
        elif end == "continue":
            it.wire.send("continue", {"threadId": thread})
            last_words(it.line, 1)
        else:
            it.wire.send("disconnect", {"terminateDebuggee": False})
            let_go(it.line)
        assert it.exit_code() in (None, -9 if end == "kill" else 1)
        nothing_left(it)


@pytest.mark.parametrize("way", [Way.LISTEN, Way.TERMINAL, Way.CONNECT, Way.PROCESS_ID, Way.POPEN], ids=named)
@pytest.mark.parametrize("state", [State.RUNNING, State.STOPPED, State.EVALUATING], ids=named)
def test_interrupt_key(state: State, way: Way) -> None:
    """Ctrl-C in the program's terminal, for all its processes: one that stands hears it when it goes on."""
    with scene(way) as it:
        number = it.be(state)
        if number is not None:  # what was typed is what is interrupted
            os.kill(it.pid, signal.SIGINT)
            assert "KeyboardInterrupt" in it.wire.response(number)["message"]
        os.kill(it.pid, signal.SIGINT)
        if state is not State.RUNNING:
            it.wire.request("continue", {"threadId": 1})
        last_words(it.line, 130)
        assert it.exit_code() == -signal.SIGINT
        nothing_left(it)
