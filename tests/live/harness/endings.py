"""A program that a test brings into any state and to any end, started in each way there is to debug one.

The program takes its orders, which are Python, from a pipe, and says what is to be known by lines in a file:
so neither goes through the debugger, and both go on when that is gone.
"""

from __future__ import annotations

import contextlib
import enum
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.wire import Closed, Message, Wire
from processes import carrying, current_token, describe
from remora.dap.check import check_message

from .debuggee import LIMIT_S, Debuggee, all_stacks, remora, until
from .debugging import INITIALIZE, free_port
from .programs import MARKER


class Way(enum.Enum):
    """How the program and the debugger have come together."""

    LISTEN = "listen"
    LAUNCH = "launch"
    TERMINAL = "terminal"
    CONNECT = "connect"
    PROCESS_ID = "id"
    FORK = "fork"
    POPEN = "popen"


class State(enum.Enum):
    """What the program and the client are about when the end comes."""

    RUNNING = "running"
    STOPPED = "stopped"
    STEPPING = "stepping"
    EVALUATING = "evaluating"


LAUNCHED = (Way.LAUNCH, Way.TERMINAL)
CHILD = (Way.FORK, Way.POPEN)

PROGRAM = """\
import atexit, json, os, signal, subprocess, sys, threading, time
way, folder = os.environ["TEST_WAY"], os.environ["TEST_FOLDER"]

def say(what, value=None):
    with open(f"{folder}/said", "a") as file:
        file.write(json.dumps([what, value]) + "\\n")

def report():
    wrapped = [(os, "fork"), (os, "_exit"), (os, "execv"), (os, "execve"), (os, "posix_spawn"),
               (sys.modules["_posixsubprocess"], "fork_exec"), (subprocess, "_fork_exec")]
    return {
        "tools": [sys.monitoring.get_tool(number) for number in range(6)],
        "hooks": [getattr(sys, name) is getattr(sys, f"__{name}__") for name in (
            "breakpointhook", "excepthook", "displayhook", "unraisablehook", "stdout", "stderr")],
        "thread hook": threading.excepthook is threading.__excepthook__,
        "mirrored": ["write" in vars(stream) for stream in (sys.stdout, sys.stderr)],
        "wrapped": [name for module, name in wrapped if hasattr(getattr(module, name), "__wrapped__")],
        "traced": [str(each) for each in (sys.gettrace(), sys.getprofile(), threading.gettrace())],
        "interval": round(sys.getswitchinterval(), 6),
        "environment": sorted(f"{name}={value}" for name, value in os.environ.items()
                              if name.startswith(("REMORA", "PYTHON")) and "TOKEN" not in name),
        "at exit": sys.version_info >= (3, 14) and atexit._ncallbacks(),  # before that it counts empty places
        "finders": len(sys.meta_path),
        "threads": [thread.name for thread in threading.enumerate()],
    }

inbox = []
def orders():
    try:
        inbox.extend(os.read(pipe, 1 << 16).decode().splitlines())
    except BlockingIOError:
        pass
    return inbox

def rest():
    say("resting")
    while not orders() or inbox[0] != "go":
        time.sleep(0.002)
    del inbox[0]

def stand():
    value = 1           # @here
    rest()              # @slow
    value = 2           # @after
    say("stood")

def aside():
    value = 3           # @aside
    say("aside over")

def obey():
    while True:
        if orders():
            exec(inbox.pop(0), globals())
        time.sleep(0.002)

def main():
    global pipe
    pipe = os.open(f"{folder}/orders", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    say("pid", os.getpid())
    try:
        obey()
    finally:
        print("tidied up", flush=True)

if way not in ("launch", "terminal", "child"):
    say("before", report())
if way in ("listen", "connect", "fork", "popen"):
    import remora
    if way == "connect":
        remora.connect(int(os.environ["TEST_PORT"]))
    else:
        remora.listen(int(os.environ["TEST_PORT"]))
    remora.wait_for_client()
if way in ("fork", "popen"):
    if way == "popen":
        child = subprocess.Popen([sys.executable, __file__], env={**os.environ, "TEST_WAY": "child"})
        pid = child.pid
    else:
        pid = os.fork()
    if pid:
        print("child gave", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), "in the end")
        while not os.path.exists(f"{folder}/over"):
            time.sleep(0.005)
        sys.exit()
main()
"""
MARKERS = {
    marker: number
    for number, line in enumerate(PROGRAM.splitlines(), 1)
    for marker in MARKER.findall(line)
}  # fmt: skip


class Line:
    """One client: what it says, and what it was told, in order."""

    def __init__(self, wire: Wire, owner: Debuggee | None = None) -> None:
        self.wire = wire
        self.adapter = owner  # whose standard streams these are
        self.adapter_gives = 0
        self._begun_at = 0  # what was told before is of the beginning
        wire.on_message = _check

    def initialize(self) -> None:
        announced = {"supportsStartDebuggingRequest": True, "supportsRunInTerminalRequest": True}
        self.wire.request("initialize", INITIALIZE | announced)

    def begin(self, command: str, arguments: Message) -> int:
        """initialize and launch or attach; return the number of that."""
        self.initialize()
        return self.wire.send(command, arguments)

    def configure(self, begun: int, *, path: Path | None = None, markers: tuple[str, ...] = ()) -> None:
        first = self.wire.take(
            lambda message: message.get("event") == "initialized" or message.get("request_seq") == begun,
            "initialized",
        )
        assert first["type"] == "event", first
        if path is not None:
            wishes = [{"line": MARKERS[marker]} for marker in markers]
            self.wire.request("setBreakpoints", {"source": {"path": str(path)}, "breakpoints": wishes})
        self.wire.request("setExceptionBreakpoints", {"filters": []})
        self.wire.request("configurationDone")
        self.wire.result(begun)
        self._begun_at = len(self.wire.transcript)

    def asked(self, command: str) -> Message:
        """Wait for a request of the adapter's."""
        return self.wire.take(
            lambda message: message["type"] == "request" and message["command"] == command, command
        )

    def agree(self, asked: Message, **body: Any) -> None:
        self.wire.send_message(
            {"seq": 10_000 + asked["seq"], "type": "response", "request_seq": asked["seq"],
             "command": asked["command"], "success": True, "body": body}
        )  # fmt: skip

    def drain(self) -> None:
        """Read until the other side closes."""
        with contextlib.suppress(Closed):
            while True:
                self.wire.backlog.append(self.wire.receive())

    def close(self) -> None:
        """Close, and wait for the end of an adapter that was ours alone."""
        self.wire.close()
        if self.adapter is not None:
            try:
                assert self.adapter.exit_code(5.0) == self.adapter_gives
                assert self.adapter.stderr == ""
            finally:
                self.adapter.kill()

    # What it was told.

    @property
    def notes(self) -> list[str]:
        """What the console has said since the program runs under the debugger."""
        late = [message for _, message in self.wire.transcript[self._begun_at :]]
        return [
            message["body"]["output"]
            for message in late
            if message.get("event") == "output" and message["body"].get("category", "console") == "console"
        ]

    @property
    def told(self) -> list[Message]:
        return [message for direction, message in self.wire.transcript if direction == "<"]

    def events(self, name: str) -> list[Message]:
        return [message["body"] for message in self.told if message.get("event") == name]

    def is_well_told(self) -> None:
        """Check that every request is answered once, and the order: output, `exited`, `terminated`."""
        answers = [message["request_seq"] for message in self.told if message["type"] == "response"]
        asked = [
            message["seq"]
            for direction, message in self.wire.transcript
            if direction == ">" and message["type"] == "request"
        ]
        assert sorted(answers) == asked, "not every request was answered once"
        names = [message.get("event", "an answer") for message in self.told]
        assert names.count("exited") <= 1, names
        assert names.count("terminated") <= 1, names
        if "exited" in names:
            assert "output" not in names[names.index("exited") :], "output after exited"
            assert "terminated" in names[names.index("exited") :], "exited and not terminated"
        if "terminated" in names:
            after = set(names[names.index("terminated") + 1 :])
            assert after <= {"an answer"}, f"after terminated: {after}"

    def output(self, category: str) -> str:
        return "".join(
            message["body"]["output"]
            for message in self.told
            if message.get("event") == "output" and message["body"].get("category", "console") == category
        )


def _check(message: Message) -> None:
    problems = check_message(message)
    assert not problems, f"not by the specification: {problems} in {json.dumps(message)[:2000]}"


class Scene:
    """The program, its client, and all that belongs to them."""

    def __init__(self, way: Way, folder: Path) -> None:
        self.way = way
        self.folder = folder
        self.path = folder / "app.py"
        self.path.write_text(PROGRAM)
        os.mkfifo(folder / "orders")
        self.port = free_port()
        self.variables = {
            "TEST_WAY": way.value,
            "TEST_FOLDER": str(folder),
            "TEST_PORT": str(self.port),
            # What anybody leaves behind is left where it is found.
            "TMPDIR": str(folder / "tmp"),
            "XDG_RUNTIME_DIR": str(folder / "run"),
        }
        for name in ("tmp", "run"):
            (folder / name).mkdir()
        self.processes: list[Debuggee] = []
        self.lines: list[Line] = []
        self.root: Line | None = None  # of a child's parent
        self.program: Debuggee | None = None  # what we have started that is (the parent of) the program
        self.pid = 0
        self._said = 0
        self.before: dict[str, Any] = {}  # the debugger came
        self.counted: dict[str, Any] = {}
        self.line = self._start()
        if way not in LAUNCHED:
            self.before = self.said("before")
        self.pid = self.said("pid")
        self.wire = self.line.wire

    # -- beginning

    def run(self, *argv: str | Path, **settings: Any) -> Debuggee:
        variables = {**self.variables, **settings.pop("env", {})}
        made = Debuggee(list(argv), cwd=self.folder, env=variables, **settings)
        self.processes.append(made)
        return made

    def _start(self) -> Line:
        match self.way:
            case Way.LISTEN:
                self.program = self.run(sys.executable, self.path)
                line = self.dial()
                self._configure(line, line.begin("attach", {}))
            case Way.CONNECT:
                self.run(*remora("adapter", "--port", str(self.port)), is_server=True)
                line = self.dial()
                begun = line.begin("attach", {})
                self.program = self.run(sys.executable, self.path)
                self._configure(line, begun)
            case Way.LAUNCH | Way.TERMINAL:
                line = self.launch()
            case Way.PROCESS_ID:
                self.program = self.run(sys.executable, self.path)
                self.pid = self.said("pid")
                self.counted = self.kernel_counts()
                line = self.attach_by_id()
                self._said = 0
            case Way.FORK | Way.POPEN:
                self.program = self.run(sys.executable, self.path)
                self.root = self.dial()
                self.root.configure(self.root.begin("attach", {}))
                asked = self.root.asked("startDebugging")
                self.root.agree(asked)
                line = self.dial()
                self._configure(line, line.begin("attach", asked["arguments"]["configuration"]))
        return line

    def dial(self) -> Line:
        line = Line(Wire.connect("127.0.0.1", self.port))
        self.lines.append(line)
        return line

    def adapter(self) -> Line:
        process = self.run(*remora("adapter"), stdio_is_dap=True)
        stdin, stdout = process.process.stdin, process.process.stdout
        assert stdin is not None and stdout is not None
        line = Line(
            Wire(os.dup(stdout.fileno()), os.dup(stdin.fileno()), owner=process.process), process
        )  # fmt: skip
        stdin.close()
        stdout.close()
        self.lines.append(line)
        return line

    def attach_by_id(self) -> Line:
        line = self.adapter()
        self._configure(line, line.begin("attach", {"processId": self.pid}))
        return line

    def launch(self) -> Line:
        line = self.adapter()
        consoles = {Way.LAUNCH: "internalConsole", Way.TERMINAL: "integratedTerminal"}
        arguments = {
            "program": str(self.path),
            "cwd": str(self.folder),
            "python": sys.executable,
            "console": consoles[self.way],
        }
        begun = line.begin("launch", arguments)
        if self.way is Way.TERMINAL:
            asked = line.asked("runInTerminal")
            self.program = self.run(*asked["arguments"]["args"], env=asked["arguments"]["env"])
            line.agree(asked, processId=self.program.pid)
        self._configure(line, begun)
        return line

    def _configure(self, line: Line, begun: int) -> None:
        line.configure(begun, path=self.path, markers=("here", "aside"))

    def attach_again(self) -> None:
        """Let another client attach to the program."""
        if self.way in LAUNCHED or self.way is Way.PROCESS_ID:
            line = self.attach_by_id()
        else:
            line = self.dial()
            arguments = {"subProcessId": self.pid} if self.way in CHILD else {}
            self._configure(line, line.begin("attach", arguments))
        self.line, self.wire = line, line.wire

    # -- the program

    def order(self, text: str) -> None:
        """Let the program do something (one line of Python)."""
        with open(os.open(self.folder / "orders", os.O_WRONLY | os.O_NONBLOCK), "w") as file:
            file.write(text + "\n")

    def said(self, what: str, limit_s: float = LIMIT_S) -> Any:
        """Wait until the program says that (once more); return the value."""
        found: list[Any] = []

        def look() -> bool:
            with contextlib.suppress(OSError):
                lines = (self.folder / "said").read_text().splitlines(keepends=True)
                for index, line in enumerate(lines[self._said :], self._said + 1):
                    if line.endswith("\n") and (said := json.loads(line))[0] == what:
                        self._said = index
                        found.append(said[1])
                        return True
            return False

        until(look, f"the program says {what!r}", limit_s)
        return found[0]

    def report(self) -> dict[str, Any]:
        """What the program sees of the debugger, and what the kernel counts."""
        self.order("say('report', report())")
        report: dict[str, Any] = self.said("report")
        return report

    def kernel_counts(self) -> dict[str, Any]:
        """The threads and descriptors of the program."""
        fds = Path(f"/proc/{self.pid}/fd")
        targets = []
        for fd in fds.iterdir():
            with contextlib.suppress(OSError):
                # libffi, with ctypes, which interrupts an evaluation, keeps its own file open: once.
                if "libffi" not in (target := os.readlink(fd)):
                    targets.append(target)
        return {"threads": len(os.listdir(f"/proc/{self.pid}/task")), "fds": sorted(targets)}

    # -- states

    def be(self, state: State) -> int | None:
        """Bring program and client into a state; return the number of a request that is under way."""
        if state is State.RUNNING:
            return None
        self.order("stand()")
        thread = self.wire.event("stopped", lambda body: body["reason"] == "breakpoint")["threadId"]
        if state is State.STOPPED:
            return None
        if state is State.STEPPING:
            self.wire.request("next", {"threadId": thread})
            self.wire.event("stopped", lambda body: body["reason"] == "step")
            self.wire.request("next", {"threadId": thread})
            self.said("resting")
            return None
        frame = self.wire.request("stackTrace", {"threadId": thread, "levels": 1})["stackFrames"][0]["id"]
        number = self.wire.send("evaluate", {"expression": "rest()", "frameId": frame, "context": "repl"})
        self.said("resting")
        return number

    def go_on(self, state: State) -> None:
        """Let the program, which nobody debugs any more, leave what `be` has brought it into."""
        if state is not State.RUNNING:
            if state in (State.STOPPED, State.EVALUATING):
                self.said("resting")
            self.order("go")
            self.said("stood")

    def succeeds(self, command: str, **arguments: Any) -> bool:
        """Ask the debugger for something; say whether it was done."""
        success: bool = self.wire.response(self.wire.send(command, arguments))["success"]
        return success

    # -- hubs

    def hubs(self) -> list[int]:
        """The hubs and adapters of this scene."""
        found = []
        for pid in carrying(current_token()):
            words = describe(pid)
            if "hub/boot.py" in words or "remora adapter" in words:
                found.append(pid)
        return found

    # -- the end

    def lives(self) -> bool:
        """Whether the program does anything any more: a zombie does not."""
        try:
            return ") Z " not in Path(f"/proc/{self.pid}/stat").read_text()
        except OSError:
            return False

    def exit_code(self) -> int | None:
        """What whoever has started the program is told. None: that is the adapter."""
        if self.way in CHILD:
            assert self.program is not None
            self.program.wait_for_output("child gave")
            self.program.wait_for_output(" in the end\n")
            return int(self.program.stdout.split("child gave ")[1].split()[0])
        return self.program.exit_code() if self.program is not None else None

    def let_the_parent_end(self) -> None:
        if self.way in CHILD:
            (self.folder / "over").touch()

    def names_left(self) -> list[str]:
        """Abstract sockets of ours that are named after a process of this scene."""
        pids = {self.pid, *(process.pid for process in self.processes)}
        beginnings = tuple(f"@remora-{os.getuid()}-{pid}-" for pid in pids)
        found = []
        for line in Path("/proc/net/unix").read_text().splitlines():
            name = line.split()[-1]
            if name.startswith(beginnings):
                found.append(name)
        return found

    def files_left(self) -> list[str]:
        return [str(path) for name in ("tmp", "run") for path in (self.folder / name).rglob("*")]

    def close(self) -> None:
        for line in self.lines:
            line.close()
        for process in self.processes:
            if process.is_server and process.running:
                process.process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.exit_code(5.0)
            process.kill()


@contextlib.contextmanager
def scene(way: Way) -> Iterator[Scene]:
    """Start the program, attach, and leave nothing behind that the test has not asked for."""
    folder = Path(tempfile.mkdtemp(prefix="ends-", dir="/tmp"))  # short: a socket's name has few characters
    made = object.__new__(Scene)
    try:
        try:
            made.__init__(way, folder)  # type: ignore[misc]
            yield made
        except BaseException as error:
            error.add_note(_recent(made) + all_stacks(made.processes))
            raise
        finally:
            made.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _recent(made: Scene) -> str:
    parts = []
    for line in made.lines:
        parts.append("--- a client")
        parts += [f"{way} {json.dumps(message)[:400]}" for way, message in line.wire.transcript[-30:]]
    with contextlib.suppress(OSError):
        parts += ["--- the program said", (made.folder / "said").read_text()[-2000:]]
    return "\n".join(parts) + "\n"
