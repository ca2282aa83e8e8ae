"""Commands that show where the program is: stack and source."""

from __future__ import annotations

import ast

from remora.terminal import report
from remora.terminal.commands import command
from remora.terminal.conversation import Conversation, number
from remora.terminal.process import CommandError

_LINES = 11  # as pdb


@command("where w bt", "w(here), bt [COUNT]", "show the stack, the newest frame last; only the COUNT newest")
def where(app: Conversation, argument: str) -> None:
    report.say_stack(app.debugger, number(argument, "a count") if argument else 0)


@command("up u", "u(p) [COUNT]", "look at the caller", repeats=True)
def up(app: Conversation, argument: str) -> None:
    _go(app, number(argument, "a count") if argument else 1)


@command("down d", "d(own) [COUNT]", "look at the function called", repeats=True)
def down(app: Conversation, argument: str) -> None:
    _go(app, -(number(argument, "a count") if argument else 1))


def _go(app: Conversation, by: int) -> None:
    process = app.process
    total = process.total_frames()
    if by > 0 and process.frame_index == total - 1:
        raise CommandError("this is the oldest frame")
    if by < 0 and process.frame_index == 0:
        raise CommandError("this is the newest frame")
    index = min(max(process.frame_index + by, 0), total - 1)
    if by > 0 and process.frame(index).get("presentationHint") == "subtle":
        # Perhaps below the program; that is worth reading the whole stack for.
        index = min(index, total - process.below_the_program() - 1)
        if index <= process.frame_index:
            raise CommandError("this is the oldest frame")
    process.frame(index)
    process.frame_index = index
    app.list_from = None
    report.say_place(app.debugger)


@command(
    "list l",
    "l(ist) [FIRST[, LAST] | .]",
    "show source: here, then on; lines; `.` begins here again",
    repeats=True,
)
def list_(app: Conversation, argument: str) -> None:
    frame = app.process.frame()
    if argument == "." or (not argument and app.list_from is None):
        first = max(frame["line"] - _LINES // 2, 1)
        last = first + _LINES - 1
    elif not argument:
        first = app.list_from or 1
        last = first + _LINES - 1
    else:
        head, comma, tail = argument.replace(" ", ",", 1).partition(",")
        first = number(head, "a line")
        if comma:
            last = number(tail.strip(", "), "a line")
            if last < first:
                last = first + last  # a count, as pdb has it
        else:
            first = max(first - _LINES // 2, 1)
            last = first + _LINES - 1
    app.list_from = report.say_source(app.debugger, frame, first, last) + 1


@command("longlist ll", "ll, longlist", "show the source of this function, or of the whole file")
def longlist(app: Conversation, argument: str) -> None:
    frame = app.process.frame()
    file = app.process.source(frame)
    if file is None:
        raise CommandError("there is no source for this frame")
    block = file.block_around(frame["line"])
    report.say_source(app.debugger, frame, block.first, block.last)


@command("source", "source EXPRESSION", "show the source of a function, class or module")
def source(app: Conversation, argument: str) -> None:
    if not argument:
        raise CommandError("needs the name of a function, class or module")
    question = f"__import__('inspect').getsource({argument})"
    result = str(app.process.evaluate(question, "clipboard").get("result", ""))
    try:
        text = ast.literal_eval(result)
    except (ValueError, SyntaxError):
        text = result
    for line in str(text).rstrip("\n").split("\n"):
        app.screen.say(line)


@command("args a", "a(rgs)", "show the arguments of this function")
def args(app: Conversation, argument: str) -> None:
    process = app.process
    frame = process.frame()
    scopes = process.ask("scopes", {"frameId": frame["id"]}).get("scopes") or []
    chosen = [s for s in scopes if s.get("presentationHint") == "arguments"]
    file = process.source(frame)
    block = file.block_around(frame["line"]) if file is not None else None
    if not chosen:
        if block is None or not block.name:
            raise CommandError("this is no function, or its source is not known; try `p locals()`")
        chosen = scopes[:1]
    for scope in chosen:
        body = process.ask("variables", {"variablesReference": scope["variablesReference"]})
        for each in body.get("variables") or []:
            if (
                block is None
                or each["name"] in block.arguments
                or scope.get("presentationHint") == "arguments"
            ):
                app.screen.say(f"{app.screen.style(each['name'], 'cyan')} = {each['value']}")
