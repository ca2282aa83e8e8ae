"""`remora demo`: debug an example as a person would, and show what that person would see.

Everything here really happens: the service is started with the command that is printed, the debugger reaches
it over a socket through the hub, and each step is checked. Exit code 0 means that all of it worked.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from remora.cli.options import UsageError
from remora.client import Client, ClientError, DebugSession

HELP = """\
usage: remora demo

Start a small order service with a bug that shows only for some orders, attach to it over a socket, find the
bug with a logpoint and a conditional breakpoint, and mend it while the service runs. Takes two seconds.
"""

LIMIT_S = 30.0


class DemoFailed(Exception):
    """Something did not happen as it should have."""


def run(arguments: list[str]) -> int:
    """Run the command; return its exit code."""
    if arguments and arguments[0] in ("-h", "--help"):
        print(HELP, end="")
        return 0
    if arguments:
        raise UsageError(f"demo: there is no option {arguments[0]}; see remora demo --help")
    show = Show()
    try:
        with _Service(find_example()) as service:
            Demo(service, show).run()
    except (DemoFailed, ClientError, OSError, KeyError) as error:
        show.plain(f"\nThe demo failed: {error}")
        return 1
    return 0


def find_example() -> Path:
    """Return a folder with the example: the clone's, or a copy of the one in the installed package."""
    here = Path(__file__).resolve().parent
    clone = here.parents[2] / "examples" / "order_service"
    if clone.is_dir():
        return clone
    # Out of the package: what lies inside a library is not the user's code, for the debugger neither.
    copy = Path(tempfile.gettempdir()) / f"remora-demo-{os.getuid()}" / "order_service"
    if copy.is_symlink() or (copy.parent.exists() and copy.parent.stat().st_uid != os.getuid()):
        raise DemoFailed(f"{copy.parent} belongs to someone else")
    shutil.copytree(here / "order_service", copy, dirs_exist_ok=True)
    return copy


class _Service:
    """The example as a process that listens; its output is read by threads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = 0
        self.stdout: list[str] = []
        self.stderr: list[str] = []
        self._changed = threading.Condition()

    def __enter__(self) -> _Service:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "remora", "--listen", "0", "--wait-for-client", "service.py"],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        )
        for stream, lines in ((self._process.stdout, self.stdout), (self._process.stderr, self.stderr)):
            threading.Thread(target=self._read, args=(stream, lines), daemon=True).start()
        try:
            said = self.wait_for(self.stderr, "listening on")
        except DemoFailed:
            self._process.kill()
            raise
        self.port = int(said.rpartition(":")[2])
        return self

    def __exit__(self, *exc: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    def _read(self, stream: Any, lines: list[str]) -> None:
        for line in stream:
            with self._changed:
                lines.append(line.rstrip("\n"))
                self._changed.notify_all()

    def wait_for(self, lines: list[str], text: str) -> str:
        """Return the line that holds `text`."""
        with self._changed:
            found = self._changed.wait_for(
                lambda: [line for line in lines if text in line] or self._process.poll() not in (None, 0),
                LIMIT_S,
            )
        if isinstance(found, list) and found:
            return found[0]
        raise DemoFailed(f"the service did not say {text!r}; it said {self.stdout + self.stderr}")

    def exit_code(self) -> int:
        """Wait for the end."""
        try:
            return self._process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            raise DemoFailed(f"the service did not end within {LIMIT_S:g} s") from None


class Demo:
    """The story, step by step."""

    def __init__(self, service: _Service, show: Show) -> None:
        self.service = service
        self.show = show
        self.pricing = service.folder / "pricing.py"
        self.lines = self.pricing.read_text(encoding="utf-8").splitlines()

    def run(self) -> None:
        """Tell it. DemoFailed, or an error of the client's, if anything is not as told."""
        show, service = self.show, self.service
        show.title("An order service makes invoices. One of them is below zero. Why?")
        show.command(f"cd {service.folder}")
        show.command("python -m remora --listen 5678 --wait-for-client service.py")
        show.plain(f"  (here on port {service.port}, a free one)")
        with contextlib.closing(Client.connect("127.0.0.1", service.port)) as client:
            session = DebugSession(client, timeout_s=LIMIT_S)
            session.begin("attach", {"justMyCode": True})
            self._set_breakpoints(session)
            session.configuration_done()
            self._look(session)
            self._mend(session)
            code = session.wait_exit()
            expect(code in (0, None), f"the service should have ended with 0, not {code}")
            with contextlib.suppress(ClientError):
                session.disconnect()
        expect(service.exit_code() == 0, f"the service ended with {service.exit_code()}: {service.stderr}")
        for line in service.stdout:
            show.output(line)
        self._by_hand()

    def _set_breakpoints(self, session: DebugSession) -> None:
        show = self.show
        quote, rate = self._line("quote"), self._line("rate")
        show.title("A logpoint shows every quote; a breakpoint stops only where a discount is above 100 %")
        answers = session.set_breakpoints(
            self.pricing,
            [
                {"line": quote, "logMessage": "quoting {line.quantity} x {line.article.name}"},
                {"line": rate, "condition": "rate > 1"},
            ],
        )
        for answer in answers:
            expect(answer.get("verified") or answer.get("message"), f"a breakpoint got no answer: {answer}")
        session.set_exception_filters("uncaught")
        show.plain(f'  pricing.py:{quote}  log   "quoting {{line.quantity}} x {{line.article.name}}"')
        show.plain(f"  pricing.py:{rate}  stop  if rate > 1")

    def _look(self, session: DebugSession) -> None:
        show = self.show
        stop = session.stopped("breakpoint")
        logged = session.output("console")
        expect("quoting 120 x pencil" in logged, f"the logpoint should have told of the pencils: {logged!r}")
        show.title("The service runs at full speed until it gets there")
        for line in logged.splitlines():
            if line.startswith("quoting"):
                show.output(line)
        frames = session.stack()
        names = [frame["name"].rpartition(".")[2] for frame in frames[:3]]
        expect(names == ["price_of", "handle", "_work"], f"the stack should not be {names}")
        expect(frames[0]["line"] == self._line("rate"), f"it should not have stopped at {frames[0]}")
        thread = next(each["name"] for each in session.threads() if each["id"] == stop.thread_id)
        show.title(f"Stopped in thread {thread!r}")
        self._show_source(frames[0]["line"])
        for frame in frames[:3]:
            where = Path(frame.get("source", {}).get("path", "?")).name
            show.plain(f"  {frame['name']:<24} {where}:{frame['line']}")

        show.title("Its variables, and a question")
        variables = session.locals()
        expect(
            variables["rate"]["value"] == "Decimal('1.20')", f"rate is {variables['rate']['value']}, not 1.20"
        )
        for name, variable in variables.items():
            show.value(name, variable["value"], variable.get("type"))
        question = "full - full * rate"
        answer = session.evaluate(question)
        expect(answer == "Decimal('-19.2000')", f"{question} is {answer}")
        show.value(question, answer, None)
        show.plain("  120 pencils are twelve times ten: 120 % off. Nobody looks at HIGHEST_RATE.")

    def _mend(self, session: DebugSession) -> None:
        show = self.show
        show.title("What if? Set the rate to the limit, step over the line, look again, and let it go on")
        frame = session.top()
        scope = session.scopes(frame["id"])[0]
        changed = session.ask(
            "setVariable",
            {"variablesReference": scope["variablesReference"], "name": "rate", "value": "HIGHEST_RATE"},
        )
        show.value("rate", changed["value"], changed.get("type"))
        expect(changed["value"] == "Decimal('0.30')", f"the rate should be 0.30 now, not {changed['value']}")
        session.step_over()
        top = session.top()
        expect(
            top["line"] == self._line("rate") + 1, f"the step should have ended on the next line, not {top}"
        )
        self._show_source(top["line"])
        answer = session.evaluate("full - discount")
        expect(answer == "Decimal('67.2000')", f"the price should be 67.20 now, not {answer}")
        show.value("full - discount", answer, None)
        session.resume()
        said = self.service.wait_for(self.service.stdout, "the books are")
        expect(said == "the books are right", f"the service said: {said}")

    def _by_hand(self) -> None:
        show = self.show
        folder = self.service.folder
        show.title("The same by hand: in one terminal")
        show.command(f"cd {folder}")
        remora = command_by_hand()
        show.command(f"{remora} --listen 5678 --wait-for-client service.py")
        show.plain("\nand in another one")
        show.command(
            f"{remora} attach 5678 -c 'break {self.pricing}:{self._line('rate')}, rate > 1' -c continue"
        )
        show.plain("\nor all at once")
        show.command(f"{remora} run {folder / 'service.py'}")
        show.plain("\nor from an editor that speaks DAP; VS Code takes this in .vscode/launch.json:")
        configuration = {
            "name": "Order service",
            "type": "debugpy",
            "request": "attach",
            "connect": {"host": "127.0.0.1", "port": 5678},
        }
        show.plain(json.dumps(configuration, indent=2))
        show.plain(f"\nWhere an editor asks for an adapter to start, it is: {remora} adapter")

    def _line(self, marker: str) -> int:
        return next(number for number, text in enumerate(self.lines, 1) if text.endswith(f"# @{marker}"))

    def _show_source(self, line: int) -> None:
        for number in range(max(1, line - 2), min(len(self.lines), line + 1) + 1):
            text = self.lines[number - 1].split("  # @")[0]
            self.show.source(number, text, current=number == line)


def command_by_hand() -> str:
    """How this remora is started in a terminal of the person's, where our environment is not active."""
    environment = os.environ.get("VIRTUAL_ENV", "")
    project = os.path.dirname(environment)
    if "UV" in os.environ and environment and os.path.exists(os.path.join(project, "pyproject.toml")):
        # `uv run` in a clone: what it put on PATH is gone when it ends.
        return f"uv run --project {shlex.quote(project)} remora"
    found = shutil.which("remora")
    if found and os.path.dirname(found) == os.path.dirname(sys.executable):
        return "remora"
    return f"{shlex.quote(sys.executable)} -m remora"


class Show:
    """What the person sees; coloured on a terminal that can."""

    def __init__(self) -> None:
        colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
        self._bold, self._dim, self._green, self._off = (
            ("\033[1m", "\033[2m", "\033[32m", "\033[0m") if colour else ("", "", "", "")
        )

    def title(self, text: str) -> None:
        self.plain(f"\n{self._bold}{text}{self._off}")

    def command(self, text: str) -> None:
        self.plain(f"  {self._green}$ {text}{self._off}")

    def output(self, text: str) -> None:
        self.plain(f"  {self._dim}|{self._off} {text}")

    def value(self, name: str, value: str, kind: str | None) -> None:
        suffix = f"  {self._dim}{kind}{self._off}" if kind else ""
        self.plain(f"  {name} = {value}{suffix}")

    def source(self, number: int, text: str, *, current: bool) -> None:
        arrow = "->" if current else "  "
        style = self._bold if current else ""
        self.plain(f"  {style}{number:>4} {arrow} {text}{self._off if style else ''}")

    def plain(self, text: str) -> None:
        try:
            print(text, flush=True)
        except UnicodeEncodeError:
            print(text.encode("ascii", "replace").decode("ascii"), flush=True)


def expect(fact: object, otherwise: str) -> None:
    """Go on only if it is so."""
    if not fact:
        raise DemoFailed(otherwise)
