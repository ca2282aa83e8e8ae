"""How things look: a place, a stop, a stack, a piece of source. Texts out, nothing done."""

from __future__ import annotations

import os
from typing import Any

from remora.terminal.breakpoints import Breakpoint
from remora.terminal.debugger import Debugger
from remora.terminal.process import CommandError

Body = dict[str, Any]

_REASONS = {
    "pause": "Paused.",
    "exception": "",  # said with the exception
    "entry": "",
    "step": "",
    "goto": "",
}


def place(debugger: Debugger, frame: Body) -> str:
    """Return `> path(line)function()` for a frame, as pdb writes it."""
    style = debugger.screen.style
    source = frame.get("source") or {}
    path = source.get("path") or source.get("name") or "<unknown>"
    folder, name = os.path.split(path)
    shown = (style(folder + "/", "dim") if folder else "") + style(name, "cyan")
    call = frame.get("name", "")
    brackets = "" if call.startswith("<") else "()"
    return f"{shown}({style(str(frame.get('line', 0)), 'yellow')}){style(call, 'bold')}{brackets}"


def current_line(debugger: Debugger, frame: Body) -> str | None:
    """Return `-> source line`, None where there is no source."""
    file = debugger.process.source(frame)
    if file is None:
        return None
    text = file.shown(frame.get("line", 0), color=debugger.screen.color).strip()
    return f"{debugger.screen.style('->', 'green', 'bold')} {text}"


def say_place(debugger: Debugger) -> None:
    """Show the frame looked at."""
    frame = debugger.process.frame()
    debugger.screen.say("> " + place(debugger, frame))
    line = current_line(debugger, frame)
    if line is not None:
        debugger.screen.say(line)


def say_stop(debugger: Debugger, hit: list[Breakpoint]) -> None:
    """Show why and where the program has stopped; `hit` are the person's breakpoints that did it."""
    process = debugger.process
    stop = process.stop
    if stop is None:
        return
    say, style = debugger.screen.say, debugger.screen.style
    if process.thread_id != process.told_thread_id:
        process.told_thread_id = process.thread_id
        say(f"Thread {process.thread_id}, {style(thread_name(debugger), 'bold')}:")
    if stop.reason == "exception":
        say(style(exception_text(debugger, with_fate=True), "red"))
    elif hit:
        say(style(f"Breakpoint {', '.join(str(each.number) for each in hit)}.", "bold"))
    elif stop.reason == "breakpoint":
        say(style("Breakpoint in the program.", "bold"))
    elif reason := _REASONS.get(stop.reason, f"Stopped: {stop.reason}."):
        say(style(reason, "bold"))
    # An error in a condition, say; the description only repeats the reason.
    if stop.reason != "exception" and (text := stop.body.get("text")):
        say(style(str(text), "yellow"))
    say_place(debugger)
    for name, value in return_values(debugger):
        say(f"{style(name, 'dim')} = {value}")


def thread_name(debugger: Debugger) -> str:
    """Return the name of the thread looked at."""
    process = debugger.process
    threads = process.ask("threads", {}).get("threads") or []
    return next((str(each["name"]) for each in threads if each["id"] == process.thread_id), "?")


def exception_text(debugger: Debugger, *, with_fate: bool = False) -> str:
    """Return what the exception of this stop says: `ValueError: no good`, or `Uncaught ValueError: …`."""
    process = debugger.process
    stop = process.stop
    if stop is None or stop.reason != "exception":
        raise CommandError("the program has not stopped at an exception")
    if process.capabilities.get("supportsExceptionInfoRequest"):
        try:
            body = process.ask("exceptionInfo", {"threadId": process.thread_id})
        except CommandError:
            body = {}
        name, text = body.get("exceptionId", ""), body.get("description") or ""
        if name:
            said = text if text.startswith(name) else f"{name}: {text}" if text else name
            return f"Uncaught {said}" if with_fate and body.get("breakMode") == "unhandled" else said
    return stop.text or "Exception."


def return_values(debugger: Debugger) -> list[tuple[str, str]]:
    """Return what the function that was just left gave back: (name, text) pairs, mostly none."""
    process = debugger.process
    frame = process.frame(0)
    if process.stop is None or process.stop.reason not in ("step", "pause"):
        return []
    for scope in process.ask("scopes", {"frameId": frame["id"]}).get("scopes") or []:
        if scope.get("presentationHint") == "returnValue":
            body = process.ask("variables", {"variablesReference": scope["variablesReference"]})
            return [(each["name"], each["value"]) for each in body.get("variables") or []]
    return []


def say_stack(debugger: Debugger, limit: int = 0) -> None:
    """Show the stack, the oldest frame first, as pdb does; `limit` > 0 shows only the newest ones."""
    say, style = debugger.screen.say, debugger.screen.style
    process = debugger.process
    frames = process.frames()
    frames = frames[: len(frames) - process.below_the_program()]
    shown = frames[:limit] if limit > 0 else frames
    if len(shown) < len(frames):
        say(style(f"  … {len(frames) - len(shown)} older", "dim"))
    for index in range(len(shown) - 1, -1, -1):
        mark = style(">", "green", "bold") if index == process.frame_index else " "
        say(f"{mark} {place(debugger, shown[index])}")
        line = current_line(debugger, shown[index])
        if line is not None:
            say("  " + line)


def say_source(debugger: Debugger, frame: Body, first: int, last: int) -> int:
    """Show lines of a frame's source, marked as pdb marks them; return the last line shown."""
    file = debugger.process.source(frame)
    if file is None:
        raise CommandError(f"there is no source for {(frame.get('source') or {}).get('name', 'this frame')}")
    style = debugger.screen.style
    path = (frame.get("source") or {}).get("path", "")
    enabled = {each.actual_line for each in debugger.breakpoints.of_file(path) if each.enabled}
    disabled = {each.actual_line for each in debugger.breakpoints.of_file(path) if not each.enabled}
    count = len(file.lines) - (1 if file.lines and not file.lines[-1] else 0)
    first, last = max(first, 1), min(last, count)
    if first > count:
        raise CommandError("there are no more lines")
    for number in range(first, last + 1):
        mark = style("B", "red", "bold") if number in enabled else "b" if number in disabled else " "
        arrow = style("->", "green", "bold") if number == frame.get("line") else "  "
        text = file.shown(number, color=debugger.screen.color)
        debugger.screen.say(f"{style(f'{number:4}', 'dim')} {mark}{arrow} {text}".rstrip())
    return last
