"""A session: one debuggee, from hello to goodbye, and the client that is attached to it, if any.

Forwards between the two, in order: gives messages new numbers, translates paths, answers for an agent that is
gone. What a client may send before it is attached is none of its business (see `client`).

Everything happens in callbacks on the loop's thread that never wait in the middle, so there is no lock and no
queue, and the order of messages is the order of callbacks. Knows no sockets: it is handed things with `send`.

Longer than most modules: forwarding, coming back after an exec and ending all turn on who is there just now.

A process may put another program in its place (exec): the agent goes without a word, and while the process
lives the session waits a little for the agent of the new image (`successor`), with which it goes on.

The last words to a client are, in this order: answers (errors, if the agent died) to all that it asked, all
output, `exited` if the exit code is known, `terminated`.
"""

from __future__ import annotations

import functools

from remora.dap.errors import CANCELLED, DEBUGGEE_GONE, DapError
from remora.dap.hello import GO, HOLD, STARTING, STAYS
from remora.dap.messages import arguments_of, error_response, event, request
from remora.dap.paths import POSIX, TO_CLIENT, TO_DEBUGGEE, mapping_from, translate
from remora.hub.life import described, is_ordinary, shown
from remora.hub.replay import Replay

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
    from remora.hub.life import Life
    from remora.hub.replay import Key

    class Condemn(Protocol):
        """See to it that a process ends which is not ours: ask it, unless somebody has; then kill it."""

        def __call__(self, session: Session, /, *, asks: bool, gently_s: float) -> None: ...

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
        def end(
            self, *, gently_s: float, spares: Callable[[], bool] | None = None, asks: bool = True
        ) -> None:
            """End it: ask first if `gently_s` > 0, kill after that. `program_exited` follows.

            What it has started ends too, unless `spares` says then that it is to live. Without `asks`
            somebody else does that.
            """


# How long a program may take to end by itself once asked to.
GENTLY_S = 5.0
# The same for a client that disconnects at once: it waits for the answer.
HURRIED_S = 1.5
# An agent answers from its own thread; one that takes longer sits behind code that holds the interpreter.
AGENT_S = 5.0
# After its answer the agent still holds the interpreter for a moment. A signal that comes while the program
# waits for that is heard after the call it makes next, be that an hour's sleep.
QUIET_S = 0.02
# How long the agent's goodbye may lag behind the death of its process, and that behind the goodbye: what the
# program has told Python to do at exit before the agent came is done after it.
GOODBYE_S = 1.0
# How long a process whose agent is gone may take to be another program: Python has to start, under load.
EXEC_S = 3.0

# What the old image has not answered, and the new one can: nothing of a thread or a frame.
_ASKED_AGAIN = frozenset(
    ("threads", "pause", "setBreakpoints", "setFunctionBreakpoints", "setExceptionBreakpoints", "modules")
)
_SILENTLY = "it ended unexpectedly, or closed its connection to remora"

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
        life: Life | None = None,
        condemn: Condemn | None = None,
        launched: bool = False,
        program: Program | None = None,
    ) -> None:
        """`on_ready` is called when a client is set up, `on_left` when one has gone or was let go.

        `life` is that of the process, and `condemn` ends it; None where its id means nothing here.
        """
        self.hello = hello
        self.name: str = hello["name"]
        self._path = self.name  # the agent says the full path when a client attaches
        self.pid: int = hello["pid"]
        self.interpreter: int = hello.get("interpreter", 0)  # 0: the main one
        self.is_child = hello.get("startMethod") == "child"
        # A child that has not begun: it waits for `go` or for a client.
        self.is_held = self.is_child and hello.get("waiting") is True
        self.is_ready = False  # a client is set up
        self.was_told = False  # the client has come because the hub has told of this process
        self.settings: dict[str, Any] = {}  # the client's, as it attached
        self.member: Member | None = None
        self.spares: Callable[[], bool] | None = None  # whether what it has started has clients of its own
        self.launched = launched
        self.client: Client | None = None
        self.ended = False
        self.has_just_started = False  # another process, which may be about to say hello
        self._agent: AgentLink | None = agent
        self._program = program
        self._on_end = on_end
        self._on_ready = on_ready
        self._on_left = on_left
        self._later = later
        self._life = life
        self._condemn = condemn
        self._seq = 0
        # Requests to the agent not yet answered: our number -> (client's request or None, what to do).
        self._asked: dict[int, tuple[dict[str, Any] | None, Answer | None]] = {}
        # Requests of the agent to the client: the number given to the client -> the agent's request.
        self._reverse: dict[int, dict[str, Any]] = {}
        # While the agent has not answered our `disconnect`, what it still says belongs to the client before.
        self._detaching = False
        self._mapping: PathMapping | None = None
        self._exit_code: int | None = None
        self._exit_known = False  # the process is dead
        self._death: int | None = None  # as the kernel says it
        self._ending = False
        # True once the client said so: until then a launched program has run no line of its own.
        self._configured = False
        self._stands = False  # the debuggee is stopped, as far as the client knows
        self._gone = "it has ended"
        self._ended_cleanly = False
        self._stays = False  # its process lives on after that
        # An agent that was brought in by process id leaves with its client.
        self._leaves = hello.get("startMethod") == "attach"
        self._is_leaving = False
        self._when_ended: list[Callable[[], None]] = []
        self._configuration: Configuration | None = None
        self._is_wanted = True  # the client has not asked for the end
        self._replay = Replay()
        self._threads: list[int] = []  # that the client was told of
        # While the process is between two images.
        self._vigil: _Vigil | None = None
        # What the client sends until the new image is set up.
        self._kept: list[dict[str, Any]] | None = None

    @property
    def is_free(self) -> bool:
        """True while another client may attach."""
        return self.client is None and not self.ended and self._agent is not None and not self._is_leaving

    @property
    def said_goodbye(self) -> bool:
        """True when the agent has told the end, not only gone."""
        return self._ended_cleanly

    def go(self) -> None:
        """Let a child that waits run on: nobody attaches now."""
        if self.is_held and self.client is None and self._agent is not None:
            self.is_held = False
            self._agent.send(event(self._next_seq(), GO))

    def hold_on(self) -> None:
        """Tell a child that waits that a client may come: without a word it would run on after a while."""
        if self.is_held and self._agent is not None:
            self._agent.send(event(self._next_seq(), HOLD))

    def when_ended(self, call: Callable[[], None]) -> None:
        """Call it when the session is over; at once if it is."""
        if self.ended:
            call()
        else:
            self._when_ended.append(call)

    # The client.

    def attach(self, client: Client, asked: dict[str, Any], configuration: Configuration) -> None:
        """Bind the client and ask the agent to attach; its answer answers `asked` (an attach or a launch)."""
        self.client = client
        self.settings = configuration.arguments
        self._is_wanted = True
        self._configuration = configuration
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
        if command in ("disconnect", "terminate"):
            self._is_wanted = False
        if command == "disconnect":
            self._disconnect(client, message)
        elif command == "terminate" and (self._program is not None or self._agent is None):
            client.answer(message)
            self._terminate(GENTLY_S)
        elif self._kept is not None:
            self._kept.append(message)
        elif self._agent is None or self.ended:
            client.fail(message, DEBUGGEE_GONE(reason=self._gone))
        elif command == "cancel":
            self._cancel(client, message)
        else:
            if command == "configurationDone":
                self._configured = True
                self.is_held = False
            elif command == "terminate":
                self._ending = True
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
            # Nobody has asked for this: what others look at lives on.
            self._terminate(self._hurried_s, spares=self.spares)
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
        if connection is self._agent:
            self._agent_lost(f"it sent something that is no message ({error.text})")

    def lost(self, connection: Connection) -> None:
        if connection is self._agent:
            self._agent_lost(_SILENTLY, if_alive="it closed its connection to remora")

    def successor(self, agent: AgentLink, hello: Hello) -> None:
        """The process runs another program now: go on with that. The client, if there is one, sees no end."""
        if self._agent is not None:  # its end is on its way
            self._agent_lost(_SILENTLY)
        vigil, self._vigil = self._vigil, None
        if self._life is not None:
            self._life.forget()
            self._life.look_again()
        self._agent = agent
        self.hello = hello
        self.name = self._path = hello["name"]
        self._gone = "it has ended"
        self._ended_cleanly = self._detaching = False
        self.is_held = hello.get("waiting") is True
        client, configuration = self.client, self._configuration
        kept = self._kept or []
        for question in reversed(vigil.questions if vigil is not None else []):
            if question["command"] in _ASKED_AGAIN and self.is_ready:
                kept.insert(0, question)
            elif client is not None:
                client.fail(question, DEBUGGEE_GONE(reason="it has put another program in its place (exec)"))
        self._kept = kept if client is not None else None
        if client is not None and not self.is_ready:
            self._let_go()  # its attach has just failed
        if client is None or configuration is None or not self.is_ready:
            return
        for thread in self._threads:
            client.event("thread", {"reason": "exited", "threadId": thread})
        self._threads.clear()
        if self._stands:
            self._stands = False
            client.event("continued", {"threadId": 1, "allThreadsContinued": True})
        client.note(f"process {self.pid} runs another program now: {self.name}")
        self._ask("initialize", client.arguments, answer=_nothing)
        settings = {**configuration.for_agent(), "stopOnEntry": False}
        self._ask("attach", settings, answer=self._attached_again)

    def crowded(self, connection: Connection, *, yes: bool) -> None:
        if self.client is not None:
            self.client.hold_reading(yes=yes)

    # The program, where it is ours.

    def program_output(self, category: str, text: str) -> None:
        """Show what the program has written."""
        if self.client is not None:
            self.client.event("output", {"category": category, "output": text})

    def program_exited(self, code: int | None) -> None:
        """The kernel says so (None: it does not know). The agent's last words may still be on their way."""
        self._has_died(code)
        self._program = None
        if self._agent is None:
            self._not_coming_back()
            self._end()
        else:
            self._later(GOODBYE_S, lambda: self._agent_lost("its process ended"))

    def _has_died(self, code: int | None) -> None:
        self._exit_known = True
        if code is not None:
            self._exit_code = shown(code)
            self._death = code

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
        if asked is not None:
            self._replay.asked(seq, command, arguments)
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
            if terminate:
                self._see_to_the_end(asks=True)
            self._let_go()
            client.bye(message)
        else:
            # The client stays bound until the answer: what the agent says before that is still for it.
            said_bye = False
            self.is_held = False

            def done(_: dict[str, Any] | None = None) -> None:
                nonlocal said_bye
                if not said_bye:
                    said_bye = True
                    if terminate:
                        self._see_to_the_end(asks=False)  # the agent does
                    self._let_go()
                    client.bye(message)

            self._ask("disconnect", {**arguments_of(message), "terminateDebuggee": terminate}, answer=done)
            self._later(AGENT_S, done)

    def _see_to_the_end(self, *, asks: bool) -> None:
        """Kill what was attached to, and shall end, if it does not end by itself; or was asked to before."""
        if self._condemn is not None and not self.ended:
            self._condemn(self, asks=asks, gently_s=0.0 if self._ending else GENTLY_S)

    @property
    def _hurried_s(self) -> float:
        """How long a program whose client leaves may tidy up.

        Not at all if it stands: it would first go on from there, and do what the person has stopped it from
        doing. Nor if it was asked before: the person is in a hurry.
        """
        return 0.0 if self._ending or self._stands else HURRIED_S

    def _terminate(self, gently_s: float, *, spares: Callable[[], bool] | None = None) -> None:
        program = self._program
        if program is None:
            return
        self._ending = True
        if not self._configured:
            gently_s = 0.0  # there is nothing to tidy up, only a traceback of ours to be seen
        if self._agent is None or gently_s == 0 or self._detaching:
            program.end(gently_s=gently_s, spares=spares)
            return
        if self._stands:
            # Its agent asks it: so it hears that where it stands, as the first thing when it is let go.
            program.end(gently_s=gently_s, spares=spares, asks=False)
            self._ask("disconnect", {"terminateDebuggee": True}, answer=_nothing)
            return
        # A breakpoint in what it does to tidy up would hold it: detach first. If the agent is stuck, the
        # signal comes anyway.
        started = False

        def start() -> None:
            nonlocal started
            if not started:
                started = True
                program.end(gently_s=gently_s, spares=spares)

        def quiet(_: object) -> None:
            self._later(QUIET_S, start)

        self._ask("disconnect", {"terminateDebuggee": False}, answer=quiet)
        self._later(0.5, start)

    # Inside: from the agent.

    def _answer_from_agent(self, message: dict[str, Any]) -> None:
        seq = message.get("request_seq", 0)
        asked, answer = self._asked.pop(seq, (None, None))
        if answer is not None:
            answer(message)
        elif asked is not None and self.client is not None:
            self._replay.answered(seq, message)
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
                if self._leaves and self._agent is not None:
                    self._agent.close()

    def _event_from_agent(self, message: dict[str, Any]) -> None:
        name = message.get("event")
        if name == "exited":
            self._exit_code = (message.get("body") or {}).get("exitCode")
        elif name == "terminated":
            self._ended_cleanly = True
            body = message.get("body") or {}
            self.has_just_started = body.get(STARTING) is True
            self._stays = body.get(STAYS) is True
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
        if name == "initialized" and self._kept is not None:
            self._set_up_again()
            return
        if name == "thread":
            self._note_thread(message.get("body") or {})
        self._replay.event(message)
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
        self._tell(client, message)

    def _tell(self, client: Client, message: dict[str, Any]) -> None:
        if self._mapping is not None:
            message = translate(message, self._mapping, TO_CLIENT)
        client.forward_event(message)

    def _note_thread(self, body: dict[str, Any]) -> None:
        number, reason = body.get("threadId"), body.get("reason")
        if reason == "started" and isinstance(number, int):
            self._threads.append(number)
        elif reason == "exited" and number in self._threads:
            self._threads.remove(number)

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
        questions = []
        for question, answer in asked.values():
            if answer is not None:
                answer({"success": False})
            elif question is not None and self._ended_cleanly and self.client is not None:
                self.client.fail(question, DEBUGGEE_GONE(reason=reason))
            elif question is not None:
                questions.append(question)
        self._vigil = vigil = _Vigil(questions, reason, if_alive or reason)
        limit_s = 0.0 if self._exit_known else self._may_take()
        if not limit_s:
            self._not_coming_back()
            return
        if self._kept is None and self.is_ready and not self._ended_cleanly:
            self._kept = []
        if self._program is None and self._life is not None:
            self._life.when_dead(lambda code: self._died(vigil, code))
        self._later(limit_s, lambda: self._vigil_over(vigil))

    def _may_take(self) -> float:
        """Return how long to wait for a process without an agent: it dies, or will be another program."""
        life = self._life if self._life is not None and self._life.is_known else None
        if self._program is not None:
            # Its death is waited for in any case.
            return 0.0 if self._ended_cleanly else EXEC_S
        if life is None or (self.client is None and (self._ended_cleanly or self._is_brought)):
            return 0.0  # nobody waits
        if self._ended_cleanly:
            return 0.0 if self._stays else GOODBYE_S
        # A daemon that has closed all its descriptors calls again, if it is of a family.
        may_call = self.settings.get("subProcess") is not False
        return EXEC_S if may_call or life.runs_another_program else 0.0

    @property
    def _is_brought(self) -> bool:
        """The agent was brought into the program by its process id: it leaves without a word when let go."""
        return self.hello.get("startMethod") == "attach"

    def _died(self, vigil: _Vigil, code: int | None) -> None:
        if self._vigil is vigil:
            self._has_died(code)
            self._not_coming_back()

    def _vigil_over(self, vigil: _Vigil) -> None:
        if self._vigil is vigil:
            self._not_coming_back()

    def _not_coming_back(self) -> None:
        """What has lost its agent stays without one."""
        vigil, self._vigil = self._vigil, None
        if vigil is None:
            return
        if self._life is not None:
            self._life.forget()
        kept, self._kept = self._kept or [], None
        client = self.client
        if self._exit_known:
            vigil.reason = "it has ended" if self._death is None else f"it {described(self._death)}"
        is_said = False  # to the person, who waits for what was typed
        if client is not None:
            for question in vigil.questions + kept:
                client.fail(question, DEBUGGEE_GONE(reason=vigil.reason))
                is_said = is_said or _typed(question)
        if self._program is not None:
            # Its process still runs, or the kernel's word is on its way: only that ends the session.
            if not self._ended_cleanly:
                self._gone = f"{vigil.if_alive}; its process runs on"
                if client is not None and not self._ending:
                    client.note(f"the program can no longer be debugged: {vigil.if_alive}")
            return
        if client is not None and not (is_said or self._ended_cleanly or self._exit_code is not None):
            # A child is ended by its parent, as a rule: that is no news.
            if not self._exit_known:
                client.note(f"the program is gone: {vigil.if_alive}")
            elif not self.is_child:
                client.note("the program is gone: it has ended without a word")
        self._end()

    def _set_up_again(self) -> None:
        """The new image is ready for what the client has asked of the old one."""
        for key in self._replay.begin_again():
            command, arguments = self._replay.request(key)
            self._ask(command, arguments, answer=functools.partial(self._repeated, key))
        self._ask("configurationDone", {}, answer=self._configured_again)

    def _repeated(self, key: Key, message: dict[str, Any]) -> None:
        if message.get("success") is not True or self.client is None:
            return
        for breakpoint in self._replay.repeated(key, message.get("body") or {}):
            body = {"reason": "changed", "breakpoint": breakpoint}
            self._tell(self.client, event(0, "breakpoint", body))

    def _attached_again(self, message: dict[str, Any]) -> None:
        if message.get("success") is not True and self._agent is not None:
            self._ended_cleanly = False
            self._agent_lost(f"the new program cannot be debugged: {message.get('message')}")
            self._not_coming_back()

    def _configured_again(self, message: dict[str, Any]) -> None:
        kept, client = self._kept, self.client
        if message.get("success") is True and kept is not None and client is not None:
            self._kept = None
            self.is_held = False
            for each in kept:
                self.from_client(client, each)

    def _end(self) -> None:
        if self.ended:
            return
        self.ended = True
        client = self.client
        if self._life is not None:
            self._life.close()
        if client is not None:
            if self._death is not None and self._is_wanted and not is_ordinary(self._death):
                client.note(f"the program {described(self._death)}")
            if self._exit_code is not None:
                client.event("exited", {"exitCode": self._exit_code})
            again = self._is_wanted and not self.launched and self.settings.get("restart")
            client.event("terminated", {"restart": True} if again else None)
        for call in self._when_ended:
            call()
        self._when_ended.clear()
        self._on_end(self)

    def _let_go(self) -> None:
        client, self.client = self.client, None
        self._is_leaving = self._leaves
        self.is_ready = False
        self._mapping = None
        self._configuration = None
        self._replay = Replay()
        self._threads.clear()
        kept, self._kept = self._kept or [], None
        if self._vigil is not None:
            kept = self._vigil.questions + kept
            self._vigil.questions = []
        if client is not None:
            for question in kept:
                client.fail(question, DEBUGGEE_GONE(reason="it is about to run another program, or to end"))
            client.unbind()
            if self._on_left is not None:
                self._on_left(self, client)
        for seq, (asked, answer) in list(self._asked.items()):
            if asked is not None and answer is None:
                self._asked[seq] = (None, None)
                if client is not None:
                    client.fail(asked, CANCELLED())
        self.hold(yes=False)

    def _cwd(self) -> str | None:
        cwd = self.hello.get("cwd")
        return cwd if isinstance(cwd, str) and cwd else None


class _Vigil:
    """The time in which a process without an agent may die, or come back as another program."""

    __slots__ = ("if_alive", "questions", "reason")

    def __init__(self, questions: list[dict[str, Any]], reason: str, if_alive: str) -> None:
        self.questions = questions  # of the client, that the old image has not answered
        self.reason = reason
        self.if_alive = if_alive


def _nothing(message: dict[str, Any]) -> None:
    pass


def _typed(asked: dict[str, Any]) -> bool:
    """Whether a person has typed this and reads the answer."""
    return (asked.get("arguments") or {}).get("context") in ("repl", "watch")
