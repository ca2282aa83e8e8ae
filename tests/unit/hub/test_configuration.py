"""Launch and attach configurations: what is taken, what is refused, what is said."""

from __future__ import annotations

from typing import Any

import pytest

from remora.dap.errors import UsageError
from remora.hub import configuration
from remora.hub.configuration import Attach, Launch


def launch(**settings: Any) -> Launch:
    read = configuration.read("launch", settings)
    assert isinstance(read, Launch)
    return read


def attach(**settings: Any) -> Attach:
    read = configuration.read("attach", settings)
    assert isinstance(read, Attach)
    return read


def test_a_launch() -> None:
    wish = launch(
        program="app.py", args=["--name", "a b", 3],
        python="/opt/my python/bin/python", pythonArgs=["-X", "dev"],
        env={"A": "1", "B": None}, console="integratedTerminal", stopOnEntry=True,
    )  # fmt: skip
    assert wish.args == ["--name", "a b", "3"]
    assert wish.python == ["/opt/my python/bin/python"]
    assert wish.python_args == ["-X", "dev"]
    assert wish.env == {"A": "1", "B": None}
    # A terminal shows the output: not a second time in the debug console.
    assert wish.for_agent() == {"stopOnEntry": True, "redirectOutput": False}
    assert wish.notes == []


def test_one_text_of_arguments_is_for_a_shell() -> None:
    wish = launch(program="a", args=" --name 'a b' *.txt ")
    assert wish.args == [] and wish.shell_args == "--name 'a b' *.txt"
    assert launch(program="a", args="").shell_args is None


def test_code_may_be_lines() -> None:
    assert launch(code=["x = 1", "print(x)"]).code == "x = 1\nprint(x)"


def test_numbers_among_the_arguments() -> None:
    assert launch(module="m", args=["--port", 80]).args == ["--port", "80"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, ["one of", "program", "module", "code"]),
        ({"program": ""}, ["one of", "program"]),
        ({"program": "a", "module": "b"}, ["only one", "program", "module"]),
        ({"program": 3}, ["program", "text", "3"]),
        ({"program": "a", "args": {"x": 1}}, ["args", "list of texts"]),
        ({"program": "a", "args": "it's"}, ["args", "split"]),
        ({"program": "a", "env": {"A": 1}}, ["env", '"A"']),
        ({"program": "a", "env": {"A=B": "1"}}, ["env", "A=B"]),
        ({"program": "a", "console": "tty"}, ["console", "integratedTerminal"]),
        ({"program": "a", "stopOnEntry": "true"}, ["stopOnEntry", "true or false"]),
        ({"program": "a", "python": "x", "pythonPath": "y"}, ["python", "pythonPath"]),
        ({"program": "a", "pathMappings": [{"localRoot": "/a"}]}, ["pathMappings", "remoteRoot"]),
        ({"program": "a\0b"}, ["program"]),
        ({"connect": {"port": 5678}}, ["connect", '"request": "attach"', "nothing to start"]),
        ({"program": "${file}"}, ["program", "editor", "${file}"]),
        ({"program": "a", "args": "${command:pickArgs}"}, ["args", "editor"]),
        ({"program": "a", "python": []}, ["python", "empty"]),
        ({"program": "a", "python": ""}, ["python", "empty"]),
        ({"program": "a", "waitOnNormalExit": True}, ["waitOnNormalExit", "terminal"]),
        ({"program": "a", "autoReload": {"enable": 1}}, ["autoReload", "enable", "true or false"]),
        ({"program": "a", "autoReload": {"poll": 1}}, ["autoReload", "poll", "pollingInterval"]),
        ({"program": "a", "rules": [{"include": True}]}, ["rules", "path"]),
        ({"program": "a", "sudo": "yes"}, ["sudo", "true or false"]),
        ({"program": "a", "variablePresentation": {"all": "big"}}, ["variablePresentation", "group"]),
        ({"program": "a", "breakOnSystemExit": [{"from": "x"}]}, ["breakOnSystemExit", "ranges"]),
        ({"program": "a", "onTerminate": "kill"}, ["onTerminate", "KeyboardInterrupt"]),
    ],
)
def test_a_wrong_launch_names_what_is_wrong(settings: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        launch(**settings)
    for word in words:
        assert word in caught.value.text


def test_all_problems_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        launch(program=1, cwd=2, noDebug=3)
    assert all(name in caught.value.text for name in ("program", "cwd", "noDebug"))


def test_where_to_attach() -> None:
    assert str(attach(connect={"host": "example", "port": 5678}).connect) == "example:5678"
    assert str(attach(connect={"port": "5678"}).connect) == "127.0.0.1:5678"
    assert str(attach(host="::1", port=80).connect) == "[::1]:80"
    assert str(attach(listen={"port": 0}).listen) == "127.0.0.1:0"
    assert attach().connect is None
    assert attach(host="localhost").connect is None, "a host alone says nothing"


@pytest.mark.parametrize(
    "settings",
    [
        {"connect": {"port": 1}, "listen": {"port": 2}},
        {"connect": {"port": 1}, "processId": 3},
        {"port": 1, "listen": {"port": 2}},
        {"connect": {}},
        {"connect": 5678},
        {"connect": {"port": 70000}},
        {"connect": {"host": 1, "port": 2}},
        {"port": "http"},
        {"processId": "self"},
        {"token": 12},
        {"processId": "${command:pickProcess}"},
        {"processId": 0},
        {"timeout": -1},
    ],
)
def test_a_wrong_attach(settings: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        attach(**settings)


def test_a_process_the_editor_has_not_asked_for() -> None:
    with pytest.raises(UsageError) as caught:
        attach(processId="${command:pickProcess}")
    assert "remora ps" in caught.value.text
    assert attach(processId="42").process_id == 42


def test_the_old_spelling() -> None:
    wish = launch(program="a", debugOptions=["DebugStdLib", "Gevent", "StopOnEntry", "FixFilePathCase"])
    assert wish.gevent and wish.arguments["justMyCode"] is False and wish.arguments["stopOnEntry"]
    assert wish.notes == []
    assert launch(program="a", justMyCode=True, debugOptions=["DebugStdLib"]).arguments["justMyCode"]
    assert launch(program="a", debugStdLib=True).arguments["justMyCode"] is False
    assert launch(program="a", debugStdLib=True, justMyCode=True).arguments["justMyCode"]
    assert attach(debugStdLib=False).arguments["justMyCode"] is True
    assert attach(debugStdLib=True).notes == []


@pytest.mark.parametrize(
    ("command", "settings", "words"),
    [
        ("launch", {"stopOnEntri": True}, ["stopOnEntri", 'did you mean "stopOnEntry"']),
        ("launch", {"justmycode": False, "zzz": 1}, ['mean "justMyCode"', '"zzz"']),
        ("attach", {"pathMapping": []}, ['mean "pathMappings"']),
        ("launch", {"processId": 3}, ["processId", '"request": "attach"']),
        ("attach", {"program": "a.py", "args": []}, ["program", "args", '"request": "launch"']),
    ],
)
def test_what_does_nothing_is_named(command: str, settings: dict[str, Any], words: list[str]) -> None:
    program = {"program": "a"} if command == "launch" else {}
    (note,) = configuration.read(command, {**program, **settings}).notes
    assert all(word in note for word in words), note


def test_null_is_absent() -> None:
    wish = attach(connect=None, token=None, pathMappings=None, nobodyKnows=None)
    assert wish.connect is None and wish.token is None and wish.notes == []


@pytest.mark.parametrize("command", ["launch", "attach"])
def test_what_front_ends_add_is_not_named(command: str) -> None:
    added = {
        "type": "debugpy", "request": command, "name": "x", "__sessionId": "1", "__configurationTarget": 6,
        "command": "python", "debugOptions": [], "workspaceFolder": "/w", "clientOS": "unix",
        "noDebug": False, "debugAdapterPython": "x", "debugLauncherPath": "y", "showReturnValue": True,
        "subProcess": True,
        "justMyCode": True, "redirectOutput": True, "presentation": {}, "internalConsoleOptions": "neverOpen",
        "isOutputRedirected": False, "django": False, "cwd": "/", "envFile": "/w/.env",
    }  # fmt: skip
    program = {"program": "a"} if command == "launch" else {}
    assert configuration.read(command, {**added, **program}).notes == []


def test_what_is_not_there_yet_is_said() -> None:
    (note,) = launch(program="a", django=True).notes
    assert "django" in note
