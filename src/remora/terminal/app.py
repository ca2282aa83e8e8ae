"""The conversation: read a command, do it, show what happened, until the person or the program is done.

With a person there, mistakes are told and the prompt comes back. From `-c` or a pipe, commands that
fail are told too and the rest is done, but the exit code says so. At the end of input the debugger
leaves, with the program's own exit code if the program has ended.
"""

from __future__ import annotations

import signal
from typing import Self

from remora.client import ClientError
from remora.terminal import commands, report
from remora.terminal.commands import Command
from remora.terminal.completion import LineCompleter
from remora.terminal.debugger import CommandError, Debugger, State
from remora.terminal.line import parse_command, split_commands
from remora.terminal.reader import Reader
from remora.terminal.screen import Screen
from remora.terminal.target import Target

_COULD_NOT_START = 2


class App:
    """One run of the terminal client."""

    def __init__(self, target: Target, screen: Screen, reader: Reader) -> None:
        self.screen = screen
        self.reader = reader
        self.debugger = Debugger(target, screen)
        self.completer = LineCompleter(self.debugger)
        #: the line `list` goes on from; None: around the current one
        self.list_from: int | None = None
        self._commands = commands.load()
        self._names = set(self._commands)
        self._last: tuple[Command, str] | None = None
        self._failed = False
        self._signals = self.debugger.handling_signals()

    def __enter__(self) -> Self:
        self._signals.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        try:
            self.debugger.leave()
        finally:
            self._signals.__exit__(None, None, None)

    def run(self) -> int:
        """Debug until the end; return the exit code."""
        from remora.terminal.commands.leaving import Quit

        try:
            self.begin()
        except CommandError as error:
            self.screen.complain(str(error))
            return _COULD_NOT_START
        except KeyboardInterrupt:
            return 128 + signal.SIGINT
        if self.reader.interactive and self.debugger.target.is_local:
            hint = "`help` lists the commands, `c` continues, Ctrl-C pauses, `q` leaves."
            self.screen.say(self.screen.style(hint, "dim"))
        try:
            while True:
                if not self._notice():
                    self._last = None
                try:
                    line = self._read()
                except EOFError:
                    break
                except KeyboardInterrupt:
                    self.screen.say("`q` leaves the debugger.")
                    continue
                self.do_line(line)
        except Quit:
            pass
        leaves_it = not self.debugger.target.is_local and self.debugger.state is not State.ENDED
        if leaves_it and self.reader.interactive:
            self.screen.say("Detached; the program runs on.")
        if self.debugger.exit_code is not None and self.debugger.state is State.ENDED:
            return self.debugger.exit_code
        stop = self.debugger.stop
        # A script that leaves its program at an exception has not seen it succeed.
        at_exception = stop is not None and stop.reason == "exception" and not self.reader.interactive
        return 1 if self._failed or at_exception else 0

    def begin(self) -> None:
        """Start the session, and wait for the program's first stop if it is ours. CommandError."""
        debugger = self.debugger
        with debugger.interruptible():
            debugger.start()
        if debugger.target.is_local:
            debugger.configure()
            self.after_move(debugger.wait())
        else:
            what = f"{debugger.target.main_file} at " if debugger.target.main_file else ""
            self.screen.say(
                f"Attached to {what}{debugger.target.describe()}. Set breakpoints, then `c`; Ctrl-C pauses."
            )

    def _read(self) -> str:
        # What the program has done meanwhile is told before the prompt, once it is known.
        state = self.debugger.state
        prompt = "(remora) " if state is State.STOPPED else f"(remora, {state.value}) "
        with self.debugger.interruptible():
            return self.reader.read(prompt, self.completer.complete)

    def _notice(self) -> bool:
        """Tell about a stop or an end that happened at the prompt; return whether nothing did."""
        before = self.debugger.stop
        self.debugger.catch_up()
        stop = self.debugger.stop
        if stop is not before and stop is not None:
            self.after_move(True)
            return False
        return True

    # Doing

    def do_line(self, line: str) -> None:
        """Do one line: commands separated by `;;`, an empty one repeats the last."""
        if not line.strip():
            if not self._notice():
                return
            if self._last is not None:
                self._do(*self._last)
            return
        for text in split_commands(line):
            self._notice()
            # `exit()`, evaluated, would end the program in the middle of a stop.
            leaving = text in ("exit()", "quit()")
            name, argument = ("quit", "") if leaving else parse_command(text, self._names)
            if name:
                found = self._commands[name]
                # `list` again goes on where it ended; the others are done the same way.
                self._last = (found, "" if "list" in found.names else argument) if found.repeats else None
                ok = self._do(found, argument)
            else:
                self._last = None
                ok = self._do(None, argument)
            if not ok:
                break

    def _do(self, found: Command | None, argument: str) -> bool:
        from remora.terminal.commands.evaluating import run_python, without_trace

        try:
            if found is None:
                try:
                    run_python(self, argument)
                except CommandError as error:
                    raise CommandError(without_trace(str(error))) from error
            else:
                found.run(self, argument)
        except CommandError as error:
            self.screen.fail(str(error))
        except ClientError as error:
            self.screen.fail(str(error))
        except KeyboardInterrupt:
            self.screen.fail("interrupted")
        else:
            return True
        if not self.reader.interactive:
            self._failed = True
        return False

    def after_move(self, stopped: bool) -> None:
        """Show where the program has stopped, and do what its breakpoints want done there."""
        from remora.terminal.commands.evaluating import say_displays

        self.list_from = None
        debugger = self.debugger
        if not stopped or debugger.stop is None:
            return
        hit = [each for each in debugger.breakpoints.hit(debugger.stop.breakpoint_ids) if each.number > 0]
        for each in hit:
            each.hits += 1
            if each.temporary:
                debugger.breakpoints.remove(each)
                debugger.send_breakpoints(each)
        lines = [line for each in hit for line in each.commands]
        if "silent" not in lines:
            report.say_stop(debugger, hit)
            for each in hit:
                if each.temporary:
                    self.screen.say(f"Deleted breakpoint {each.number} at {each.where}")
        say_displays(self)
        for line in lines:
            if line != "silent":
                self.do_line(line)
                if debugger.state is not State.STOPPED:
                    break

    # Small things that commands share

    def number(self, text: str, what: str, *, least: int = 1) -> int:
        """Read a number. CommandError."""
        text = text.strip()
        if not text.isascii() or not text.isdecimal() or int(text) < least:
            raise CommandError(f"{text!r} is not {what}")
        return int(text)

    def confirm(self, question: str) -> bool:
        """Ask the person; no answer is no."""
        try:
            with self.debugger.interruptible():
                return self.reader.read(f"{question} (y/n) ").strip().lower() in ("y", "yes")
        except (EOFError, KeyboardInterrupt):
            return False
