"""Commands that say where the program shall stop: breakpoints, logpoints, exceptions."""

from __future__ import annotations

from typing import Any

from remora.terminal.breakpoints import Breakpoint
from remora.terminal.commands import command
from remora.terminal.conversation import Conversation, number
from remora.terminal.location import Location, find, split_condition
from remora.terminal.process import CommandError


@command(
    "break b",
    "b(reak) [[FILE:]LINE | FUNCTION [, CONDITION]]",
    "stop there, if the condition is true; without a place, list the breakpoints",
)
def break_(app: Conversation, argument: str) -> None:
    if argument:
        _add(app, argument, "Breakpoint")
    else:
        _list(app)


@command("tbreak", "tbreak [FILE:]LINE | FUNCTION [, CONDITION]", "stop there once")
def tbreak(app: Conversation, argument: str) -> None:
    _add(app, argument, "Temporary breakpoint", temporary=True)


@command(
    "log",
    "log [FILE:]LINE | FUNCTION MESSAGE",
    "write a message there and run on; {expressions} are filled in",
)
def log(app: Conversation, argument: str) -> None:
    where, _, message = argument.partition(" ")
    if not message.strip():
        raise CommandError("log needs a place and a message, e.g. log 12 total is {total}")
    _add(app, where, "Logpoint", log_message=message.strip())


def _add(app: Conversation, argument: str, kind: str, **wishes: Any) -> None:
    where, condition = split_condition(argument)
    if not where:
        raise CommandError("needs a place: a line, a file:line or a function")
    location: Location = find(app.debugger, where)
    made = app.debugger.breakpoints.add(
        location.path, location.line, function=location.function, condition=condition, **wishes
    )
    try:
        app.debugger.send_breakpoints(made)
    except CommandError:
        app.debugger.breakpoints.remove(made)
        raise
    if made.failed:
        app.debugger.breakpoints.remove(made)
        app.debugger.send_breakpoints(made)
        raise CommandError(made.message)
    app.screen.say(f"{kind} {made.number} at {made.where}")
    if made.message:
        app.screen.say(app.screen.style(f"  {made.message}", "yellow"))


def _list(app: Conversation) -> None:
    found = app.debugger.breakpoints.visible()
    if not found:
        app.screen.say("There are no breakpoints.")
        return
    app.screen.say(app.screen.style("Num Type        State    Where", "bold"))
    for each in found:
        kind = "logpoint" if each.log_message else "temporary" if each.temporary else "breakpoint"
        state = "disabled" if not each.enabled else "set" if each.verified else "pending"
        app.screen.say(f"{each.number:<3} {kind:<11} {state:<8} {each.where}")
        if each.condition:
            app.screen.say(f"\tstop only if {each.condition}")
        if each.ignore:
            app.screen.say(f"\tignore the next {each.ignore} hits")
        if each.log_message:
            app.screen.say(f"\tlog {each.log_message}")
        if each.hits:
            app.screen.say(f"\tstopped here {each.hits} time{'s' if each.hits != 1 else ''}")
        for line in each.commands:
            app.screen.say(f"\t  {line}")
        if each.message:
            app.screen.say(f"\t{each.message}")


@command("clear cl", "cl(ear) [NUMBER … | FILE:LINE]", "remove breakpoints, all of them without an argument")
def clear(app: Conversation, argument: str) -> None:
    if not argument:
        found = app.debugger.breakpoints.visible()
        if found and app.reader.interactive and not app.confirm("Clear all breakpoints?"):
            return
    elif ":" in argument:
        location = find(app.debugger, argument)
        found = [
            each
            for each in app.debugger.breakpoints.of_file(location.path)
            if location.line in (each.line, each.actual_line)
        ]
        if not found:
            raise CommandError(f"there is no breakpoint at {argument}")
    else:
        found = _numbered(app, argument)
    for each in found:
        app.debugger.breakpoints.remove(each)
    for one in {(each.path, bool(each.function)): each for each in found}.values():
        app.debugger.send_breakpoints(one)
    for each in found:
        app.screen.say(f"Deleted breakpoint {each.number} at {each.where}")


@command("enable", "enable NUMBER …", "let breakpoints stop again")
def enable(app: Conversation, argument: str) -> None:
    _switch(app, argument, wanted=True)


@command("disable", "disable NUMBER …", "keep breakpoints, but don't stop there")
def disable(app: Conversation, argument: str) -> None:
    _switch(app, argument, wanted=False)


def _switch(app: Conversation, argument: str, *, wanted: bool) -> None:
    for each in _numbered(app, argument):
        each.enabled = wanted
        app.debugger.send_breakpoints(each)
        app.screen.say(f"{'Enabled' if wanted else 'Disabled'} breakpoint {each.number} at {each.where}")


@command("condition", "condition NUMBER [EXPRESSION]", "stop there only if this is true; always, without one")
def condition(app: Conversation, argument: str) -> None:
    which, _, expression = argument.partition(" ")
    (each,) = _numbered(app, which)
    before, each.condition = each.condition, expression.strip()
    app.debugger.send_breakpoints(each)
    if each.failed:
        message, each.condition = each.message, before
        app.debugger.send_breakpoints(each)
        raise CommandError(message)
    if each.condition:
        app.screen.say(f"Breakpoint {each.number} stops if {each.condition}")
    else:
        app.screen.say(f"Breakpoint {each.number} stops always")
    if each.message:
        app.screen.say(app.screen.style(f"  {each.message}", "yellow"))


@command("ignore", "ignore NUMBER [COUNT]", "do not stop there the next COUNT times")
def ignore(app: Conversation, argument: str) -> None:
    which, _, count = argument.partition(" ")
    (each,) = _numbered(app, which)
    each.ignore = number(count, "a count", least=0) if count.strip() else 0
    app.debugger.send_breakpoints(each)
    app.screen.say(
        f"Will ignore the next {each.ignore} hits of breakpoint {each.number}"
        if each.ignore
        else f"Will stop at breakpoint {each.number} the next time"
    )


@command("commands", "commands [NUMBER]", "read commands, up to `end`, to be done whenever it stops there")
def commands(app: Conversation, argument: str) -> None:
    if argument:
        (each,) = _numbered(app, argument)
    elif found := app.debugger.breakpoints.visible():
        each = found[-1]
    else:
        raise CommandError("there are no breakpoints")
    lines: list[str] = []
    while True:
        try:
            line = app.reader.read("(com) ").strip()
        except (EOFError, KeyboardInterrupt):
            break
        if line == "end":
            break
        if line:
            lines.append(line)
    each.commands = lines


@command(
    "catch",
    "catch [FILTER [if CONDITION] | off]",
    "stop at exceptions: list the filters, switch one on, or all off",
)
def catch(app: Conversation, argument: str) -> None:
    debugger = app.debugger
    offered = debugger.filters.offered_by(debugger.root)
    filters = debugger.filters.chosen or {}
    if not argument:
        for name, each in offered.items():
            state = "on " if name in filters else "off"
            condition = f" if {filters[name]}" if filters.get(name) else ""
            app.screen.say(f"{state} {name:<15} {each.get('label', '')}{condition}")
        return
    word, _, rest = argument.partition(" ")
    if word in ("off", "none"):
        if rest.strip() and rest.strip() not in offered:
            raise CommandError(f"there is no filter {rest.strip()!r}; there are {', '.join(offered)}")
        filters = {n: c for n, c in filters.items() if rest.strip() and n != rest.strip()}
    elif word not in offered:
        raise CommandError(f"there is no filter {word!r}; there are {', '.join(offered)}")
    else:
        condition = rest.strip().removeprefix("if ").strip()
        if condition and not offered[word].get("supportsCondition"):
            raise CommandError(f"the filter {word} takes no condition")
        filters = {**filters, word: condition}
    before, debugger.filters.chosen = debugger.filters.chosen, filters
    try:
        debugger.send_filters()
    except CommandError:
        debugger.filters.chosen = before
        raise
    app.screen.say(f"Stops at exceptions: {', '.join(filters) or 'none'}")


def _numbered(app: Conversation, argument: str) -> list[Breakpoint]:
    found = []
    for word in argument.replace(",", " ").split():
        wanted = number(word, "a breakpoint's number")
        each = app.debugger.breakpoints.get(wanted)
        if each is None:
            raise CommandError(f"there is no breakpoint {wanted}")
        found.append(each)
    if not found:
        raise CommandError("needs the number of a breakpoint; `b` lists them")
    return found
