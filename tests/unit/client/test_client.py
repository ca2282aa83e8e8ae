"""The connection: pipelining, waiting, reverse requests, and every way it can end."""

import os
import signal
import socket
import sys
import tempfile
import threading

import pytest

from fake_adapter import LATER, FakeAdapter
from remora.client import Client, Disconnected, RequestFailed, TimedOut
from remora.client.stream import CommandStream
from remora.dap.errors import UsageError
from remora.dap.messages import response
from unheard import strike_the_sleeping_main_thread

ECHO = """
import sys
import tempfile
sys.stderr.write("about to fail\\n")
data = b""
while b"}" not in data:
    data += sys.stdin.buffer.read(1)
body = b'{"seq":1,"type":"response","request_seq":1,"success":true,"command":"x","body":{"n":5}}'
sys.stdout.buffer.write(b"Content-Length: %d\\r\\n\\r\\n" % len(body) + body)
sys.stdout.buffer.flush()
sys.exit(7)
"""


def test_requests_are_pipelined_and_answers_matched_by_seq() -> None:
    with FakeAdapter() as adapter, Client.over(adapter.socket) as client:
        held = []
        adapter.answers["threads"] = lambda arguments: LATER
        first, second = client.send("threads"), client.send("threads")
        adapter.wait_for_request("threads", 2)
        held = adapter.requests[-2:]
        assert not first.done
        adapter.answer(held[1], {"threads": [{"id": 2, "name": "second"}]})
        assert second.result(10)["threads"][0]["id"] == 2
        assert not first.done
        adapter.answer(held[0], {"threads": [{"id": 1, "name": "first"}]})
        assert first.result(10)["threads"][0]["id"] == 1


def test_a_refusal_carries_text_and_number() -> None:
    with FakeAdapter() as adapter, Client.over(adapter.socket) as client:

        def refuse(arguments: dict) -> None:
            raise UsageError("no {x}, says {who}", id=2999, variables={"x": "{who}", "who": "fake"})

        adapter.answers["threads"] = refuse
        with pytest.raises(RequestFailed, match=r"no \{who\}, says fake") as caught:
            client.request("threads")
        assert (caught.value.id, caught.value.command) == (2999, "threads")


def test_events_are_given_out_once_and_in_order() -> None:
    with FakeAdapter() as adapter, Client.over(adapter.socket) as client:
        for number in range(4):
            adapter.emit("output", {"output": str(number)})
        assert client.wait_for("output", where=lambda body: body["output"] == "2")["output"] == "2"
        assert [client.wait_for("output")["output"] for _ in range(3)] == ["0", "1", "3"]
        assert [body["output"] for body in client.seen("output")] == ["0", "1", "2", "3"]
        adapter.emit("output", {"output": "old"})
        client.request("threads")
        client.forget("output")
        adapter.emit("output", {"output": "new"})
        assert client.wait_for("output")["output"] == "new"


def test_a_time_out_shows_the_last_messages() -> None:
    with FakeAdapter() as adapter, Client.over(adapter.socket) as client:
        client.request("threads")
        with pytest.raises(TimedOut) as caught:
            client.wait_for("stopped", timeout_s=0.05)
        text = str(caught.value)
        assert text.startswith("no 'stopped' event within 0.05 s")
        assert "-> request threads" in text
        assert '<- response threads {"threads": [{"id": 1' in text


def test_waiting_stops_when_the_request_it_is_about_fails() -> None:
    with FakeAdapter() as adapter, Client.over(adapter.socket) as client:

        def refuse(arguments: dict) -> None:
            raise UsageError("no such program")

        adapter.answers["launch"] = refuse
        with pytest.raises(RequestFailed, match="no such program"):
            client.wait_for("initialized", unless=client.send("launch", {}))


def test_reverse_requests_are_answered() -> None:
    asked = threading.Event()

    def handler(command: str, arguments: dict) -> dict:
        asked.set()
        if command == "startDebugging":
            raise UsageError("not here")
        if arguments["cwd"] == "/bug":
            raise KeyError("bug")
        return {"processId": 42}

    with FakeAdapter() as adapter, Client.over(adapter.socket, on_reverse_request=handler) as client:
        adapter.ask("runInTerminal", {"cwd": "/", "args": ["x"]})
        reply = adapter.wait_for_reply()
        assert (reply["success"], reply["body"]) == (True, {"processId": 42})
        adapter.ask("startDebugging", {"configuration": {}, "request": "attach"})
        reply = adapter.wait_for_reply()
        assert (reply["success"], reply["message"]) == (False, "not here")
        adapter.ask("runInTerminal", {"cwd": "/bug", "args": []})
        assert "KeyError" not in adapter.wait_for_reply()["body"]["error"]["format"]
        client.on_reverse_request = None
        adapter.ask("runInTerminal", {"cwd": "/", "args": []})
        assert "not supported" in adapter.wait_for_reply()["message"]


def test_a_reverse_request_is_answered_when_json_cannot_say_the_answer() -> None:
    with FakeAdapter() as adapter, Client.over(adapter.socket) as client:
        client.on_reverse_request = lambda command, arguments: {"processId": object()}
        adapter.ask("runInTerminal", {"cwd": "/", "args": []})
        reply = adapter.wait_for_reply()
        assert reply["success"] is False
        assert reply["message"].startswith("runInTerminal: the answer cannot be sent: ")


def test_a_reverse_request_may_use_the_client() -> None:
    with FakeAdapter() as adapter, Client.over(adapter.socket) as client:
        client.on_reverse_request = lambda command, arguments: {
            "processId": client.request("threads")["threads"][0]["id"]
        }
        adapter.ask("runInTerminal", {"cwd": "/", "args": []})
        assert adapter.wait_for_reply()["body"] == {"processId": 1}


def test_events_reach_the_callback() -> None:
    got = []
    with (
        FakeAdapter() as adapter,
        Client.over(adapter.socket, on_event=lambda *args: got.append(args)) as client,
    ):
        adapter.emit("output", {"output": "x"})
        client.request("threads")
        assert got == [("output", {"output": "x"})]


def test_a_closed_connection_fails_what_is_pending() -> None:
    with FakeAdapter() as adapter, Client.over(adapter.socket) as client:
        adapter.answers["threads"] = lambda arguments: LATER
        pending = client.send("threads")
        adapter.wait_for_request("threads")
        adapter.close()
        with pytest.raises(Disconnected, match="the other side closed the connection"):
            pending.result(10)
        with pytest.raises(Disconnected, match="cannot send 'threads'"):
            client.send("threads")
        with pytest.raises(Disconnected):
            client.wait_for("stopped")
        assert not client.connected


def test_closing_wakes_whoever_waits() -> None:
    with FakeAdapter() as adapter:
        client = Client.over(adapter.socket)
        failures = []

        def wait() -> None:
            try:
                client.wait_for("stopped")
            except Disconnected as error:
                failures.append(str(error))

        waiter = threading.Thread(target=wait)
        waiter.start()
        client.close()
        client.close()
        waiter.join(10)
        assert failures == ["while waiting for a 'stopped' event: this client closed the connection"]


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no signal can be sent to one thread here")
def test_ctrl_c_as_a_wait_begins_is_heard() -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with FakeAdapter() as adapter, Client.over(adapter.socket) as client:
            adapter.answers["threads"] = lambda arguments: ({"threads": []}, strike_the_sleeping_main_thread)
            client.send("threads")
            with pytest.raises(KeyboardInterrupt):
                client.wait_for("stopped", timeout_s=20)
            del adapter.answers["threads"]
            assert client.request("threads")["threads"]  # it has not harmed the client
    finally:
        signal.signal(signal.SIGINT, before)


def test_garbage_ends_the_connection_with_a_reason() -> None:
    with FakeAdapter() as adapter, Client.over(adapter.socket) as client:
        adapter.send_bytes(b"Traceback (most recent call last):\r\n\r\n")
        with pytest.raises(Disconnected, match="does not speak DAP"):
            client.wait_for("stopped")


def test_an_ill_formed_body_is_skipped() -> None:
    with FakeAdapter() as adapter, Client.over(adapter.socket) as client:
        adapter.send_bytes(b"Content-Length: 2\r\n\r\n{]")
        assert client.request("threads")["threads"]


def test_a_message_cut_off_is_named() -> None:
    with FakeAdapter() as adapter, Client.over(adapter.socket) as client:
        adapter.send_bytes(b"Content-Length: 20\r\n\r\n{")
        adapter.close()
        with pytest.raises(Disconnected, match="in the middle of a message"):
            client.wait_for("stopped")


def test_over_tcp_without_nagle() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        Client.connect("127.0.0.1", server.getsockname()[1]) as client,
        server.accept()[0] as peer,
    ):
        sock = client.stream._socket  # type: ignore[attr-defined]
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        client.send("threads")
        assert peer.recv(1000).startswith(b"Content-Length: ")
    with pytest.raises(OSError, match=r"[Rr]efused"):
        Client.connect("127.0.0.1", server_port_of_nobody(), connect_timeout_s=0)


def server_port_of_nobody() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_a_command_on_stdio_and_how_it_died() -> None:
    with Client.spawn([sys.executable, "-c", ECHO]) as client:
        assert client.request("x") == {"n": 5}
        with pytest.raises(Disconnected, match=r"ended with code 7; its error output:\nabout to fail"):
            client.wait_for("stopped")


def test_a_command_leaves_no_pipe_open() -> None:
    with Client.spawn([sys.executable, "-c", ECHO]) as client:
        assert client.request("x") == {"n": 5}
        stream = client.stream
        assert isinstance(stream, CommandStream)
    process = stream.process
    assert [pipe.closed for pipe in (process.stdin, process.stdout, process.stderr) if pipe] == [True] * 3


def test_what_json_cannot_say_is_refused_and_not_waited_for() -> None:
    with FakeAdapter() as adapter, Client.over(adapter.socket) as client:
        with pytest.raises(TypeError):
            client.send("evaluate", {"expression": object()})
        assert not client._pending


def test_a_command_that_does_not_end_is_ended() -> None:
    code = "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', file=sys.stderr)"
    code += "\nwhile True: signal.pause()"
    client = Client.spawn([sys.executable, "-c", code])
    client.stream._grace_s = 0.2  # type: ignore[attr-defined]
    client.close()
    assert client.stream.process.returncode is not None  # type: ignore[attr-defined]


def test_a_command_that_goes_on_without_us_is_let_go() -> None:
    """An adapter that serves others too: it has closed its output, so it has heard us leave."""
    code = "import os, sys; sys.stdin.read(); os.close(1); open(sys.argv[1]).read(); os._exit(3)"
    with tempfile.TemporaryDirectory() as folder:
        others = os.path.join(folder, "others")
        os.mkfifo(others)
        client = Client.spawn([sys.executable, "-c", code, others])
        stream = client.stream
        assert isinstance(stream, CommandStream)
        stream._grace_s = 0.2
        client.close()
        assert stream.process.poll() is None
        os.close(os.open(others, os.O_WRONLY))
        waiting = [thread for thread in threading.enumerate() if thread.name == "remora-client-wait"]
        for thread in waiting:
            thread.join(20)
        assert stream.process.returncode == 3


def test_many_threads_may_ask_at_once() -> None:
    with FakeAdapter() as adapter, Client.over(adapter.socket) as client:
        adapter.answers["evaluate"] = lambda arguments: {
            "result": arguments["expression"],
            "variablesReference": 0,
        }
        wrong = []

        def ask(number: int) -> None:
            for index in range(50):
                text = f"{number}.{index}"
                if client.request("evaluate", {"expression": text})["result"] != text:
                    wrong.append(text)

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert wrong == []
        assert [m["seq"] for m in adapter.requests] == list(range(1, 201))


def test_responses_nobody_waits_for_are_ignored() -> None:
    with FakeAdapter() as adapter, Client.over(adapter.socket) as client:
        adapter._send(lambda seq: response(seq, {"seq": 999, "command": "next"}))
        assert client.request("threads")
