"""The conversation: read a command, do it, show what happened, until the person or the program is done.

With a person there, mistakes are told and the prompt comes back. From `-c` or a pipe, commands that
fail are told too and the rest is done, but the exit code says so. At the end of input the debugger
leaves, with the program's own exit code if the program has ended.

The prompt stays with its process: what another one does while a person types is told in a line, and only an
empty line, or a command that lets the program run, goes over to it.
"""

from __future__ import annotations

import signal
from typing import Self

from remora.client import ClientError
from remora.terminal import commands, report
from remora.terminal.commands import Command
from remora.terminal.commands.evaluating import run_python, say_displays, without_trace
from remora.terminal.commands.leaving import Quit
from remora.terminal.completion import LineCompleter
from remora.terminal.debugger import Debugger
from remora.terminal.line import parse_command, split_commands
from remora.terminal.moves import Moves
from remora.terminal.process import CommandError, Process, State
from remora.terminal.reader import Reader
from remora.terminal.screen import Screen
from remora.terminal.target import Target

_COULD_NOT_START = 2


class App:
    """One run of the terminal client; what commands see of it is `Conversation`."""

    def __init__(self, target: Target, screen: Screen, reader: Reader) -> None:
        self.screen = screen
        self.reader = reader
        self.debugger = Debugger(target, screen)
        self.moves = Moves(self.debugger)
        self._commands = commands.load()
        self._names = set(self._commands)
        self.completer = LineCompleter(self.debugger, list(self._commands))
        self.list_from: int | None = None
        self._last: tuple[Command, str] | None = None
        self._failed = False
        self._signals = self.debugger.inbox.handling_signals()

    def __enter__(self) -> Self:
        self._signals.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        try:
            self.debugger.leave()
        finally:
            self._signals.__exit__(None, None, None)

    @property
    def process(self) -> Process:
        return self.debugger.process

    def run(self) -> int:
        """Debug until the end; return the exit code."""
        debugger = self.debugger
        try:
            self.begin()
        except CommandError as error:
            self.screen.complain(str(error))
            return _COULD_NOT_START
        except KeyboardInterrupt:
            return 128 + signal.SIGINT
        if self.reader.interactive and debugger.target.is_local:
            hint = "`help` lists the commands, `c` continues, Ctrl-C pauses, `q` leaves."
            self.screen.say(self.screen.style(hint, "dim"))
        try:
            while True:
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
        if not debugger.target.is_local and not debugger.is_over and self.reader.interactive:
            many = len(debugger.processes.living) > 1
            self.screen.say(f"Detached; the program{' and its processes run' if many else ' runs'} on.")
        if debugger.root.exit_code is not None and debugger.root.state is State.ENDED:
            return debugger.root.exit_code
        # A script that leaves its program at an exception has not seen it succeed.
        stops = [each.stop for each in debugger.processes.living]
        at_exception = any(stop is not None and stop.reason == "exception" for stop in stops)
        return 1 if self._failed or (at_exception and not self.reader.interactive) else 0

    def begin(self) -> None:
        debugger = self.debugger
        with debugger.inbox.interruptible():
            debugger.start()
        if debugger.target.is_local:
            debugger.configure()
            self.after_move(self.moves.wait())
        else:
            what = f"{debugger.target.main_file} at " if debugger.target.main_file else ""
            self.screen.say(
                f"Attached to {what}{debugger.target.describe()}. Set breakpoints, then `c`; Ctrl-C pauses."
            )

    def _read(self) -> str:
        debugger = self.debugger
        while True:
            # What has happened meanwhile is told before the prompt, once it is known.
            processes = debugger.processes
            if not self._notice(may_switch=self.process is not processes.chosen):
                self._last = None
            with debugger.inbox.at_prompt() as quiet:
                if not quiet:
                    continue
                with debugger.inbox.interruptible():
                    return self.reader.read(self._prompt(), self.completer.complete)

    def _prompt(self) -> str:
        process = self.process
        many = not process.is_root or len(self.debugger.processes.living) > 1
        number = f" {process.number}" if many else ""
        state = "" if process.state is State.STOPPED else f", {process.state.value}"
        return f"(remora{number}{state}) "

    def _notice(self, *, may_switch: bool = True) -> bool:
        """Tell about stops and ends that happened at the prompt; return whether no stop was shown.

        A stop of another process is shown if the current one runs and we `may_switch`; else told in a line.
        """
        debugger = self.debugger
        debugger.catch_up()
        waiting = debugger.processes.waiting
        if may_switch and waiting and self.process.state is not State.STOPPED:
            debugger.processes.current = waiting[0]
        shows = self.process.stop is not None and not self.process.is_shown
        if shows:
            self.after_move(True)
        debugger.say_waiting()
        return not shows

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
            self._notice(may_switch=False)
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
        """Show where the current process has stopped, and do what its breakpoints want done there."""
        self.list_from = None
        debugger, process = self.debugger, self.process
        if not stopped or process.stop is None:
            return
        if process is not debugger.processes.told:
            debugger.processes.told = process
            text = debugger.news.describe(process)
            self.screen.say(f"{text[:1].upper()}{text[1:]}:")
        if process.is_shown:
            report.say_place(debugger)
            return
        process.is_shown = True
        hit = [
            each for each in debugger.breakpoints.hit(process, process.stop.breakpoint_ids) if each.number > 0
        ]
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
                if process.state is not State.STOPPED or self.process is not process:
                    break

    def confirm(self, question: str) -> bool:
        """Ask the person; no answer is no."""
        try:
            with self.debugger.inbox.interruptible():
                return self.reader.read(f"{question} (y/n) ").strip().lower() in ("y", "yes")
        except (EOFError, KeyboardInterrupt):
            return False
