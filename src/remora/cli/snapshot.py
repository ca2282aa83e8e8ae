"""`remora snapshot`: the variables and the stack at a line of a live program."""

from __future__ import annotations

from typing import Any

from remora.cli import live
from remora.cli.live import Live, Options, Output, Place
from remora.cli.log import tell_change, tell_left_out
from remora.cli.options import UsageError, value_of
from remora.cli.targets import target_of

HELP = """\
usage: remora snapshot [options] TARGET FILE:LINE...

When a live program comes to one of these lines, show its local variables and its stack. The program is
not stopped, and none of its code is run for it. TARGET is a process id, the [HOST]:PORT of a program
that listens, or the name of a script or module that runs once.

  --count N               so many snapshots (default 1)
  --depth D               how deep to go into containers and objects (default 2)
  --all-frames            the variables of the callers too
  --watch EXPRESSION      evaluate this there, too; may be given more than once
  --repr                  ask objects for their own repr(); this runs code of the program
  --condition EXPRESSION  only if this is true
  --hit-condition HITS    only the hits that fit: 3, >= 10, % 100
  --rate N[/s|/m|/h]      at most so many (default 10/s)
  --for TIME              give up after so many seconds (or 5m, 2h)
  --json                  one JSON object a line
  --no-redact             show secrets too (names like password, token, api_key; bearer tokens)
  --path-mapping LOCAL=REMOTE
                          the folder LOCAL here is REMOTE there; may be given more than once

Ctrl-C ends it; nothing is left in the program. A token is read from REMORA_TOKEN.
"""


def run(arguments: list[str]) -> int:
    """Run `remora snapshot`; return the exit code."""
    options = Options()
    breakpoint: dict[str, Any] = {"mode": "snapshot"}
    custom: dict[str, Any] = {}
    count = 1

    def take(option: str, rest: list[str]) -> bool:
        nonlocal count
        match option:
            case "--count":
                count = live.count_of(value_of(option, rest), option)
            case "--depth":
                custom["depth"] = live.count_of(value_of(option, rest), option, 0)
            case "--all-frames":
                custom["allFrames"] = True
            case "--watch":
                custom.setdefault("watches", []).append(value_of(option, rest))
            case "--repr":
                custom["callRepr"] = True
            case "--condition":
                breakpoint["condition"] = value_of(option, rest)
            case "--hit-condition":
                breakpoint["hitCondition"] = value_of(option, rest)
            case "--rate":
                custom["rate"] = live.rate_of(value_of(option, rest), option)
            case _:
                return options.take(option, rest)
        return True

    words = live.parse("snapshot", arguments, HELP, ["--all-frames", "--repr"], take)
    if words is None:
        return 0
    if len(words) < 2:
        raise UsageError("snapshot: give TARGET FILE:LINE; see remora snapshot --help")
    target, places = target_of(words[0]), [Place(word) for word in words[1:]]
    breakpoint["remora"] = {**custom, "limit": count, "redact": options.redact}
    return live.run(lambda: _snapshot(Live(target, options, "snapshot"), places, breakpoint, options, count))


def _snapshot(
    session: Live, places: list[Place], breakpoint: dict[str, Any], options: Options, count: int
) -> int:
    output = Output(options)
    got = 0
    reason = "time"
    with session:
        for body in snapshots(session, places, breakpoint, options, output):
            tell(output, session, body)
            got += 1
            if got >= count:
                reason = "limit"
                break
    if options.json:
        output.object("end", reason=reason, count=got)
    if not got:
        where = " or ".join(map(str, places))
        raise live.Problem(
            f"{where} was not reached" + (f" in {options.seconds:g} s" if options.seconds else "")
        )
    return 0


def snapshots(
    session: Live, places: list[Place], breakpoint: dict[str, Any], options: Options, output: Output
) -> Any:
    """Yield snapshots as they come, until the time is over or the program."""
    session.place(places, lambda place: breakpoint)
    for name, body in session.until(options.seconds):
        if name == "remoraSnapshot":
            yield body
        elif name == "remoraLog":  # an error in the condition
            for entry in body["entries"]:
                live.note(entry["text"])
        elif name == "remoraLeftOut":
            tell_left_out(output, session, body)
        elif name == "breakpoint":
            tell_change(places[0], body)
        elif name == "end":
            if body["why"]:
                raise live.Problem(f"the connection is lost: {body['why']}")
            live.note("the program has ended")


def tell(output: Output, session: Live, body: dict[str, Any]) -> None:
    """Write one snapshot."""
    if output.json:
        output.object(
            "snapshot",
            time=body["time"],
            pid=session.pid,
            threadId=body["threadId"],
            thread=body["thread"],
            watches=body.get("watches"),
            frames=[json_frame(frame) for frame in body["frames"]],
            cut=body.get("cut"),
            moreFrames=body.get("moreFrames"),
        )
        return
    top = body["frames"][0] if body["frames"] else None
    where = f"{place_of(top)} in {top['name']}" if top else "?"
    output.say(f"{live.clock_time(body['time'])} {where} [{body['thread']}]")
    for watch in body.get("watches") or ():
        output.say(f"  {watch['name']} = {watch.get('value', watch.get('error'))}")
    for number, frame in enumerate(without_foundation(body["frames"])):
        if number:
            output.say(f"  called from {place_of(frame)} in {frame['name']}")
        for variable in frame.get("variables") or ():
            indent = "    " if number else "  "
            output.say(f"{indent}{variable['name']} = {variable['value']}")
    if body.get("moreFrames"):
        output.say("  …")
    if body.get("cut"):
        output.say("  (not everything is shown)")


def json_frame(frame: dict[str, Any]) -> dict[str, Any]:
    """Make the object of a frame."""
    made = {
        "function": frame["name"],
        "module": frame["module"],
        "file": frame["source"].get("path") or frame["source"]["name"],
        "line": frame["line"],
        "userCode": frame["userCode"],
    }
    if "variables" in frame:
        made["variables"] = frame["variables"]
    return made


def without_foundation(frames: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out what has called the program's first frame: how threads begin tells nobody anything."""
    last = max((number for number, frame in enumerate(frames) if frame["userCode"]), default=len(frames))
    return frames[: last + 1]


def place_of(frame: dict[str, Any]) -> str:
    """Write where a frame is."""
    path = frame["source"].get("path")
    return f"{live.shown_path(path) if path else frame['source']['name']}:{frame['line']}"
