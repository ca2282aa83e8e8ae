"""`remora log`: messages from a line of a live program."""

from __future__ import annotations

from typing import Any

from remora.cli import live
from remora.cli.live import Live, Options, Output, Place
from remora.cli.options import UsageError, value_of
from remora.cli.targets import target_of

HELP = """\
usage: remora log [options] TARGET FILE:LINE 'text {expression}'

Each time a live program comes to this line, write a message; {...} holds expressions as in an f-string.
The program is not stopped. TARGET is a process id, the [HOST]:PORT of a program that listens, or the
name of a script or module that runs once.

  --condition EXPRESSION  only if this is true
  --hit-condition HITS    only the hits that fit: 3, >= 10, % 100
  --limit N               end after N messages
  --rate N[/s|/m|/h]      at most so many (default 100/s); what is more is left out and counted; `none`
  --for TIME              end after so many seconds (or 5m, 2h)
  --json                  one JSON object a line
  --no-redact             show secrets too (names like password, token, api_key; bearer tokens)
  --path-mapping LOCAL=REMOTE
                          the folder LOCAL here is REMOTE there; may be given more than once

Ctrl-C ends it; nothing is left in the program. A token is read from REMORA_TOKEN.
"""

DEFAULT_RATE = {"count": 100, "seconds": 1}


def run(arguments: list[str]) -> int:
    """Run `remora log`; return the exit code."""
    options = Options()
    breakpoint: dict[str, Any] = {"mode": "log"}
    custom: dict[str, Any] = {"rate": DEFAULT_RATE}

    def take(option: str, rest: list[str]) -> bool:
        match option:
            case "--condition":
                breakpoint["condition"] = value_of(option, rest)
            case "--hit-condition":
                breakpoint["hitCondition"] = value_of(option, rest)
            case "--limit":
                custom["limit"] = live.count_of(value_of(option, rest), option)
            case "--rate":
                custom["rate"] = live.rate_of(value_of(option, rest), option)
            case _:
                return options.take(option, rest)
        return True

    words = live.parse("log", arguments, HELP, [], take)
    if words is None:
        return 0
    if len(words) != 3:
        raise UsageError("log: give TARGET FILE:LINE 'text {expression}'; see remora log --help")
    target, place = target_of(words[0]), Place(words[1])
    breakpoint["logMessage"] = words[2]
    breakpoint["remora"] = {**custom, "redact": options.redact}
    return live.run(
        lambda: _log(Live(target, options, "log"), place, breakpoint, options, custom.get("limit"))
    )


def _log(session: Live, place: Place, breakpoint: dict[str, Any], options: Options, limit: int | None) -> int:
    output = Output(options)
    count = 0
    reason = "time"
    with session:
        session.place([place], lambda place: breakpoint)
        for name, body in session.until(options.seconds):
            if name == "remoraLog":
                for entry in body["entries"]:
                    _tell(output, session, body, entry)
                count += len(body["entries"])
                if limit is not None and count >= limit:
                    reason = "limit"
                    break
            elif name == "remoraLeftOut":
                tell_left_out(output, session, body)
            elif name == "breakpoint":
                tell_change(place, body)
            elif name == "end":
                reason = "programEnded"
                if body["why"]:
                    raise live.Problem(f"the connection is lost: {body['why']}")
                live.note("the program has ended")
    for name, body in session.rest():
        if name == "remoraLeftOut":
            tell_left_out(output, session, body)
    if options.json:
        output.object("end", reason=reason, count=count)
    return 0


def _tell(output: Output, session: Live, body: dict[str, Any], entry: dict[str, Any]) -> None:
    if output.json:
        output.object(
            "log",
            time=entry["time"],
            pid=session.pid,
            threadId=entry["threadId"],
            thread=entry["thread"],
            file=body["source"]["path"],
            line=body["line"],
            text=entry["text"],
        )
    else:
        output.say(f"{live.clock_time(entry['time'])} {entry['text']}")


def tell_left_out(output: Output, session: Live, body: dict[str, Any]) -> None:
    """Say how much the rate has cost."""
    if output.json:
        output.object(
            "leftOut",
            pid=session.pid,
            file=body["source"]["path"],
            line=body["line"],
            count=body["count"],
            more=body["more"],
        )
    else:
        much = f"more than {body['count']:,}" if body["more"] else f"{body['count']:,}"
        live.note(f"{much} left out (--rate)")


def tell_change(place: Place, body: dict[str, Any]) -> None:
    """Say what has become of the place; an error in a condition comes as a message by itself."""
    made = body.get("breakpoint") or {}
    if not made.get("verified"):
        if made.get("reason") == "failed":
            raise live.Problem(f"{place}: {made.get('message')}")
        live.note(f"{place}: {made.get('message')}")
