"""Commands that let the program go on."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from remora.client import ClientError
from remora.terminal import report
from remora.terminal.commands import command
from remora.terminal.debugger import CommandError, State

if TYPE_CHECKING:
    from remora.terminal.app import App


_FRAMES_OF_A_WAIT = 20


@command("step s", "s(tep) [COUNT]", "run to the next line, into functions that are called", repeats=True)
def step(app: App, argument: str) -> None:
    _repeat(app, "stepIn", argument)


@command("next n", "n(ext) [COUNT]", "run to the next line of this function", repeats=True)
def next_(app: App, argument: str) -> None:
    _repeat(app, "next", argument)


@command("return r", "r(eturn)", "run until this function has returned", repeats=True)
def return_(app: App, argument: str) -> None:
    debugger = app.debugger
    debugger.need_stop()
    if _back_to(app, debugger.frame_index):
        debugger.go("stepOut")
    app.after_move(debugger.state is State.STOPPED)


@command("continue c cont", "c(ontinue)", "run until a breakpoint, an exception or Ctrl-C", repeats=True)
def continue_(app: App, argument: str) -> None:
    app.after_move(app.debugger.go("continue"))


@command(
    "until unt",
    "unt(il) [LINE]",
    "run to a line below this one (out of a loop), or to LINE, in this function",
    repeats=True,
)
def until(app: App, argument: str) -> None:
    debugger = app.debugger
    debugger.need_stop()
    if debugger.frame_index and not _back_to(app, debugger.frame_index):
        app.after_move(debugger.state is State.STOPPED)
        return
    here, depth = debugger.frame(0), debugger.total_frames()
    path = (here.get("source") or {}).get("path", "")
    line = here["line"]
    if argument:
        target = app.number(argument, "a line")
        if target <= line:
            raise CommandError(f"line {target} is not below line {line}, where the program is")
        app.after_move(_run_to(app, path, target, depth))
        return
    while debugger.go("next"):
        if debugger.stop is None or debugger.stop.reason != "step":
            break
        if debugger.frame(0)["line"] > line or debugger.total_frames() != depth:
            break
    app.after_move(debugger.state is State.STOPPED)


def _run_to(app: App, path: str, line: int, depth: int) -> bool:
    """Run to a line of this very frame, or until it returns: a step out that a breakpoint cuts short."""
    debugger = app.debugger
    mark = debugger.breakpoints.add_hidden(path, line)
    try:
        debugger.send_breakpoints(mark)
        if mark.enabled and not mark.verified and mark.message:
            raise CommandError(mark.message)
        while debugger.go("stepOut"):
            stop = debugger.stop
            # In a deeper frame of a recursion: not ours.
            if stop is None or mark.id is None or stop.breakpoint_ids != [mark.id]:
                break
            if debugger.total_frames() <= depth:
                stop.reason = "step"  # asked for, and no breakpoint of the person's
                break
    finally:
        debugger.breakpoints.remove(mark)
        if debugger.state is not State.ENDED:
            debugger.send_breakpoints(mark)
    return debugger.state is State.STOPPED


@command("jump j", "j(ump) LINE", "go on at another line of this function, without running what is between")
def jump(app: App, argument: str) -> None:
    debugger = app.debugger
    line = app.number(argument, "a line")
    debugger.need_stop()
    if not debugger.capabilities.get("supportsGotoTargetsRequest"):
        raise CommandError("this debuggee cannot jump: its adapter does not offer it")
    source = debugger.frame(0).get("source") or {}
    targets = debugger.ask("gotoTargets", {"source": source, "line": line}).get("targets") or []
    if not targets:
        raise CommandError(f"line {line} cannot be jumped to from here")
    debugger.ask("goto", {"threadId": debugger.thread_id, "targetId": targets[0]["id"]})
    app.after_move(debugger.wait_for_goto())


@command("pause", "pause", "stop the program where it is; Ctrl-C does the same while it runs")
def pause(app: App, argument: str) -> None:
    app.after_move(app.debugger.pause())


@command(
    "restart run", "restart, run [ARG …]", "start the program again; breakpoints stay; with new arguments"
)
def restart(app: App, argument: str) -> None:
    debugger = app.debugger
    if argument:
        if not debugger.target.is_local:
            raise CommandError("only a program started here can be given arguments")
        try:
            debugger.target.arguments["args"] = shlex.split(argument)
        except ValueError as error:
            raise CommandError(str(error)) from error
    debugger.leave()
    app.begin()


@command("signal", "signal NAME", "send the program a signal, e.g. INT for what Ctrl-C is without a debugger")
def signal_(app: App, argument: str) -> None:
    import signal

    name = argument.upper().removeprefix("SIG")
    number = getattr(signal, f"SIG{name}", None)
    if not isinstance(number, signal.Signals):
        raise CommandError(f"there is no signal {argument!r}")
    app.debugger.kill_signal(number)


def _repeat(app: App, request: str, argument: str) -> None:
    debugger = app.debugger
    count = app.number(argument, "a count") if argument else 1
    if debugger.state is State.CONFIGURING:
        app.after_move(debugger.pause())  # the first step of an attached program is to its next line
        return
    debugger.need_stop()
    if request == "next" and not _back_to(app, debugger.frame_index):
        count = 0
    for _ in range(count):
        if not debugger.go(request):
            break
        if debugger.stop is not None and debugger.stop.reason != "step":
            break
    app.after_move(debugger.state is State.STOPPED)


def _back_to(app: App, frame_index: int) -> bool:
    """Run until the frame looked at is the newest: `next` after `up` is about the caller, as in pdb.

    Return whether nothing else has stopped the program on the way.
    """
    debugger = app.debugger
    for _ in range(frame_index):
        if not debugger.go("stepOut") or debugger.stop is None or debugger.stop.reason != "step":
            return False
    return True


@command("threads thread", "threads, thread N", "list the threads, or look at another one")
def threads(app: App, argument: str) -> None:
    debugger = app.debugger
    if argument:
        number = app.number(argument, "a thread's number")
        debugger.need_stop()
        if number not in [each["id"] for each in _threads(app)]:
            raise CommandError(f"there is no thread {number}")
        debugger.look_at_thread(number)
        debugger.told_thread_id = number
        report.say_place(debugger)
        return
    for each in _threads(app):
        mark = app.screen.style(">", "green", "bold") if each["id"] == debugger.thread_id else " "
        where = _where(app, each["id"])
        app.screen.say(f"{mark} {each['id']:<3} {app.screen.style(each['name'], 'bold')}  {where}".rstrip())


def _threads(app: App) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = app.debugger.ask("threads", {}).get("threads") or []
    return found


def _where(app: App, thread_id: int) -> str:
    debugger = app.debugger
    if debugger.state is not State.STOPPED or debugger.client is None:
        return ""
    try:
        arguments = {"threadId": thread_id, "startFrame": 0, "levels": _FRAMES_OF_A_WAIT}
        frames = debugger.client.request("stackTrace", arguments).get("stackFrames") or []
    except ClientError:
        return ""
    if not frames:
        return ""
    # Most threads wait, somewhere in a library; who waits there is the question.
    own = next((each for each in frames if each.get("presentationHint") != "subtle"), frames[0])
    inside = "" if own is frames[0] else f", in {frames[0].get('name', '?')}()"
    return report.place(debugger, own) + inside
