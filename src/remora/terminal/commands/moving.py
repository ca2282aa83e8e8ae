"""Commands that let the program go on."""

from __future__ import annotations

import shlex

from remora.terminal.commands import command
from remora.terminal.conversation import Conversation, number
from remora.terminal.process import CommandError, State


@command("step s", "s(tep) [COUNT]", "run to the next line, into functions that are called", repeats=True)
def step(app: Conversation, argument: str) -> None:
    _repeat(app, "stepIn", argument)


@command("next n", "n(ext) [COUNT]", "run to the next line of this function", repeats=True)
def next_(app: Conversation, argument: str) -> None:
    _repeat(app, "next", argument)


@command("return r", "r(eturn)", "run until this function has returned", repeats=True)
def return_(app: Conversation, argument: str) -> None:
    process = app.process
    process.need_stop()
    if _back_to(app, process.frame_index):
        app.moves.go("stepOut")
    _after(app)


@command(
    "continue c cont",
    "c(ontinue) [all]",
    "run until a breakpoint, an exception or Ctrl-C; `all` lets all processes go on",
    repeats=True,
)
def continue_(app: Conversation, argument: str) -> None:
    _nothing_but_all(argument)
    app.after_move(app.moves.go_all() if argument else app.moves.go("continue"))


@command(
    "until unt",
    "unt(il) [LINE]",
    "run to a line below this one (out of a loop), or to LINE, in this function",
    repeats=True,
)
def until(app: Conversation, argument: str) -> None:
    process = app.process
    process.need_stop()
    if process.frame_index and not _back_to(app, process.frame_index):
        _after(app)
        return
    here, depth = process.frame(0), process.total_frames()
    path = (here.get("source") or {}).get("path", "")
    line = here["line"]
    if argument:
        target = number(argument, "a line")
        if target <= line:
            raise CommandError(f"line {target} is not below line {line}, where the program is")
        _run_to(app, path, target, depth)
    else:
        while _step(app, "next"):
            if process.frame(0)["line"] > line or process.total_frames() != depth:
                break
    _after(app)


def _run_to(app: Conversation, path: str, line: int, depth: int) -> None:
    """Run to a line of this very frame, or until it returns: a step out that a breakpoint cuts short."""
    debugger, process = app.debugger, app.process
    mark = debugger.breakpoints.add_hidden(path, line, process)
    try:
        debugger.send_breakpoints(mark)
        if not mark.verified and mark.message:
            raise CommandError(mark.message)
        while app.moves.go("stepOut") and app.process is process:
            stop = process.stop
            # In a deeper frame of a recursion: not ours.
            if stop is None or mark.id_in(process) is None or stop.breakpoint_ids != [mark.id_in(process)]:
                break
            if process.total_frames() <= depth:
                stop.reason = "step"  # asked for, and no breakpoint of the person's
                break
    finally:
        debugger.breakpoints.remove(mark)
        debugger.send_breakpoints(mark)


@command("jump j", "j(ump) LINE", "go on at another line of this function, without running what is between")
def jump(app: Conversation, argument: str) -> None:
    process = app.process
    line = number(argument, "a line")
    process.need_stop()
    if not process.capabilities.get("supportsGotoTargetsRequest"):
        raise CommandError("this debuggee cannot jump: its adapter does not offer it")
    source = process.frame(0).get("source") or {}
    targets = process.ask("gotoTargets", {"source": source, "line": line}).get("targets") or []
    if not targets:
        raise CommandError(f"line {line} cannot be jumped to from here")
    process.ask("goto", {"threadId": process.thread_id, "targetId": targets[0]["id"]})
    app.after_move(app.moves.wait_for_goto())


@command(
    "pause",
    "pause [all]",
    "stop the program where it is, or all processes; Ctrl-C stops one that runs, too",
)
def pause(app: Conversation, argument: str) -> None:
    _nothing_but_all(argument)
    if not argument:
        app.after_move(app.moves.pause())
        return
    from remora.terminal.commands.switching import list_processes

    app.moves.pause_all()
    list_processes(app)


@command(
    "restart run", "restart, run [ARG …]", "start the program again; breakpoints stay; with new arguments"
)
def restart(app: Conversation, argument: str) -> None:
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
def signal_(app: Conversation, argument: str) -> None:
    import signal

    name = argument.upper().removeprefix("SIG")
    found = getattr(signal, f"SIG{name}", None)
    if not isinstance(found, signal.Signals):
        raise CommandError(f"there is no signal {argument!r}")
    app.debugger.kill_signal(found)


def _repeat(app: Conversation, request: str, argument: str) -> None:
    process = app.process
    count = number(argument, "a count") if argument else 1
    if process.state is State.CONFIGURING:
        app.after_move(app.moves.pause())  # the first step of an attached program is to its next line
        return
    process.need_stop()
    if request == "next" and not _back_to(app, process.frame_index):
        count = 0
    for _ in range(count):
        if not _step(app, request):
            break
    _after(app)


def _step(app: Conversation, request: str) -> bool:
    """Do one step; return whether it has come to its end, and nothing else has stopped the program."""
    process = app.process
    stopped = app.moves.go(request) and app.process is process
    return stopped and process.stop is not None and process.stop.reason == "step"


def _back_to(app: Conversation, frame_index: int) -> bool:
    """Run until the frame looked at is the newest: `next` after `up` is about the caller, as in pdb.

    Return whether nothing else has stopped the program on the way.
    """
    return all(_step(app, "stepOut") for _ in range(frame_index))


def _after(app: Conversation) -> None:
    app.after_move(app.process.state is State.STOPPED)


def _nothing_but_all(argument: str) -> None:
    if argument not in ("", "all"):
        raise CommandError(f"{argument!r} is not `all`")
