"""Every end of a session and of a program, in every way it was started and whatever it was about.

The tables name what is done; each test says what all of them have in common: every request is answered once,
all output comes, then `exited` with the code the kernel knows, then `terminated`; and nothing is left.
"""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from .harness.debuggee import until
from .harness.endings import CHILD, LAUNCHED, Line, Scene, State, Way, scene

WAYS = list(Way)
ATTACHED = [way for way in Way if way not in LAUNCHED]


def named(value: Any) -> str:
    return str(value.value if isinstance(value, Way | State) else value)


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


# What the console says of the beginning.
NOTES = ("remora: waiting for a program", "remora: the program was ended by signal")


def assert_quiet(line: Line) -> None:
    assert "remora" not in line.output("stdout") + line.output("stderr")
    notes = [note for note in line.output("console").splitlines() if not note.startswith(NOTES)]
    assert not notes
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
            assert "remora" not in process.stderr, process.stderr
            assert "Exception ignored" not in process.stderr, process.stderr


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
    """Nobody is attached: the program is not watched. Return what it and the kernel see: as `before`, if given."""
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


@pytest.mark.parametrize("way", WAYS, ids=named)
@pytest.mark.parametrize("state", State, ids=named)
def test_hub_killed(state: State, way: Way) -> None:
    """The program goes on at no cost, and when it next starts a process nothing is left of its family."""
    with scene(way) as it:
        it.be(state)
        for hub in it.hubs():
            os.kill(hub, signal.SIGKILL)
        it.line.drain()
        it.go_on(state)
        it.order("subprocess.call(['true'])")
        seen = costs_nothing(it)[0]
        assert seen["wrapped"] == []
        assert not [entry for entry in seen["environment"] if "remora" in entry.lower()]
        if way is Way.PROCESS_ID:
            costs_nothing(it, (it.before, it.counted))
        if way is not Way.LAUNCH:  # its output went to the hub
            it.order("sys.exit(5)")
            assert it.exit_code() == 5
            nothing_left(it)
        else:
            it.order("os._exit(5)")
        until(lambda: not Path(f"/proc/{it.pid}").exists(), "the program ends")


# -- the program dies


@pytest.mark.parametrize("way", WAYS, ids=named)
@pytest.mark.parametrize("state", State, ids=named)
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
    "abort": ("signal.signal(signal.SIGABRT, signal.SIG_DFL); os.abort()", 128 + signal.SIGABRT, ""),
    "exec": ("os.execv('/bin/sh', ['sh', '-c', 'exit 7'])", 7, ""),
    "much output": ("print('x' * 3_000_000); sys.exit(7)", 7, "x" * 3_000_000 + "\ntidied up\n"),
    "stdout closed": ("sys.stdout.close(); os._exit(7)", 7, ""),
    "descriptor 1 closed": ("os.close(1); os.open('/dev/null', os.O_WRONLY); sys.exit(7)", 7, ""),
}


@pytest.mark.parametrize("way", WAYS, ids=named)
@pytest.mark.parametrize("end", OWN_ENDS)
def test_ends_by_itself(end: str, way: Way) -> None:
    text, code, output = OWN_ENDS[end]
    with scene(way) as it:
        it.order(text)
        last_words(it.line, code)
        if way is not Way.TERMINAL:
            assert it.line.output("stdout") + it.line.output("stderr") == output
        assert it.exit_code() in (None, code, 128 - code)
        nothing_left(it)
