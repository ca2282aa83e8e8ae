"""Every command, against the toy adapter: what is said, and what goes over the wire."""

import os
import re
import signal
import threading

import pytest

from fake_adapter import LATER
from remora.terminal.commands import ORDER, load
from unheard import strike_the_sleeping_main_thread


def after(text: str, mark: str) -> str:
    assert mark in text, text
    return text.split(mark, 1)[1]


def test_it_stops_at_the_first_line_and_ends_with_the_programs_code(toy) -> None:
    target = toy.target(exit_code=3, prints={2: "toys are in\n"})
    text, code, _ = toy.run("n", "c", target=target)
    assert "> toy.py(1)work()\n-> # the toy program" in text
    assert "> toy.py(2)work()\n-> import toys" in text
    assert "toys are in\nThe program ended with exit code 3." in text
    assert code == 3
    assert toy.reader.prompts == ["(remora) ", "(remora) ", "(remora, not running) "]


def test_quit_ends_the_program(toy) -> None:
    assert toy.run("exit()")[2].adapter.commands()[-1] == "disconnect"
    _, code, target = toy.run("q")
    assert code == 0
    assert target.adapter.arguments("disconnect") == {"terminateDebuggee": True}


def test_breakpoints_with_conditions(toy) -> None:
    text, _, target = toy.run("b 5", "b toy:6, a == 2", "b toy.py:7, a == 1", "b", "c", "c", "b 99")
    assert "Breakpoint 1 at toy.py:5" in text
    assert "Breakpoint 2 at toy.py:6" in text
    assert re.search(r"2 +breakpoint +set +toy\.py:6\n\tstop only if a == 2", text)
    stops = re.findall(r"Breakpoint (\d)\.\n> toy\.py\((\d)\)", text)
    assert stops == [("1", "5"), ("3", "7")]
    assert "there is no such line" in text
    assert target.adapter.breakpoints[toy.path][0] == {"line": 5}


def test_a_function_is_found_in_the_source(toy) -> None:
    text, _, _ = toy.run("b work", "tbreak nothing", "b no/such.py:3", "b x:y", "b 0")
    assert "Breakpoint 1 at toy.py:5" in text
    assert "*** no function 'nothing' is known here" in text
    assert "*** there is no file 'no/such.py'" in text
    assert "*** 'y' is no line number" in text
    assert "*** lines are counted from 1" in text


def test_an_adapter_that_binds_functions_is_asked_to(toy) -> None:
    target = toy.target(capabilities={"supportsFunctionBreakpoints": True})
    text, _, _ = toy.run("b work, a > 1", target=target)
    assert "Breakpoint 1 at work" in text
    assert target.adapter.arguments("setFunctionBreakpoints") == {
        "breakpoints": [{"name": "work", "condition": "a > 1"}]
    }


def test_a_temporary_breakpoint_stops_once(toy) -> None:
    text, _, target = toy.run("tbreak 5", "c", "b")
    assert "Temporary breakpoint 1 at toy.py:5" in text
    assert "Breakpoint 1.\n> toy.py(5)work()\n-> one = 1\nDeleted breakpoint 1 at toy.py:5" in text
    assert "There are no breakpoints." in text
    assert target.adapter.breakpoints[toy.path] == []


def test_a_breakpoint_that_cannot_be_is_not_kept(toy) -> None:
    target = toy.target()

    def prepare(adapter) -> None:
        plain = adapter.do_setBreakpoints

        def answer(arguments):
            body = plain(arguments)
            for wish, each in zip(arguments["breakpoints"], body["breakpoints"], strict=True):
                if "+*" in wish.get("condition", ""):
                    each.update(verified=False, reason="failed", message="The condition is wrong: no")
            return body

        adapter.answers["setBreakpoints"] = answer

    target.prepare = prepare
    text, _, _ = toy.run("b 5, a +* 1", "b", "b 6, a", "condition 2 a +*", "b", target=target)
    assert text.count("*** The condition is wrong: no") == 2
    assert "There are no breakpoints." in text
    assert "toy.py:6\n\tstop only if a\n" in text
    assert target.adapter.breakpoints[toy.path] == [{"line": 6, "condition": "a"}]


def test_changing_breakpoints(toy) -> None:
    text, _, target = toy.run(
        "b 5", "disable 1", "condition 1 a == 1", "ignore 1 3", "b", "enable 1", "log 6 a is {a}", "b"
    )
    assert re.search(r"1 +breakpoint +disabled +toy\.py:5", text)
    assert "ignore the next 3 hits" in text
    assert "log a is {a}" in text
    assert target.adapter.breakpoints[toy.path] == [
        {"line": 5, "condition": "a == 1", "hitCondition": "> 3"},
        {"line": 6, "logMessage": "a is {a}"},
    ]
    text, _, target = toy.run(
        "b 5", "b 6", "b 7", "cl 1 2", "clear toy.py:7", "b", "cl 9", "cl x", "condition 4"
    )
    assert text.count("Deleted breakpoint") == 3
    assert "There are no breakpoints." in text
    assert "*** there is no breakpoint 9" in text
    assert "*** 'x' is not a breakpoint's number" in text
    assert target.adapter.breakpoints[toy.path] == []


def test_clearing_all_asks_first(toy) -> None:
    text, _, target = toy.run("b 5", "clear", "n", "b", "clear", "y", "b")
    assert len(re.findall(r"breakpoint +set", text)) == 1
    assert "There are no breakpoints." in text
    assert target.adapter.commands()[-2:] == ["setBreakpoints", "disconnect"]


def test_commands_at_a_breakpoint(toy) -> None:
    text, _, _ = toy.run("b 5", "commands", "silent", "p a + 10", "c", "end", "b 7", "c")
    assert "11\n" in text
    assert "(5)work" not in text
    assert "Breakpoint 2.\n> toy.py(7)work()" in text


def test_stack_and_frames(toy) -> None:
    text, _, target = toy.run("b 6", "c", "w", "u", "p a", "u", "d", "bt 1", "d")
    assert '  toy.py(10)<module>\n  -> work(1, [1, 2, 3], "hi")\n> toy.py(6)work()\n  -> two = 2' in text
    assert "> toy.py(10)<module>\n-> work(1" in text
    assert "*** this is the oldest frame" in text
    assert "*** this is the newest frame" in text
    assert "  … 1 older" in text
    frames = [m["arguments"]["frameId"] for m in target.adapter.requests if m["command"] == "evaluate"]
    assert frames == [12]


def test_source_listing(toy) -> None:
    text, _, _ = toy.run("b 6", "c", "l", "l", "l 1, 2", "l .", "ll", "")
    listing = after(text, "-> two = 2\n")
    assert listing.startswith("   1     # the toy program\n")
    assert "   6 B-> " in listing
    assert "*** there are no more lines" in listing
    assert text.count("   4     def work(a, b, word):") == 3
    assert text.count("   8         return two") == 3


def test_arguments(toy) -> None:
    text, _, _ = toy.run("b 6", "c", "a")
    assert text.endswith("a = 1\nb = [1, 2, 3]\nword = 'hi'\n")


def test_printing_and_python(toy) -> None:
    text, _, target = toy.run(
        "p a + 1",
        "p(a)",
        "!n = 5",
        "n = 7",
        "n",
        "!n",
        "word.upper()",
        "p nope",
        "whatis word",
        "pp b",
        "p",
        "1/0",
    )
    lines = text.splitlines()
    assert {"2", "1", "7", "'HI'", "str", "[1, 2, 3]"} <= set(lines)
    assert "*** NameError: name 'nope' is not defined" in lines
    assert "*** ZeroDivisionError: division by zero" in lines
    assert "*** needs an expression" in lines
    assert target.adapter.names["n"] == 7
    assert target.adapter.line == 2  # the one plain `n` was a step


def test_display(toy) -> None:
    def change() -> None:
        toy.targets[0].adapter.names["a"] = 2

    text, _, _ = toy.run(
        "display a", "display nope", "n", change, "n", "undisplay a", "undisplay zzz", "display"
    )
    assert "display a: 1\n" in text
    assert text.count("[old: 1]") == 1
    assert "display a: 2  [old: 1]" in text
    assert "*** zzz is not displayed" in text
    assert text.endswith("display nope: ** NameError: name 'nope' is not defined **\n")


def test_a_display_is_silent_where_its_names_are_not(toy) -> None:
    def hide() -> None:
        toy.targets[0].adapter.names.pop("a")

    def show() -> None:
        toy.targets[0].adapter.names["a"] = 3

    text, _, _ = toy.run("display a", hide, "n", show, "n", "restart", "n")
    assert text.count("display a:") == 3
    assert "display a: 3  [old: 1]" in text
    assert after(text, "[old: 1]").count("display a: 1\n") == 1  # a new program has no old value


def test_until(toy) -> None:
    text, _, target = toy.run("n", "until", "until 6", "until 2")
    assert "> toy.py(3)work()" in text
    # The toy's step out is a step: it reaches the mark like anything else.
    sent = [
        m["arguments"]["breakpoints"] for m in target.adapter.requests if m["command"] == "setBreakpoints"
    ]
    assert sent == [[{"line": 6}], []]
    assert "*** line 2 is not below line" in text
    assert "Breakpoint" not in text


def test_step_counts_and_repetition(toy) -> None:
    text, _, _ = toy.run("s 3", "", "p a", "", "n x")
    assert re.findall(r"> toy\.py\((\d+)\)", text) == ["1", "4", "7"]
    assert "*** 'x' is not a count" in text


def test_jump(toy) -> None:
    target = toy.target(capabilities={"supportsGotoTargetsRequest": True})

    def prepare(adapter) -> None:
        adapter.answers["gotoTargets"] = lambda arguments: {
            "targets": [{"id": 7, "label": "there", "line": arguments["line"]}]
            if arguments["line"] < 9
            else []
        }
        adapter.answers["goto"] = lambda arguments: lambda: adapter.stop("goto", 8)

    target.prepare = prepare
    text, _, _ = toy.run("j 8", "j 9", target=target)
    assert "> toy.py(8)work()" in text
    assert "*** line 9 cannot be jumped to from here" in text
    assert target.adapter.arguments("goto") == {"threadId": 1, "targetId": 7}
    assert "*** this debuggee cannot jump" in toy.run("j 8")[0]


def test_threads(toy) -> None:
    text, _, target = toy.run("threads", "thread 2", "n", "thread 7")
    assert re.search(r"> 1 +MainThread +toy\.py\(1\)work\(\)", text)
    assert re.search(r"  2 +worker", text)
    assert "*** there is no thread 7" in text
    assert target.adapter.arguments("next")["threadId"] == 2


def test_a_stop_in_another_thread_names_it(toy) -> None:
    target = toy.target()

    def prepare(adapter) -> None:
        adapter.answers["next"] = lambda arguments: (
            None,
            lambda: adapter.emit("stopped", {"reason": "step", "threadId": 2, "allThreadsStopped": True}),
        )

    target.prepare = prepare
    text, _, _ = toy.run("n", "n", "thread 1", "n", target=target)
    assert text.count("Thread 2, worker:\n> toy.py") == 2
    assert "Thread 1" not in text


def test_frames_below_the_program_are_not_shown(toy) -> None:
    target = toy.target()

    def prepare(adapter) -> None:
        plain = adapter.do_stackTrace

        def answer(arguments):
            body = plain({"threadId": 1})
            below = [("exec", "remora.agent.run"), ("<module>", "__main__")]
            for number, (name, module) in enumerate(below, 90):
                frame = {"id": number, "name": name, "line": 1, "column": 1, "moduleId": module}
                body["stackFrames"].append({**frame, "presentationHint": "subtle"})
            start, levels = arguments.get("startFrame", 0), arguments.get("levels") or 99
            frames = body["stackFrames"]
            return {"stackFrames": frames[start : start + levels], "totalFrames": len(frames)}

        adapter.answers["stackTrace"] = answer

    target.prepare = prepare
    text, _, _ = toy.run("w", "u", "u", "u 5", "bt 1", target=target)
    assert "exec" not in text
    assert text.count("*** this is the oldest frame") == 2
    assert "  … 1 older" in text


def test_exception_filters(toy) -> None:
    text, _, target = toy.run(
        "catch", "catch raised", "catch nope", "catch raised if x", "catch off", "catch"
    )
    assert "off raised          Raised Exceptions\non  uncaught        Uncaught Exceptions" in text
    assert "*** there is no filter 'nope'; there are raised, uncaught" in text
    assert "*** the filter raised takes no condition" in text
    sent = [
        m["arguments"]["filters"]
        for m in target.adapter.requests
        if m["command"] == "setExceptionBreakpoints"
    ]
    assert sent == [["uncaught"], ["uncaught", "raised"], []]


def test_exceptions_can_be_chosen_before_a_restart(toy) -> None:
    text, _, target = toy.run("c", "catch raised", "j 3", "restart", "catch")
    assert "Stops at exceptions: uncaught, raised" in text
    assert "*** the program is not running; `restart` starts it again" in text
    assert target.adapters[1].arguments("setExceptionBreakpoints")["filters"] == ["uncaught", "raised"]
    assert "on  raised " in text


def test_an_exception_is_told(toy) -> None:
    target = toy.target()

    def prepare(adapter) -> None:
        adapter.answers["continue"] = lambda arguments: (
            {},
            lambda: adapter.stop("exception", 6, text="ValueError"),
        )

    target.prepare = prepare
    text, _, _ = toy.run("exc", "c", "exc", target=target)
    assert "*** the program has not stopped at an exception" in text
    assert "ValueError: no good\n> toy.py(6)work()" in text
    assert text.endswith("Traceback: toy\nValueError: no good\n")


def test_return_values(toy) -> None:
    target = toy.target()

    def prepare(adapter) -> None:
        plain_scopes, plain_variables = adapter.do_scopes, adapter.do_variables
        adapter.answers["scopes"] = lambda arguments: {
            "scopes": [
                {
                    "name": "Return value",
                    "variablesReference": 70,
                    "expensive": False,
                    "presentationHint": "returnValue",
                },
                *plain_scopes(arguments)["scopes"],
            ]
        }
        adapter.answers["variables"] = lambda arguments: (
            {"variables": [{"name": "work() returned", "value": "2", "variablesReference": 0}]}
            if arguments["variablesReference"] == 70
            else plain_variables(arguments)
        )

    target.prepare = prepare
    text, _, _ = toy.run("retval", "r", "retval", target=target)
    assert "*** no function has just returned" in text
    assert text.count("work() returned = 2") == 2


def test_interact(toy) -> None:
    text, _, target = toy.run(
        "interact",
        "n = 3",
        "n + 1",
        "for i in [1]:",
        "    n = 9",
        "",
        "1 +* 2",
        KeyboardInterrupt,
        "exit()",
        "p n",
    )
    assert "4\n" in text
    assert "KeyboardInterrupt" in text
    assert "SyntaxError" in text
    assert text.endswith("9\n")
    assert target.adapter.names["i"] == 1
    assert toy.reader.prompts.count("... ") == 2


def test_restart_keeps_breakpoints(toy) -> None:
    text, _, target = toy.run("b 5", "c", "run -x 'a b'", "c", "c", "restart", "b")
    assert len(target.adapters) == 3
    assert target.adapters[1].arguments("launch")["args"] == ["-x", "a b"]
    assert target.adapters[1].breakpoints[toy.path] == [{"line": 5}]
    assert text.count("Breakpoint 1.\n> toy.py(5)") == 2
    assert "The program ended with exit code 0." in text


def test_help(toy) -> None:
    text, _, _ = toy.run("help", "? until", "help nope")
    for each in ORDER:
        assert each.usage in text
        assert each.help in text
    assert "unt(il) [LINE]\n    run to a line below" in text
    assert "*** there is no command 'nope'" in text


def test_pdbs_commands_are_all_here() -> None:
    # Of pdb's own list; left out: alias/unalias, debug (a debugger in the debugger), exceptions (3.13).
    pdb = "h help w where bt u up d down b break tbreak cl clear disable enable ignore condition commands s "
    pdb += "step n next unt until r return c cont continue j jump l list ll longlist a args p pp whatis "
    pdb += "source display undisplay interact run restart q quit retval rv exit"
    assert set(pdb.split()) <= set(load())


def test_several_commands_on_a_line_stop_at_a_mistake(toy) -> None:
    text, _, _ = toy.run("p a ;; p nope ;; p word")
    assert "1\n*** NameError" in text
    assert "'hi'" not in text


def test_a_script_that_fails_says_so_in_its_exit_code(toy) -> None:
    assert toy.run("p nope", interactive=False)[1] == 1
    assert toy.run("p nope", "c", interactive=False, target=toy.target(exit_code=4))[1] == 4
    assert toy.run("p a", interactive=False)[1] == 0
    assert toy.run("p nope")[1] == 0


def test_a_program_that_cannot_start(toy) -> None:
    target = toy.target()

    def refuse(arguments):
        from remora.dap.errors import UsageError

        raise UsageError("cannot start toy.py: no such interpreter")

    target.prepare = lambda adapter: adapter.answers.update(launch=refuse)
    text, code, _ = toy.run(target=target)
    assert text == "remora: cannot start toy.py: no such interpreter\n"
    assert code == 2


def test_attaching_lets_breakpoints_come_first_and_leaves_the_program_alone(toy) -> None:
    target = toy.target("attach")
    text, code, _ = toy.run(f"b {toy.path}:5", "c", "p a", "q", target=target)
    assert "Attached to toy." in text
    assert toy.reader.prompts[:2] == ["(remora, attached) ", "(remora, attached) "]
    commands = target.adapter.commands()
    assert commands.index("setBreakpoints") < commands.index("configurationDone")
    assert "Breakpoint 1.\n> toy.py(5)work()" in text
    assert target.adapter.arguments("disconnect") == {"terminateDebuggee": False}
    assert code == 0


def test_looking_does_not_let_an_attached_program_begin(toy) -> None:
    target = toy.target("attach")
    text, _, _ = toy.run("l", "w", "threads", "p a", "display a", "until", "r", "q", target=target)
    assert "configurationDone" not in target.adapter.commands()
    assert text.count("*** the program is not stopped") == 4
    assert text.endswith("Detached; the program runs on.\n")


def test_a_step_in_a_program_that_waits_is_to_its_first_line(toy) -> None:
    target = toy.target("attach", busy=True)
    text, _, _ = toy.run("n", "q", target=target)
    commands = target.adapter.commands()
    assert commands.index("pause") < commands.index("configurationDone")
    assert "> toy.py(1)work()" in text
    assert "next" not in commands


def test_the_file_of_an_attached_program_is_current(toy) -> None:
    target = toy.target("attach")

    def prepare(adapter) -> None:
        adapter.answers["setExceptionBreakpoints"] = lambda arguments: {}
        begin = adapter.do_initialize
        adapter.answers["initialize"] = lambda arguments: (
            begin(arguments),
            lambda: adapter.emit("process", {"name": toy.path}),
        )

    target.prepare = prepare
    text, _, _ = toy.run("b 5", "b work", "b toy.py:6", target=target)
    assert "Attached to toy.py at toy. " in text
    assert text.count("Breakpoint") == 3


def test_a_missing_token_is_told_in_words_of_the_terminal(toy) -> None:
    target = toy.target("attach")

    def refuse(arguments):
        from remora.dap.errors import TOKEN_NEEDED

        raise TOKEN_NEEDED()

    target.prepare = lambda adapter: adapter.answers.update(attach=refuse)
    text, code, _ = toy.run(target=target)
    assert "REMORA_TOKEN" in text
    assert code == 2


def test_a_busy_program_is_paused(toy) -> None:
    target = toy.target("attach", busy=True)

    text, _, _ = toy.run("p a", "w", "pause", "w", "pause", target=target)
    assert "1\n" in text
    assert "*** the program is not stopped: `c` goes to a breakpoint, `pause` stops it now" in text
    assert "Paused.\n> toy.py(1)work()" in text
    assert "*** the program is stopped already" in text


def test_ctrl_c_pauses_and_twice_gives_up(toy) -> None:
    target = toy.target("attach", busy=True)

    def prepare(adapter) -> None:
        def go(arguments):
            return {}, lambda: os.kill(os.getpid(), signal.SIGINT)

        def pause(arguments):
            if adapter.commands().count("pause") == 1:
                return None, lambda: adapter.stop("pause", 3)
            return None, lambda: os.kill(os.getpid(), signal.SIGINT)  # it does not stop, and is asked again

        adapter.answers["continue"] = go
        adapter.answers["pause"] = pause

    target.prepare = prepare
    text, _, _ = toy.run("pause", "c", "w", target=target)
    assert "> toy.py(3)work()" in text
    assert "The program has not stopped yet; it goes on running." in text
    assert "*** the program is running" in text
    assert target.adapter.commands().count("pause") == 2


def test_ctrl_c_ends_an_evaluation(toy) -> None:
    target = toy.target(capabilities={"supportsCancelRequest": True})

    def prepare(adapter) -> None:
        def hang(arguments):
            os.kill(os.getpid(), signal.SIGINT)
            return LATER

        adapter.answers["evaluate"] = hang
        adapter.answers["cancel"] = lambda arguments: {}

    target.prepare = prepare
    text, _, _ = toy.run("p forever()", target=target)
    assert "*** interrupted" in text
    target.adapter.wait_for_request("cancel")


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no signal can be sent to one thread here")
def test_a_ctrl_c_as_the_wait_begins_is_heard(toy) -> None:
    target = toy.target("attach", busy=True)

    def prepare(adapter) -> None:
        adapter.answers["continue"] = lambda arguments: ({}, strike_the_sleeping_main_thread)
        adapter.answers["pause"] = lambda arguments: (None, lambda: adapter.stop("pause", 3))

    target.prepare = prepare
    giving_up = threading.Timer(10.0, lambda: target.adapter.stop("breakpoint", 5))
    giving_up.start()
    text, _, _ = toy.run("pause", "c", "w", target=target)
    giving_up.cancel()
    assert "> toy.py(3)work()" in text
    assert target.adapter.commands().count("pause") == 2


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no signal can be sent to one thread here")
def test_a_ctrl_c_as_an_evaluation_begins_is_heard(toy) -> None:
    target = toy.target(capabilities={"supportsCancelRequest": True})

    def prepare(adapter) -> None:
        def hang(arguments):
            strike_the_sleeping_main_thread()
            return LATER

        adapter.answers["evaluate"] = hang
        adapter.answers["cancel"] = lambda arguments: {}

    def give_up() -> None:
        asked = [each for each in target.adapter.requests if each["command"] == "evaluate"]
        target.adapter.answer(asked[0], {"result": "too late", "variablesReference": 0})

    target.prepare = prepare
    giving_up = threading.Timer(10.0, give_up)
    giving_up.start()
    text, _, _ = toy.run("p forever()", target=target)
    giving_up.cancel()
    assert "*** interrupted" in text
    assert "too late" not in text


def test_a_stop_at_the_prompt_is_told(toy) -> None:
    target = toy.target("attach", busy=True)

    def stop() -> None:
        target.adapter.stop("breakpoint", 4)
        assert toy.app.process.client is not None
        toy.app.process.client.request("threads")  # the event is in before the answer

    text, _, _ = toy.run("p a", stop, "", "w", target=target)
    assert text.count("> toy.py(4)work()") == 2
    assert "*** " not in text


def test_a_lost_connection_is_told(toy) -> None:
    target = toy.target("attach", busy=True)
    target.prepare = lambda adapter: adapter.answers.update(
        {"continue": lambda arguments: ({}, adapter._ours.close)}
    )
    text, _, _ = toy.run("pause", "c", "p a", "b 5", target=target)
    assert "*** the connection is gone: the other side closed the connection" in text
    assert "*** the program is not running; `restart` attaches again" in text


@pytest.mark.parametrize("category", ["stdout", "stderr", "console", "important", None])
def test_output_is_shown(toy, category) -> None:
    target = toy.target()

    def prepare(adapter) -> None:
        body = {"output": "half a line"} | ({"category": category} if category else {})
        adapter.answers["next"] = lambda arguments: (
            None,
            lambda: (adapter.emit("output", body), adapter.stop("step", 2)),
        )

    target.prepare = prepare
    text, _, _ = toy.run("n", target=target)
    assert "half a line\n> toy.py(2)work()" in text


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (
            'Traceback (most recent call last):\n  File "<evaluate>", line 1, in <evaluate>\n    x\nE: no\n',
            "E: no",
        ),
        (
            'Traceback (most recent call last):\n  File "<evaluate>", line 1, in <evaluate>\n    f()\n'
            '  File "/a.py", line 2, in f\n    x\nE: no',
            None,
        ),
        ('  File "<evaluate>", line 1\n    x = = 3\n        ^\nSyntaxError: no\n', "SyntaxError: no"),
        ("a word", None),
    ],
)
def test_a_trace_of_nothing_but_what_was_typed_is_left_out(error: str, shown: str | None) -> None:
    from remora.terminal.commands.evaluating import without_trace

    assert without_trace(error) == (error if shown is None else shown)
