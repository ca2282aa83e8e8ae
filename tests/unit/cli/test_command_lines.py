"""Command lines: what they mean, and what is said about wrong ones."""

from __future__ import annotations

import pytest

from remora.cli import adapter, debuggee, terminal
from remora.cli.main import run
from remora.cli.options import UsageError, address_of, shown


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("5678", ("127.0.0.1", 5678)),
        ("localhost:80", ("localhost", 80)),
        ("0.0.0.0:0", ("0.0.0.0", 0)),
        ("[::1]:5678", ("::1", 5678)),
    ],
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    assert address_of(text, "--listen") == address


@pytest.mark.parametrize("text", ["", "x", "host:", ":5678", "65536", "-1", "::1", "1.5", "٣", "host:http"])
def test_wrong_addresses(text: str) -> None:
    with pytest.raises(UsageError, match="--listen"):
        address_of(text, "--listen")


def test_an_address_is_shown_so_that_it_can_be_given_back() -> None:
    for address in (("::1", 5678), ("127.0.0.1", 1)):
        assert address_of(shown(*address), "--listen") == address


def test_everything_before_the_program() -> None:
    wish = debuggee.read(
        ["--listen", "0.0.0.0:1", "--wait-for-client", "--configure-subProcess", "false", "--log-to", "/l",
         "--log-to-stderr", "app.py", "--listen", "--wait-for-client", "-m"]
    )  # fmt: skip
    assert (wish.way, wish.address, wish.wait) == ("listen", ("0.0.0.0", 1), True)
    assert wish.options == {"subProcess": False}
    assert (wish.log_to, wish.log_to_stderr) == ("/l", True)
    assert (wish.kind, wish.target) == ("program", "app.py")
    assert wish.arguments == ["--listen", "--wait-for-client", "-m"], "what follows is the program's"


@pytest.mark.parametrize(
    ("words", "kind", "target", "arguments"),
    [
        (["-m", "http.server", "80"], "module", "http.server", ["80"]),
        (["-mhttp.server", "-m"], "module", "http.server", ["-m"]),
        (["-c", "print(1)", "-c"], "code", "print(1)", ["-c"]),
        (["--", "-x.py", "a"], "program", "-x.py", ["a"]),
        (["app.py", "--", "b"], "program", "app.py", ["--", "b"]),
    ],
)
def test_kinds_of_program(words: list[str], kind: str, target: str, arguments: list[str]) -> None:
    for way in (["--connect", "h:1"], ["--connect=h:1"]):
        wish = debuggee.read([*way, *words])
        assert (wish.kind, wish.target, wish.arguments) == (kind, target, arguments)


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("False", False), ("3", 3), ("1.5", 1.5), ("null", None), ("/a/b", "/a/b")],
)
def test_values_of_options(text: str, value: object) -> None:
    assert debuggee.read(["--listen", "1", "--configure-x", text, "a"]).options == {"x": value}


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["app.py"], "--listen or --connect"),
        (["--listen", "1"], "FILE"),
        (["--listen"], "--listen needs a value"),
        (["--listen", "1", "--connect", "2", "a"], "once"),
        (["--listen", "1", "-m"], "-m needs a value"),
        (["--listen", "1", "--nonsense", "a"], "--nonsense"),
        (["--listen", "1", "--pid", "x"], "--pid"),
        (["--listen", "1", "missing.py"], "missing.py"),
        (["adapter", "--port"], "--port needs a value"),
        (["adapter", "--port", "x"], "--port"),
        (["adapter", "--what"], "--what"),
        (["run"], "FILE"),
        (["run", "--what"], "--what"),
        (["run", "missing.py"], "missing.py"),
        (["attach"], "where to"),
        (["attach", "x"], "remora ps"),
        (["attach", "h:1", "h:2"], "h:2"),
        (["attach", "--path-mapping", "x", "1"], "LOCAL=REMOTE"),
        (["demo", "--what"], "--what"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(
    words: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert named in err and err.startswith("remora: ") and err.count("\n") == 1


@pytest.mark.parametrize(
    "words", [["--help"], ["-h"], ["adapter", "--help"], ["run", "-h"], ["attach", "--help"], ["demo", "-h"]]
)
def test_help_goes_to_stdout(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words) == 0
    out, err = capsys.readouterr()
    assert "remora" in out and err == ""
    assert all(len(line) <= 110 for line in out.splitlines())


def test_nothing_at_all_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 2
    out, err = capsys.readouterr()
    assert out == "" and "--listen" in err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("remora ")


def test_every_option_is_in_the_help() -> None:
    for option in ("--port", "--host", "--log-to"):
        assert option in adapter.HELP
    for option in ("-c", "--no-stop", "--all-code", "--python", "-m"):
        assert option in terminal.RUN_HELP
    for option in ("-c", "--all-code", "--path-mapping"):
        assert option in terminal.ATTACH_HELP
