"""A session: one debuggee, from hello to goodbye, and the client that is attached to it, if any.

Forwards between the two, in order: gives messages new numbers, translates paths, answers for an agent that is
gone. What a client may send before it is attached is none of its business (see `client`).

Everything happens in callbacks on the loop's thread that never wait in the middle, so there is no lock and no
queue, and the order of messages is the order of callbacks. Knows no sockets: it is handed things with `send`.

The last words to a client are, in this order: answers (errors, if the agent died) to all that it asked, all
output, `exited` if the exit code is known, `terminated`.
"""

from __future__ import annotations

from remora.dap.errors import DEBUGGEE_GONE, DapError
from remora.dap.hello import GO
from remora.dap.messages import arguments_of, error_response, event, request
from remora.dap.paths import POSIX, TO_CLIENT, TO_DEBUGGEE, mapping_from, translate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from remora.dap.framing import FramingError
    from remora.dap.hello import Hello
    from remora.dap.paths import PathMapping
    from remora.hub.client import Client
    from remora.hub.configuration import Configuration
    from remora.hub.connection import Connection
    from remora.hub.family import Member

    class AgentLink(Protocol):
        """The connection to the agent, or what a test puts there."""

        def send(self, message: dict[str, Any]) -> None: ...
        def close(self) -> None: ...
        def hold_reading(self, *, yes: bool) -> None: ...

    class Program(Protocol):
        """The process, where it is ours: started by this hub."""

        def drain(self) -> None:
            """Deliver now what the program has already written."""

        def hold_output(self, *, yes: bool) -> None: ...
        def end(self, *, gently_s: float) -> None:
            """End it: ask first if `gently_s` > 0, kill after that. `program_exited` follows."""


# How long a program may take to end by itself once asked to.
GENTLY_S = 5.0
# The same for a client that disconnects at once: it waits for the answer.
HURRIED_S = 1.5
# An agent answers from its own thread; one that takes longer sits behind code that holds the interpreter.
AGENT_S = 5.0
# How long the agent's goodbye may lag behind the death of its process.
GOODBYE_S = 1.0

type Answer = Callable[[dict[str, Any]], None]

_RESUMES = frozenset(("continue", "next", "stepIn", "stepOut", "stepBack", "reverseContinue"))


class Session:
    """One debuggee. `on_end` is called once, when nothing more will come."""

    def __init__(
        self,
        agent: AgentLink,
        hello: Hello,
        *,
        on_end: Callable[[Session], None],
        later: Callable[[float, Callable[[], None]], object],
        on_ready: Callable[[Session], None] | None = None,
        on_left: Callable[[Session, Client], None] | None = None,
        launched: bool = False,
        program: Program | None = None,
    ) -> None:
        """`on_ready` is called when a client is set up, `on_left` when one has gone or was let go."""
        self.hello = hello
        self.name: str = hello["name"]
        self._path = self.name  # the agent says the full path when a client attaches
        self.pid: int = hello["pid"]
        self.is_child = hello.get("startMethod") == "child"
        # A child that has not begun: it waits for `go` or for a client.
        self.is_held = self.is_child and hello.get("waiting") is True
        self.is_ready = False  # a client is set up
        self.was_told = False  # the client has come because the hub has told of this process
        self.settings: dict[str, Any] = {}  # the client's, as it attached
        self.member: Member | None = None
        self.launched = launched
        self.client: Client | None = None
        self.ended = False
        self._agent: AgentLink | None = agent
        self._program = program
        self._on_end = on_end
        self._on_ready = on_ready
        self._on_left = on_left
        self._later = later
        self._seq = 0
        # Requests to the agent not yet answered: our number -> (client's request or None, what to do).
        self._asked: dict[int, tuple[dict[str, Any] | None, Answer | None]] = {}
        # Requests of the agent to the client: the number given to the client -> the agent's request.
        self._reverse: dict[int, dict[str, Any]] = {}
        # While the agent has not answered our `disconnect`, what it still says belongs to the client before.
        self._detaching = False
        self._mapping: PathMapping | None = None
        self._exit_code: int | None = None
        self._exit_known = False
        self._ending = False
        # True once the client said so: until then a launched program has run no line of its own.
        self._configured = False
        self._stands = False  # the debuggee is stopped, as far as the client knows
        self._gone = "it has ended"
        self._ended_cleanly = False
        self._when_ended: list[Callable[[], None]] = []

    @property
    def is_free(self) -> bool:
        """True while another client may attach."""
        return self.client is None and not self.ended and self._agent is not None

    def go(self) -> None:
        """Let a child that waits run on: nobody attaches now."""
        if self.is_held and self.client is None and self._agent is not None:
            self.is_held = False
            self._agent.send(event(self._next_seq(), GO))

    # The client.

    def attach(self, client: Client, asked: dict[str, Any], configuration: Configuration) -> None:
        """Bind the client and ask the agent to attach; its answer answers `asked` (an attach or a launch)."""
        self.client = client
        self.settings = configuration.arguments
        mapping, problems = mapping_from(
            configuration.arguments,
            debuggee_os=POSIX,
            debuggee_cwd=self._cwd(),
            client_uris=client.arguments.get("pathFormat") == "uri",
        )
        for problem in problems:
            client.note(problem)
        self._mapping = mapping if mapping or client.arguments.get("pathFormat") == "uri" else None
        self._ask("initialize", client.arguments)
        self._ask("attach", configuration.for_agent(), asked)

    def from_client(self, client: Client, message: dict[str, Any]) -> None:
        """Take a request of the attached client."""
        command = message["command"]
        if command == "disconnect":
            self._disconnect(client, message)
        elif command == "terminate" and (self._program is not None or self._agent is None):
            client.answer(message)
            self._terminate(GENTLY_S)
        elif self._agent is None or self.ended:
            client.fail(message, DEBUGGEE_GONE(reason=self._gone))
        elif command == "cancel":
            self._cancel(client, message)
        else:
            if command == "configurationDone":
                self._configured = True
                self.is_held = False
            elif command in _RESUMES:
                self._stands = False
            if self._mapping is not None:
                message = translate(message, self._mapping, TO_DEBUGGEE)
            self._ask(command, message.get("arguments"), message)

    def answer_from_client(self, message: dict[str, Any]) -> None:
        """Take the client's answer to a request of the agent."""
        asked = self._reverse.pop(message.get("request_seq", 0), None)
        if asked is not None and self._agent is not None:
            self._agent.send({**message, "seq": self._next_seq(), "request_seq": asked["seq"]})

    def client_lost(self, client: Client) -> None:
        """The client vanished without a word. A program it launched ends, any other runs on, undebugged."""
        if client is not self.client:
            return
        self._let_go()
        if self.launched:
            self._terminate(self._hurried_s)
        elif self._agent is not None:
            self._detach()

    def hold(self, *, yes: bool) -> None:
        """The client does not keep up: take less from the debuggee."""
        if self._agent is not None:
            self._agent.hold_reading(yes=yes)
        if self._program is not None:
            self._program.hold_output(yes=yes)

    # The agent (these are `Connection`'s owner).

    def received(self, connection: Connection, message: dict[str, Any]) -> None:
        kind = message.get("type")
        if kind == "response":
            self._answer_from_agent(message)
        elif kind == "event":
            self._event_from_agent(message)
        elif kind == "request":
            self._request_from_agent(message)

    def malformed(self, connection: Connection, error: FramingError) -> None:
        self._agent_lost(f"it sent something that is no message ({error.text})")

    def lost(self, connection: Connection) -> None:
        self._agent_lost(
            "it ended unexpectedly, or closed its connection to remora",
            if_alive="it closed its connection to remora",
        )

    def crowded(self, connection: Connection, *, yes: bool) -> None:
        if self.client is not None:
            self.client.hold_reading(yes=yes)

    # The program, where it is ours.

    def program_output(self, category: str, text: str) -> None:
        """Show what the program has written."""
        if self.client is not None:
            self.client.event("output", {"category": category, "output": text})

    def program_exited(self, code: int | None) -> None:
        """The kernel says so (None: not our child). The agent's last words may still be on their way."""
        self._exit_known = True
        if code is not None:
            self._exit_code = code
        self._program = None
        if self._agent is None:
            self._end()
        else:
            self._later(GOODBYE_S, lambda: self._agent_lost("its process ended"))

    # Inside: towards the agent.

    def _next_seq(self) -> int:
        self._seq += 1
        return self._seq

    def _ask(
        self,
        command: str,
        arguments: Any = None,
        asked: dict[str, Any] | None = None,
        answer: Answer | None = None,
    ) -> None:
        assert self._agent is not None
        seq = self._next_seq()
        self._asked[seq] = (asked, answer)
        self._agent.send(request(seq, command, arguments))

    def _cancel(self, client: Client, message: dict[str, Any]) -> None:
        arguments = dict(arguments_of(message))
        if "requestId" in arguments:
            # The client's number may have been used before: the latest is meant.
            for seq, (asked, _) in reversed(self._asked.items()):
                if asked is not None and asked.get("seq") == arguments["requestId"]:
                    arguments["requestId"] = seq
                    break
            else:
                client.answer(message)  # already answered: nothing to cancel, which is no error
                return
        self._ask("cancel", arguments, message)

    def _detach(self, then: Callable[[], None] | None = None) -> None:
        """Tell the agent that nobody is here any more; the debuggee runs on at no cost."""
        self._detaching = True
        self._reverse.clear()

        def done(message: dict[str, Any]) -> None:
            self._detaching = False
            if then is not None:
                then()

        self.is_held = False
        self._ask("disconnect", {"terminateDebuggee": False}, answer=done)

    def _disconnect(self, client: Client, message: dict[str, Any]) -> None:
        wanted = arguments_of(message).get("terminateDebuggee")
        terminate = self.launched if not isinstance(wanted, bool) else wanted
        if self.ended or (self._agent is None and self._program is None):
            self._let_go()
            client.bye(message)
        elif terminate and self._program is not None:

            def gone() -> None:
                self._let_go()
                client.bye(message)

            self._when_ended.append(gone)
            self._terminate(self._hurried_s)
        elif self._agent is None:
            self._let_go()
            client.bye(message)
        else:
            # The client stays bound until the answer: what the agent says before that is still for it.
            said_bye = False
            self.is_held = False

            def done(_: object = None) -> None:
                nonlocal said_bye
                if not said_bye:
                    said_bye = True
                    self._let_go()
                    client.bye(message)

            self._ask("disconnect", {**arguments_of(message), "terminateDebuggee": terminate}, answer=done)
            self._later(AGENT_S, done)

    @property
    def _hurried_s(self) -> float:
        """How long a program whose client leaves may tidy up.

        Not at all if it stands: it would first go on from there, and do what the person has stopped it from
        doing. Nor if it was asked before: the person is in a hurry.
        """
        return 0.0 if self._ending or self._stands else HURRIED_S

    def _terminate(self, gently_s: float) -> None:
        program = self._program
        if program is None:
            return
        self._ending = True
        if not self._configured:
            gently_s = 0.0  # there is nothing to tidy up, only a traceback of ours to be seen
        if self._agent is None or gently_s == 0 or self._detaching:
            program.end(gently_s=gently_s)
            return
        if self._stands:
            # It hears the signal where it stands, as the first thing when it is let go.
            program.end(gently_s=gently_s)
            self._ask("disconnect", {"terminateDebuggee": False}, answer=lambda _: None)
            return
        # A breakpoint in what it does to tidy up would hold it: detach first. If the agent is stuck, the
        # signal comes anyway.
        started = False

        def start() -> None:
            nonlocal started
            if not started:
                started = True
                program.end(gently_s=gently_s)

        self._ask("disconnect", {"terminateDebuggee": False}, answer=lambda _: start())
        self._later(0.5, start)

    # Inside: from the agent.

    def _answer_from_agent(self, message: dict[str, Any]) -> None:
        asked, answer = self._asked.pop(message.get("request_seq", 0), (None, None))
        if answer is not None:
            answer(message)
        elif asked is not None and self.client is not None:
            if self._mapping is not None:
                message = translate(message, self._mapping, TO_CLIENT)
            client = self.client
            client.forward_answer(message, asked)
            if asked["command"] not in ("attach", "launch"):
                return
            if message.get("success") is True:
                self.is_ready = True
                if self._on_ready is not None:
                    self._on_ready(self)
            else:
                # Not attached after all; a program that was started for this has no purpose left.
                self._let_go()
                self.go()
                if self._program is not None:
                    self._program.end(gently_s=0.0)

    def _event_from_agent(self, message: dict[str, Any]) -> None:
        name = message.get("event")
        if name == "exited":
            self._exit_code = (message.get("body") or {}).get("exitCode")
        elif name == "terminated":
            self._ended_cleanly = True
            if self._program is None:
                self._agent_lost("it has ended")
        elif name == "process" and not self.launched:
            self._path = (message.get("body") or {}).get("name") or self._path
        if name in ("exited", "terminated", "process"):
            # Ours to say: with the kernel's exit code if we have it, and after all output.
            return
        if name in ("stopped", "continued"):
            self._stands = name == "stopped"
        client = self.client
        if client is None or self._detaching:
            return
        if self._program is not None and name == "stopped":
            # What was printed before the stop is shown before it.
            self._program.drain()
        elif name == "initialized":
            client.event(
                "process",
                {
                    "name": self._path,
                    "systemProcessId": self.pid,
                    "isLocalProcess": True,
                    "startMethod": "launch" if self.launched else "attach",
                },
            )
        if self._mapping is not None:
            message = translate(message, self._mapping, TO_CLIENT)
        client.forward_event(message)

    def _request_from_agent(self, message: dict[str, Any]) -> None:
        command = message.get("command", "")
        client = self.client
        if client is None or self._detaching or not client.takes(command):
            if self._agent is not None:
                error = DapError(f"no client is attached that takes '{command}'")
                self._agent.send(error_response(self._next_seq(), message, error))
            return
        self._reverse[client.forward_request(message)] = message

    def _agent_lost(self, reason: str, *, if_alive: str | None = None) -> None:
        """Its connection has ended; `if_alive` is the reason when its process turns out to run on."""
        if self._agent is None:
            return
        agent, self._agent = self._agent, None
        asked, self._asked = self._asked, {}
        if self._ended_cleanly:
            reason = "it has ended"
        else:
            agent.close()  # after its goodbye it closes by itself
        is_said = False  # to the person, who waits for what was typed
        for question, answer in asked.values():
            if question is not None and answer is None and self.client is not None:
                self.client.fail(question, DEBUGGEE_GONE(reason=reason))
                is_said = is_said or _typed(question)
            elif answer is not None:
                answer({"success": False})
        if self._program is None:
            is_known = is_said or self._ended_cleanly or self._exit_known
            if not is_known and self.client is not None:
                self.client.note(f"the program is gone: {reason}")
            self._end()
            return
        # Its process still runs, or the kernel's word is on its way: only that ends the session.
        self._gone = f"{if_alive or reason}; its process runs on" if not self._ended_cleanly else self._gone

        def say() -> None:
            if self._program is not None and self.client is not None and not self._ending:
                self.client.note(f"the program can no longer be debugged: {if_alive or reason}")

        self._later(GOODBYE_S, say)

    def _end(self) -> None:
        if self.ended:
            return
        self.ended = True
        client = self.client
        if client is not None:
            if self._exit_code is not None:
                client.event("exited", {"exitCode": self._exit_code})
            client.event("terminated")
        for call in self._when_ended:
            call()
        self._when_ended.clear()
        self._on_end(self)

    def _let_go(self) -> None:
        client, self.client = self.client, None
        self.is_ready = False
        self._mapping = None
        if client is not None:
            client.unbind()
            if self._on_left is not None:
                self._on_left(self, client)
        for seq, (asked, answer) in list(self._asked.items()):
            if asked is not None and answer is None:
                self._asked[seq] = (None, None)
        self.hold(yes=False)

    def _cwd(self) -> str | None:
        cwd = self.hello.get("cwd")
        return cwd if isinstance(cwd, str) and cwd else None


def _typed(asked: dict[str, Any]) -> bool:
    """Whether a person has typed this and reads the answer."""
    return (asked.get("arguments") or {}).get("context") in ("repl", "watch")
