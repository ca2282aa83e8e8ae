"""`remora eval`: the value of an expression in a live program."""

from __future__ import annotations

from typing import Any

from remora.cli import live
from remora.cli.live import Live, Options, Output, Place
from remora.cli.options import UsageError, value_of
from remora.cli.snapshot import snapshots
from remora.cli.targets import target_of

HELP = """\
usage: remora eval [options] TARGET EXPRESSION

Evaluate an expression in a live program, which is not stopped for it: among the globals of its main
module, on a thread of its own. With --frame, where the program next comes to a line, with the variables
of that place. TARGET is a process id, the [HOST]:PORT of a program that listens, or the name of a script
or module that runs once.

  --frame FILE:LINE  evaluate there
  --for TIME         with --frame: give up after so many seconds (default 30)
  --json             one JSON object
  --no-redact        show secrets too (names like password, token, api_key; bearer tokens)
  --path-mapping LOCAL=REMOTE
                     the folder LOCAL here is REMOTE there; may be given more than once

A token is read from REMORA_TOKEN.
"""

FRAME_S = 30.0


def run(arguments: list[str]) -> int:
    """Run `remora eval`; return the exit code."""
    options = Options()
    place: Place | None = None

    def take(option: str, rest: list[str]) -> bool:
        nonlocal place
        if option == "--frame":
            place = Place(value_of(option, rest))
            return True
        return options.take(option, rest)

    words = live.parse("eval", arguments, HELP, [], take)
    if words is None:
        return 0
    if len(words) != 2:
        raise UsageError("eval: give TARGET EXPRESSION, in quotes; see remora eval --help")
    target = target_of(words[0])
    expression = words[1]

    def show() -> int:
        with Live(target, options, "eval") as session:
            if place is None:
                found = _now(session, expression, options)
            else:
                found = _at(session, place, expression, options)
        output = Output(options)
        if options.json:
            output.object("value", expression=expression, **found)
        else:
            output.say(found["value"])
        return 0

    return live.run(show)


def _now(session: Live, expression: str, options: Options) -> dict[str, Any]:
    body = session.ask(
        "evaluate", {"expression": expression, "context": "repl", "remoraRedact": options.redact}
    )
    return {"pid": session.pid, "value": body["result"], "valueType": body.get("type") or None}


def _at(session: Live, place: Place, expression: str, options: Options) -> dict[str, Any]:
    custom = {
        "watches": [expression],
        "onlyWatches": True,
        "limit": 1,
        "callRepr": True,
        "redact": options.redact,
    }
    breakpoint = {"mode": "snapshot", "remora": custom}
    options.seconds = options.seconds or FRAME_S
    for body in snapshots(session, [place], breakpoint, options, Output(options)):
        watch = body["watches"][0]
        if "error" in watch:
            raise live.Problem(watch["error"])
        return {
            "pid": session.pid,
            "threadId": body["threadId"],
            "thread": body["thread"],
            "value": watch["value"],
            "valueType": watch["type"] or None,
        }
    raise live.Problem(f"{place} was not reached in {options.seconds:g} s")
