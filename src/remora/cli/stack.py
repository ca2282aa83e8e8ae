"""`remora stack`: where every thread and every asyncio task of a live program is."""

from __future__ import annotations

import linecache
from typing import Any

from remora.cli import live
from remora.cli.live import Live, Options, Output
from remora.cli.options import UsageError
from remora.cli.snapshot import json_frame, place_of, without_foundation
from remora.cli.targets import ProcessTarget, Target, target_of
from remora.inject import outside, processes
from remora.inject.failures import DapError

HELP = """\
usage: remora stack [options] TARGET

Show where every thread of a live program is, and every asyncio task with what it awaits; innermost frame
first. The program is not stopped. TARGET is a process id, the [HOST]:PORT of a program that listens, or
the name of a script or module that runs once.

  --locals      the variables of the program's own frames, too
  --repr        ask objects for their own repr(); this runs code of the program
  --json        one JSON object a line: one for each thread and task
  --no-redact   show secrets too (names like password, token, api_key; bearer tokens)

A token is read from REMORA_TOKEN.
"""


def run(arguments: list[str]) -> int:
    """Run `remora stack`; return the exit code."""
    options = Options()
    asked = {"locals": False, "callRepr": False}

    def take(option: str, rest: list[str]) -> bool:
        match option:
            case "--locals":
                asked["locals"] = True
            case "--repr":
                asked["callRepr"] = True
            case _:
                return options.take(option, rest)
        return True

    words = live.parse("stack", arguments, HELP, ["--locals", "--repr"], take)
    if words is None:
        return 0
    if len(words) != 1:
        raise UsageError("stack: give one TARGET; see remora stack --help")
    target = target_of(words[0])

    def show() -> int:
        # From outside it is there at once, whatever the program does; only values need somebody inside.
        body = None if asked["locals"] else _from_outside(target)
        if body is None:
            with Live(target, options, "stack") as session:
                body = session.ask("remoraStacks", {**asked, "redact": options.redact})
        _tell(Output(options), body)
        return 0

    return live.run(show)


def _from_outside(target: Target) -> dict[str, Any] | None:
    if not isinstance(target, ProcessTarget):
        return None
    try:
        return outside.look(processes.Target(target.pid))
    except DapError as error:
        raise live.Problem(error.text) from error


def _tell(output: Output, body: dict[str, Any]) -> None:
    if output.json:
        for stack in body["stacks"]:
            fields = {name: value for name, value in stack.items() if name not in ("kind", "frames")}
            output.object(
                stack["kind"],
                pid=body["pid"],
                **fields,
                frames=[json_frame(frame) for frame in stack["frames"]],
            )
        if body.get("cut"):
            output.object("cut", pid=body["pid"])
        return
    output.say(f"process {body['pid']}, Python {body['python']}")
    names = {stack.get("id"): stack["name"] for stack in body["stacks"] if stack["kind"] == "thread"}
    for stack in body["stacks"]:
        output.say("")
        output.say(_head(stack, names))
        for frame in without_foundation(stack["frames"]):
            output.say(f"  {place_of(frame)} in {frame['name']}")
            text = linecache.getline(frame["source"].get("path") or "", frame["line"]).strip()
            if text:
                output.say(f"    {text}")
            for variable in frame.get("variables") or ():
                output.say(f"      {variable['name']} = {variable['value']}")
        if stack.get("moreFrames"):
            output.say("  …")
    if body.get("cut"):
        output.say("\n(not everything is shown)")


def _head(stack: dict[str, Any], threads: dict[int | None, str]) -> str:
    if stack["kind"] == "thread":
        blocked = f" blocked in {stack['blockedIn']}" if "blockedIn" in stack else ""
        return f"thread {stack.get('id', stack.get('nativeId'))} {stack['name']!r}{blocked}"
    words = [f"task {stack['name']!r}"]
    if stack["coroutine"]:
        words.append(f"({stack['coroutine']})")
    if stack.get("state") == "running":
        words.append(f"runs on thread {threads.get(stack.get('threadId'), '?')!r}")
    elif "waitsFor" in stack:
        words.append(f"waits for {stack['waitsFor']}")
    elif "state" in stack:
        words.append("is ready to run")
    if stack.get("awaitedBy"):
        words.append("awaited by " + ", ".join(repr(name) for name in stack["awaitedBy"]))
    return " ".join(words)
