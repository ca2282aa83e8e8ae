"""The commands for live programs: what their command lines mean, and what is said about wrong ones."""

from __future__ import annotations

import pytest

from remora.cli import live, targets
from remora.cli.live import Place
from remora.cli.main import USAGE_EXIT, run
from remora.cli.options import UsageError


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["log"], "TARGET FILE:LINE"),
        (["log", "1", "app.py:1"], "TARGET FILE:LINE"),
        (["log", "1", "app.py", "x"], "'app.py' is no place"),
        (["log", "1", "app.py:0", "x"], "'app.py:0' is no place"),
        (["log", "1", ":3", "x"], "':3' is no place"),
        (["log", "1", "app.py:1", "x", "--limit", "0"], "--limit"),
        (["log", "1", "app.py:1", "x", "--rate", "5/y"], "--rate: '5/y' is no rate"),
        (["log", "1", "app.py:1", "x", "--rate", "x"], "--rate: 'x' is no whole number"),
        (["log", "1", "app.py:1", "x", "--for", "soon"], "--for: 'soon' is no time"),
        (["log", "1", "app.py:1", "x", "--for", "-1"], "--for"),
        (["log", "1", "app.py:1", "x", "--for"], "--for needs a value"),
        (["log", "1", "app.py:1", "x", "--json=yes"], "--json takes no value"),
        (["log", "1", "app.py:1", "x", "--nonsense"], "no option --nonsense; see remora log --help"),
        (["log", "1", "app.py:1", "x", "--path-mapping", "/a"], "LOCAL=REMOTE"),
        (["log", "localhost:99999", "app.py:1", "x"], "no port"),
        (["log", "no-such-script-at-all", "app.py:1", "x"], "no Python process of yours runs"),
        (["snapshot", "1"], "TARGET FILE:LINE"),
        (["snapshot", "1", "app.py:1", "--depth", "deep"], "--depth"),
        (["stack"], "one TARGET"),
        (["stack", "1", "2"], "one TARGET"),
        (["eval", "1"], "TARGET EXPRESSION"),
        (["eval", "1", "a", "b"], "in quotes"),
    ],
)
def test_wrong_command_lines(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words) == USAGE_EXIT
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.out == ""


@pytest.mark.parametrize("command", ["log", "snapshot", "stack", "eval"])
def test_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([command, "--help"]) == 0
    assert f"usage: remora {command}" in capsys.readouterr().out


def test_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REMORA_TOKEN", raising=False)
    process = targets.target_of("4711")
    assert isinstance(process, targets.ProcessTarget)
    assert process.arguments["processId"] == 4711
    for text, address in {
        "localhost:80": ("localhost", 80),
        ":5678": ("127.0.0.1", 5678),
        "[::1]:5678": ("::1", 5678),
    }.items():
        target = targets.target_of(text)
        assert isinstance(target, targets.AddressTarget)
        assert (target.host, target.port) == address
        assert target.arguments == {}


def test_the_token_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMORA_TOKEN", "abracadabra")
    assert targets.target_of(":1").arguments == {"token": "abracadabra"}


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("python app.py", {"app.py", "app"}),
        (
            "/usr/bin/python3.13 -u -W error -X dev /srv/shop/app.py --port 80",
            {"/srv/shop/app.py", "app.py", "app"},
        ),
        ("python -m http.server 80", {"http.server"}),
        ("python -um flask run", {"flask"}),
        ("python -c print(1)", set()),
        ("python", set()),
        ("python -", set()),
        ("bash app.py", set()),
        ("", set()),
        ("/venv/bin/python /venv/bin/gunicorn app:app", {"/venv/bin/gunicorn", "gunicorn"}),
    ],
)
def test_what_a_process_may_be_called(line: str, names: set[str]) -> None:
    assert targets.names_of(line.split(" ") if line else []) == names


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("5", {"count": 5, "seconds": 1}),
        ("5/s", {"count": 5, "seconds": 1}),
        ("5/m", {"count": 5, "seconds": 60}),
        ("1/h", {"count": 1, "seconds": 3600}),
        ("none", None),
    ],
)
def test_rates(text: str, rate: object) -> None:
    assert live.rate_of(text, "--rate") == rate


def test_times() -> None:
    assert [live.seconds_of(text, "--for") for text in ("10", "1.5", "10s", "5m", "2h")] == [
        10,
        1.5,
        10,
        300,
        7200,
    ]


def test_places(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place(f"{__file__}:12")
    assert (place.path, place.line) == (__file__, 12)
    there = Place("/only/there.py:1")
    assert there.path == "/only/there.py", "a file of another machine is left as it is"
    with pytest.raises(UsageError):
        Place("C:\\app.py")
