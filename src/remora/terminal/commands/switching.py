"""Commands about threads and processes: list them, look at another one, let one go."""

from __future__ import annotations

from typing import Any

from remora.client import ClientError
from remora.terminal import report
from remora.terminal.commands import command
from remora.terminal.conversation import Conversation, number
from remora.terminal.process import CommandError, Process, State
from remora.terminal.processes import Follow

_FRAMES_OF_A_WAIT = 20


@command("threads thread", "threads, thread N", "list the threads, or look at another one")
def threads(app: Conversation, argument: str) -> None:
    process = app.process
    if argument:
        wanted = number(argument, "a thread's number")
        process.need_stop()
        if wanted not in [each["id"] for each in _threads(process)]:
            raise CommandError(f"there is no thread {wanted}")
        process.look_at_thread(wanted)
        process.told_thread_id = wanted
        report.say_place(app.debugger)
        return
    for each in _threads(process):
        mark = app.screen.style(">", "green", "bold") if each["id"] == process.thread_id else " "
        where = _where(app, process, each["id"])
        app.screen.say(f"{mark} {each['id']:<3} {app.screen.style(each['name'], 'bold')}  {where}".rstrip())


def _threads(process: Process) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = process.ask("threads", {}).get("threads") or []
    return found


def _where(app: Conversation, process: Process, thread_id: int) -> str:
    if process.state is not State.STOPPED or process.client is None:
        return ""
    try:
        arguments = {"threadId": thread_id, "startFrame": 0, "levels": _FRAMES_OF_A_WAIT}
        frames = process.client.request("stackTrace", arguments).get("stackFrames") or []
    except ClientError:
        return ""
    if not frames:
        return ""
    # Most threads wait, somewhere in a library; who waits there is the question.
    own = next((each for each in frames if each.get("presentationHint") != "subtle"), frames[0])
    inside = "" if own is frames[0] else f", in {frames[0].get('name', '?')}()"
    return report.place(app.debugger, own) + inside


@command(
    "processes process procs ps",
    "processes, process N",
    "list the processes: the program and its children; or look at another one",
)
def processes(app: Conversation, argument: str) -> None:
    debugger = app.debugger
    if not argument:
        list_processes(app)
        return
    process = _numbered(app, argument)
    debugger.processes.current = process
    app.list_from = None
    if process.state is State.STOPPED:
        app.after_move(True)
    else:
        debugger.processes.told = debugger.processes.chosen = process
        app.screen.say(f"Process {process.number} is running; `pause` stops it, `c` waits for a stop.")


def list_processes(app: Conversation) -> None:
    """Show all processes, each with its place if it has stopped."""
    debugger = app.debugger
    debugger.catch_up()
    shown = list(debugger.processes)
    names = max(len(each.name) for each in shown)
    for each in shown:
        mark = app.screen.style(">", "green", "bold") if each is app.process else " "
        pid = str(each.pid) if each.pid else "-"
        name = app.screen.style(each.name.ljust(names), "bold")
        state = _state(each)
        where = _where(app, each, each.thread_id)
        app.screen.say(f"{mark} {each.number:<3} {pid:>7}  {name}  {state:<8} {where}".rstrip())
        each.is_told = True


def _state(process: Process) -> str:
    match process.state:
        case State.ENDED:
            return "detached" if process.is_detached else "ended"
        case State.CONFIGURING if not process.is_root:
            return "starting"
    return str(process.state.value)


@command("detach", "detach [N]", "debug a process no more; it runs on")
def detach(app: Conversation, argument: str) -> None:
    _leave(app, app.debugger.detach, argument)


@command("kill", "kill [N]", "end a process")
def kill(app: Conversation, argument: str) -> None:
    _leave(app, app.debugger.kill, argument)


def _leave(app: Conversation, leave: Any, argument: str) -> None:
    before = app.process
    leave(_numbered(app, argument) if argument else before)
    now = app.process
    if now is not before and now.state is State.STOPPED:
        app.after_move(True)


@command(
    "set",
    "set follow run|stop|off",
    "children run with the breakpoints set; stop before their first line; or are not debugged",
)
def set_(app: Conversation, argument: str) -> None:
    words = argument.split()
    modes = {each.value: each for each in Follow}
    if words == ["follow"]:
        app.screen.say(f"follow is {app.debugger.follow.value}")
    elif len(words) == 2 and words[0] == "follow" and words[1] in modes:
        app.debugger.follow = modes[words[1]]
    else:
        raise CommandError("what can be set is: set follow run, set follow stop, set follow off")


def _numbered(app: Conversation, argument: str) -> Process:
    wanted = number(argument, "the number of a process")
    found = app.debugger.processes.get(wanted)
    if found is None or not found.is_alive:
        raise CommandError(f"there is no process {wanted}; `processes` lists them")
    return found
