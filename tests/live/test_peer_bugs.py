"""What goes wrong with the debugger people use today must not go wrong here: one test for each finding."""

from __future__ import annotations

import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.wire import Refused, Wire
from live.harness.debuggee import Debuggee, remora, run, until
from live.harness.debugging import Way, attached, free_port, launched, started
from live.harness.programs import Program
from remora.dap import tables

Write = Callable[..., Program]

# Not to be sent to a program one wants to keep.
ENDING = {"disconnect", "terminate", "restart", "terminateThreads"}
# Sent by servers, not by clients.
REVERSE = {"runInTerminal", "startDebugging"}


def test_every_request_is_answered(program: Write) -> None:
    """Fourteen requests of the specification are never answered there, and the session hangs."""
    with launched(program("x = 1\nx = 2    # @here\nx = 3\n")) as debugging:
        debugging.start("here")
        debugging.stopped("breakpoint")
        running = {"continue", "next", "stepIn", "stepOut", "goto", "reverseContinue", "stepBack"}
        commands = [*sorted(set(tables.ARGUMENTS) - ENDING - REVERSE - running), "noSuchRequest"]
        assert len(commands) >= 30
        for command in commands:
            answer = debugging.wire.response(debugging.wire.send(command, {}))
            assert answer["command"] == command
            if not answer["success"]:
                assert answer["message"], answer
                assert answer["body"]["error"]["format"], answer
        for command in sorted(running):
            assert debugging.wire.response(debugging.wire.send(command, {}))["command"] == command
        debugging.resume()
        assert debugging.until_exit()[0] == 0


def test_same_function_in_two_files_is_two_functions(program: Write, tmp_path: Path) -> None:
    text = "def work(n):\n    n += 1\n    return n    # line 3\n"
    for name in ("left", "right"):
        (tmp_path / f"{name}.py").write_text(text)
    target = program(
        "import left, right\nassert left.work.__code__ == right.work.__code__ or True\n"
        "for _ in range(3):\n    left.work(1)\n    right.work(2)\n"
    )
    with launched(target) as debugging:
        debugging.begin()
        debugging.break_at({"line": 3}, source={"path": str(tmp_path / "right.py")})
        debugging.go()
        for _ in range(3):
            stop = debugging.stopped("breakpoint")
            assert stop.top["source"]["path"] == str(tmp_path / "right.py")
            assert stop.locals()["n"] == "3"
            stop.resume()
        assert debugging.until_exit()[0] == 0


STDLIB_NAMES = [
    "io",
    "queue",
    "socket",
    "weakref",
    "json",
    "threading",
    "select",
    "types",
    "token",
    "selectors",
]


@pytest.mark.parametrize("way", [Way.LAUNCH, Way.LISTEN_CLI], ids=lambda way: way.value)
@pytest.mark.parametrize("name", STDLIB_NAMES)
def test_file_named_like_the_standard_library(name: str, way: Way, program: Write) -> None:
    """As the program itself, in its own folder, which stands first on sys.path."""
    if name == "types" and way is Way.LISTEN_CLI:
        pytest.skip("beside a types.py no `python -m` starts at all, whatever the module")
    with started(way, program("def f():\n    return 42    # @here\nf()\n", name=name)) as debugging:
        debugging.begin()
        assert debugging.break_at("here")[0]["line"] == 2
        debugging.go()
        stop = debugging.stopped("breakpoint")
        assert stop.is_at("here")
        stop.resume()
        assert debugging.until_exit()[0] == 0


@pytest.mark.parametrize("way", [Way.LAUNCH, Way.LISTEN_CLI], ids=lambda way: way.value)
def test_modules_beside_the_program_shadow_only_for_the_program(
    way: Way, program: Write, tmp_path: Path
) -> None:
    """The program's own json.py is the program's; ours stays the standard library's."""
    for name in ("json", "selectors", "socket", "struct", "bisect", "random"):
        (tmp_path / f"{name}.py").write_text("def mine():\n    return 'mine'    # line 2\n")
    target = program(
        "import json, bisect\nassert bisect.mine() == json.mine()\nimport random\nprint(random.mine())\n"
    )
    with started(way, target) as debugging:
        debugging.begin()
        debugging.break_at({"line": 2}, source={"path": str(tmp_path / "random.py")})
        debugging.go()
        stop = debugging.stopped("breakpoint")
        assert stop.top["source"]["path"] == str(tmp_path / "random.py")
        stop.resume()
        code, output = debugging.until_exit()
        assert (code, output["stdout"]) == (0, "mine\n")


def test_line_without_code_moves_forward_in_its_function_and_says_so(program: Write) -> None:
    target = program("""\
        def before():
            return 0

        def f():
            # @comment

            x = 1               # @code
            return x

        f()                     # @last
        # @tail
        """)
    with launched(target) as debugging:
        debugging.begin()
        moved, back = debugging.break_at("comment", "tail")
        debugging.go()
        debugging.stopped("breakpoint").resume()
        stop = debugging.stopped("breakpoint")
        assert stop.is_at("code")
        for event in [m["body"] for m in debugging.wire.backlog if m.get("event") == "breakpoint"]:
            for answer in (moved, back):
                if event["breakpoint"].get("id") == answer["id"]:
                    answer.update(event["breakpoint"])
        assert moved["verified"] is True
        assert moved["line"] == target.line("code")
        assert str(target.line("comment")) in moved["message"] or "moved" in moved["message"]
        assert back["line"] == target.line("last"), "nothing follows: the nearest line before"
        assert back["message"]
        stop.resume()
        debugging.until_exit()


LOOP = """\
total = 0
for i in range(20):
    total += i          # @hot
print(total)            # @end
"""


def test_condition_and_hit_condition_must_both_hold(program: Write) -> None:
    with launched(program(LOOP)) as debugging:
        debugging.begin()
        debugging.break_at({"line": "hot", "condition": "i % 2 == 1", "hitCondition": "3"})
        debugging.go()
        stop = debugging.stopped("breakpoint")
        assert stop.locals()["i"] == "5", "the third time that i is odd"
        stop.resume()
        assert debugging.until_exit()[0] == 0


@pytest.mark.parametrize(
    ("hit_condition", "expected"),
    [
        ("4", [3]),
        ("== 4", [3]),
        (">= 19", [18, 19]),
        ("> 19", [19]),
        ("<= 2", [0, 1]),
        ("<2", [0]),
        ("% 9", [8, 17]),
    ],
)
def test_hit_conditions(hit_condition: str, expected: list[int], program: Write) -> None:
    with launched(program(LOOP)) as debugging:
        debugging.begin()
        debugging.break_at({"line": "hot", "hitCondition": hit_condition})
        debugging.go()
        for value in expected:
            stop = debugging.stopped("breakpoint")
            assert stop.locals()["i"] == str(value)
            stop.resume()
        assert debugging.until_exit()[0] == 0


def test_error_in_a_condition_stops_and_says_why(program: Write) -> None:
    with launched(program(LOOP)) as debugging:
        debugging.begin()
        debugging.break_at({"line": "hot", "condition": "totl > 3"})
        debugging.go()
        stop = debugging.stopped("breakpoint")
        assert "totl" in stop.body["text"] and "NameError" in stop.body["text"]
        debugging.break_at()
        stop.resume()
        assert debugging.until_exit()[0] == 0


def test_ill_formed_condition_is_refused_with_the_reason(program: Write) -> None:
    with launched(program(LOOP)) as debugging:
        debugging.begin()
        wrong = debugging.break_at(
            {"line": "hot", "condition": "i = = 3"},
            {"line": "end", "hitCondition": "many"},
            {"line": "end", "logMessage": "{i"},
        )
        for answer in wrong:
            assert answer["verified"] is False
            assert answer["message"]
            assert answer["reason"] == "failed"
        debugging.go()
        assert debugging.until_exit()[0] == 0


def test_log_messages_with_percent_braces_and_formats(program: Write) -> None:
    with launched(program(LOOP)) as debugging:
        debugging.begin()
        debugging.break_at(
            {
                "line": "hot",
                "logMessage": "100% of {i:03d} {{literal}} {'a' + 'b'!r} %s %d",
                "condition": "i < 2",
            }
        )
        debugging.go()
        code, output = debugging.until_exit()
        assert code == 0
        logged = "".join(text for category, text in output.items() if category in ("console", "stdout"))
        assert "100% of 000 {literal} 'ab' %s %d\n100% of 001 {literal} 'ab' %s %d\n" in logged


def test_log_messages_survive_the_end_of_the_program(program: Write) -> None:
    """Two thirds are lost there."""
    with launched(program("for i in range(20_000):\n    i += 0    # @hot\n")) as debugging:
        debugging.wire.keep_transcript = False
        debugging.begin()
        debugging.break_at({"line": "hot", "logMessage": "n{i}"})
        debugging.go()
        output = debugging.until_exit()[1]
        logged = [line for text in output.values() for line in text.splitlines() if line.startswith("n")]
        assert logged == [f"n{i}" for i in range(20_000)]


RAISING = """\
def thrower():
    raise ValueError("boom")    # @raise

def middle():
    thrower()

def outer():
    try:
        middle()
    except ValueError:
        pass

outer()
outer()
print("end")                    # @end
"""


def test_raised_filter_stops_once_for_each_exception(program: Write) -> None:
    with launched(program(RAISING)) as debugging:
        debugging.start("end", filters=["raised"])
        for _ in range(2):
            stop = debugging.stopped("exception")
            assert stop.is_at("raise")
            stop.resume()
        stop = debugging.stopped("breakpoint")
        assert stop.is_at("end")
        stop.resume()
        assert debugging.until_exit()[0] == 0


def test_uncaught_filter_stops_where_it_was_raised(program: Write) -> None:
    with launched(program("def f(n):\n    return 1 / n    # @raise\nf(0)\n")) as debugging:
        debugging.start(filters=["uncaught"])
        stop = debugging.stopped("exception")
        assert stop.is_at("raise")
        assert stop.locals()["n"] == "0"
        info = debugging.wire.request("exceptionInfo", {"threadId": stop.thread_id})
        assert info["exceptionId"].endswith("ZeroDivisionError")
        stop.resume()
        code, output = debugging.until_exit()
        assert code == 1
        assert "ZeroDivisionError: division by zero" in output["stderr"]


BIG = """\
big = list(range(1_000_000))
table = {f"key{i}": i for i in range(100_000)}
bag = set(range(2000))
class Lazy:
    ran = 0
    @property
    def costly(self):
        Lazy.ran += 1
        return "computed"
lazy = Lazy()
print()                         # @here
"""


def test_big_values_come_in_pages_and_whole(program: Write) -> None:
    with launched(program(BIG)) as debugging:
        debugging.start("here")
        stop = debugging.stopped("breakpoint")
        big = stop.evaluated("big")
        assert big["indexedVariables"] == 1_000_000
        page = stop.variables(big, filter="indexed", start=999_990, count=5)
        assert [variable["value"] for variable in page] == [str(n) for n in range(999_990, 999_995)]
        table = stop.evaluated("table")
        assert table.get("indexedVariables", 0) + table.get("namedVariables", 0) >= 100_000
        bag = stop.evaluated("bag")
        members = stop.variables(bag, start=0, count=bag.get("indexedVariables", 2000))
        assert len([variable for variable in members if variable["value"].isdecimal()]) >= 2000
        stop.resume()
        debugging.until_exit()


def test_properties_run_only_when_opened(program: Write) -> None:
    with launched(program(BIG)) as debugging:
        debugging.start("here")
        stop = debugging.stopped("breakpoint")
        children = {variable["name"]: variable for variable in stop.variables(stop.evaluated("lazy"))}
        costly = children["costly"]
        assert costly["presentationHint"]["lazy"] is True
        assert stop.evaluate("Lazy.ran") == "0"
        (value,) = stop.variables(costly)
        assert value["value"] == "'computed'"
        assert stop.evaluate("Lazy.ran") == "1"
        stop.resume()
        debugging.until_exit()


def test_setting_a_variable_to_nonsense_is_an_error(program: Write) -> None:
    with launched(program("def f():\n    x = 1\n    print(x)    # @here\nf()\n")) as debugging:
        debugging.start("here")
        stop = debugging.stopped("breakpoint")
        reference = next(s for s in stop.scopes().values() if s.get("presentationHint") == "locals")
        ask = {"variablesReference": reference["variablesReference"], "name": "x"}
        for value in ("1 +", "no_such_name", "1/0"):
            with pytest.raises(Refused) as refused:
                debugging.wire.request("setVariable", ask | {"value": value})
            assert refused.value.text
        assert debugging.wire.request("setVariable", ask | {"value": "6 * 7"})["value"] == "42"
        stop.resume()
        assert debugging.until_exit()[1]["stdout"] == "42\n"


YIELDING = """\
def numbers():
    yield 1                     # @yield
    yield 2                     # @second

def consume():
    for n in numbers():         # @for
        print(n)                # @body

consume()
"""


def test_step_over_yield_goes_to_the_consumer(program: Write) -> None:
    with launched(program(YIELDING)) as debugging:
        debugging.start("yield")
        stop = debugging.stopped("breakpoint").step("next")
        assert stop.top["name"].endswith("consume")
        if stop.top["line"] == debugging.program.line("for"):
            stop = stop.step("next")
        assert stop.is_at("body")
        stop.resume()
        debugging.until_exit()


AWAITING = """\
import asyncio

async def inner(n):
    await asyncio.sleep(0)      # @first
    return n                    # @inner_return

async def work(n):
    x = await inner(n)          # @await
    return x                    # @after

async def main():
    return await asyncio.gather(*(work(n) for n in range(5)))

print(asyncio.run(main()))
"""


def test_steps_stay_with_their_task(program: Write) -> None:
    with launched(program(AWAITING)) as debugging:
        debugging.begin()
        debugging.break_at({"line": "await", "condition": "n == 2"})
        debugging.go()
        stop = debugging.stopped("breakpoint")
        assert stop.locals()["n"] == "2"
        stop = stop.step("stepIn")
        assert stop.is_at("first") and stop.locals()["n"] == "2"
        stop = stop.step("next")
        assert stop.is_at("inner_return") and stop.locals()["n"] == "2"
        stop = stop.step("stepOut")
        if stop.top["line"] == debugging.program.line("await"):
            stop = stop.step("next")
        assert stop.is_at("after")
        assert stop.locals() == {"n": "2", "x": "2"}
        stop.resume()
        assert debugging.until_exit()[1]["stdout"] == "[0, 1, 2, 3, 4]\n"


def test_source_of_zipped_and_executed_code(program: Write, tmp_path: Path) -> None:
    """They are shown as invented pseudo-code there. What is not known must say so."""
    module = "def zipped():\n    n = 7\n    breakpoint()\n    return n\n"
    with zipfile.ZipFile(tmp_path / "lib.zip", "w") as archive:
        archive.writestr("inzip.py", module)
    text = f"""\
import linecache, sys
sys.path.insert(0, {str(tmp_path / "lib.zip")!r})
import inzip
inzip.zipped()
text = "def made():\\n    k = 1\\n    breakpoint()\\n    return k\\n"
linecache.cache["<made>"] = (len(text), None, text.splitlines(True), "<made>")
exec(compile(text, "<made>", "exec"))
made()
exec(compile(text.replace("made", "unknown"), "<unknown>", "exec"))
unknown()
"""
    made = "def made():\n    k = 1\n    breakpoint()\n    return k\n"
    with launched(program(text)) as debugging:
        debugging.start()
        for function, expected in (("zipped", module), ("made", made), ("unknown", None)):
            stop = debugging.stopped("breakpoint")
            assert stop.top["name"].endswith(function)
            source = stop.top["source"]
            content = debugging.wire.request(
                "source", {"source": source, "sourceReference": source["sourceReference"]}
            )["content"]
            if expected is None:
                assert "not known" in content or content == made.replace("made", "unknown")
            else:
                assert content == expected
            assert stop.locals() == ({"n": "7"} if function == "zipped" else {"k": "1"})
            stop.resume()
        assert debugging.until_exit()[0] == 0


def test_many_breakpoints_in_a_long_file_are_quick(program: Write) -> None:
    """A thousand take 90 seconds there."""
    functions = "".join(f"def f{n}():\n    a = {n}\n    return a\n\n" for n in range(5000))
    target = program("import time\n" + functions + "print('end')    # @end\n")
    with launched(target) as debugging:
        debugging.start("end")
        stop = debugging.stopped("breakpoint")
        began = time.perf_counter()
        answers = debugging.break_at(*(2 + 4 * n + 1 for n in range(1000)))
        assert time.perf_counter() - began < 2
        assert all(answer["verified"] for answer in answers)
        stop.resume()
        assert debugging.until_exit()[0] == 0


def test_http_on_the_port_is_refused(program: Write) -> None:
    port = free_port()
    with attached(program(LOOP), remora("--listen", port, "--wait-for-client", "app.py"), port) as debugging:
        stranger = Wire.connect("127.0.0.1", port)
        body = b'{"seq":1,"type":"request","command":"initialize","arguments":{"adapterID":"x"}}'
        stranger.send_raw(
            b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        )
        answer = _read_all(stranger)
        assert b'"success": true' not in answer and b'"success":true' not in answer
        debugging.start()
        assert debugging.until_exit()[0] == 0


def _read_all(wire: Wire) -> bytes:
    """Everything up to the close, as bytes."""
    import os
    import select

    data = b""
    while select.select([wire._read_fd], [], [], 10)[0]:
        try:
            more = os.read(wire._read_fd, 65536)
        except ConnectionResetError:
            break
        if not more:
            break
        data += more
    else:
        pytest.fail("the connection stays open")
    wire.close()
    return data


def test_listen_twice_and_stop(program: Write) -> None:
    text = """\
import remora
first = remora.listen(("127.0.0.1", 0))
again = remora.listen(first)
assert again == first, (first, again)
assert remora.is_client_connected() is False
assert remora.wait_for_client(timeout_s=0.05) is False
remora.stop()
second = remora.listen(("127.0.0.1", 0))
assert second[1] > 0
remora.stop()
print("fine")
"""
    target = program(text)
    done = run([sys.executable, target.path], cwd=target.folder)
    assert (done.stdout, done.stderr, done.returncode) == ("fine\n", "", 0)


def test_empty_program_under_listen_ends_at_once(program: Write) -> None:
    """There it stays for a second."""
    target = program("pass\n")
    began = time.perf_counter()
    done = run(remora("--listen", free_port(), target.path), cwd=target.folder)
    assert done.returncode == 0
    assert time.perf_counter() - began < 0.9


def test_secret_is_in_no_command_line(program: Write) -> None:
    from processes import carrying, current_token, describe

    port = free_port()
    with attached(program(LOOP), remora("--listen", port, "--wait-for-client", "app.py"), port) as debugging:
        until(lambda: len(carrying(current_token())) >= 2, "the hub is there")
        commands = [describe(pid) for pid in carrying(current_token())]
        for command in commands:
            for word in command.split():
                assert not (len(word) >= 24 and word.isalnum() and not word.islower()), command
        debugging.start()
        debugging.until_exit()


def test_launched_process_is_gone_after_disconnect(program: Write) -> None:
    with launched(program("import time\nwhile True: time.sleep(0.01)    # @here\n")) as debugging:
        debugging.start("here")
        stop = debugging.stopped("breakpoint")
        pid = int(stop.evaluate("__import__('os').getpid()"))
        debugging.disconnect(terminateDebuggee=True)
        adapter: Debuggee = debugging.processes[0]
        assert adapter.exit_code() == 0
        assert not Path(f"/proc/{pid}").exists()
