"""Commands about values: evaluate, print, watch, and Python itself."""

from __future__ import annotations

import ast
import codeop

from remora.terminal import report
from remora.terminal.commands import command
from remora.terminal.conversation import Conversation
from remora.terminal.process import CommandError

_TYPED = '  File "<evaluate>"'
# What a display cannot be shown for: its names are those of another function.
_ELSEWHERE = ("** NameError: ", "** UnboundLocalError: ")


def run_python(app: Conversation, code: str) -> None:
    """Run an expression or a statement in the frame looked at, and show what comes out."""
    body = app.process.evaluate(code)
    if text := str(body.get("result", "")):
        app.screen.say(text)


def without_trace(error: str) -> str:
    """Return only the last line of a traceback that has nothing but what was typed, as pdb shows it."""
    lines = error.rstrip("\n").split("\n")
    if lines[0].startswith(_TYPED):
        return lines[-1]  # a SyntaxError
    files = [line for line in lines if line.startswith("  File ")]
    if not lines[0].startswith("Traceback ") or len(files) != 1 or not files[0].startswith(_TYPED):
        return error
    return "\n".join(lines[next(i for i, each in enumerate(lines) if i and not each.startswith(" ")) :])


@command("print p", "p EXPRESSION", "evaluate and show")
def p(app: Conversation, argument: str) -> None:
    app.screen.say(str(app.process.evaluate(_needed(argument), "watch").get("result", "")))


@command("pp", "pp EXPRESSION", "evaluate and show, laid out over lines")
def pp(app: Conversation, argument: str) -> None:
    question = f"__import__('pprint').pformat({_needed(argument)})"
    result = str(app.process.evaluate(question, "clipboard").get("result", ""))
    try:
        app.screen.say(str(ast.literal_eval(result)))
    except (ValueError, SyntaxError):
        app.screen.say(result)


@command("whatis", "whatis EXPRESSION", "show what kind of thing it is")
def whatis(app: Conversation, argument: str) -> None:
    body = app.process.evaluate(_needed(argument), "watch")
    app.screen.say(str(body.get("type") or app.process.evaluate(f"type({argument})", "watch").get("result")))


@command("display", "display [EXPRESSION]", "show it at every stop when it has changed; list these")
def display(app: Conversation, argument: str) -> None:
    if not argument:
        for expression in app.debugger.displays:
            app.screen.say(f"display {expression}: {app.process.displayed.get(expression)}")
        return
    value = _display_value(app, argument)
    if argument not in app.debugger.displays:
        app.debugger.displays.append(argument)
    app.process.displayed[argument] = value
    app.screen.say(f"display {argument}: {value}")


@command("undisplay", "undisplay [EXPRESSION]", "show it no more; nothing any more")
def undisplay(app: Conversation, argument: str) -> None:
    if not argument:
        app.debugger.displays.clear()
    elif argument in app.debugger.displays:
        app.debugger.displays.remove(argument)
    else:
        raise CommandError(f"{argument} is not displayed")


def say_displays(app: Conversation) -> None:
    """Show the displayed expressions that have changed since the last stop of this process."""
    known = app.process.displayed
    for expression in list(app.debugger.displays):
        value, before = _display_value(app, expression), known.get(expression)
        if value != before and not value.startswith(_ELSEWHERE):
            known[expression] = value
            old = "" if before is None or before.startswith(_ELSEWHERE) else f"  [old: {before}]"
            app.screen.say(f"display {expression}: {value}{old}")


def _display_value(app: Conversation, expression: str) -> str:
    try:
        return str(app.process.evaluate(expression, "watch").get("result", ""))
    except CommandError as error:
        return f"** {error} **"


@command("retval rv", "retval", "show what the last function that was left gave back")
def retval(app: Conversation, argument: str) -> None:
    found = report.return_values(app.debugger)
    if not found:
        raise CommandError("no function has just returned")
    for name, value in found:
        app.screen.say(f"{name} = {value}")


@command("exception exc", "exc(eption)", "show the exception of this stop with its traceback")
def exception(app: Conversation, argument: str) -> None:
    text = report.exception_text(app.debugger)
    body = app.process.ask("exceptionInfo", {"threadId": app.process.thread_id})
    trace = (body.get("details") or {}).get("stackTrace")
    app.screen.say(str(trace).rstrip("\n") if trace else text)


@command("interact", "interact", "a Python prompt in this frame; Ctrl-D or exit() leaves it")
def interact(app: Conversation, argument: str) -> None:
    app.process.need_stop()
    if app.reader.interactive:
        app.screen.say("Python in this frame; Ctrl-D or exit() goes back to the debugger.")
    lines: list[str] = []
    while True:
        try:
            line = app.reader.read("... " if lines else ">>> ", app.completer.complete_python)
        except EOFError:
            app.screen.say()
            return
        except KeyboardInterrupt:
            lines.clear()
            app.screen.say("KeyboardInterrupt")
            continue
        if not lines and line.strip() in ("exit()", "quit()", "exit", "quit"):
            return
        lines.append(line)
        if _is_complete("\n".join(lines)):
            code = "\n".join(lines)
            lines.clear()
            if code.strip():
                try:
                    run_python(app, code)
                except CommandError as error:
                    app.screen.say(app.screen.style(str(error), "red"))


def _is_complete(code: str) -> bool:
    """Tell whether code can be run; code that is wrong can, to be told why."""
    compiler = codeop.CommandCompiler()
    compiler.compiler.flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    try:
        return not code.strip() or compiler(code) is not None
    except (SyntaxError, ValueError, OverflowError):
        return True


def _needed(argument: str) -> str:
    if not argument:
        raise CommandError("needs an expression")
    return argument
