import pytest

from remora.dap.messages import event, request, response
from remora.dap.paths import POSIX, TO_CLIENT, TO_DEBUGGEE, WINDOWS, PathMapping, mapping_from, translate

LINUX = [("/home/me/shop", "/app")]
WIN = [("C:\\Users\\Me\\shop", "/app")]


@pytest.mark.parametrize(
    ("rules", "client", "debuggee"),
    [
        (LINUX, "/home/me/shop/a.py", "/app/a.py"),
        (LINUX, "/home/me/shop/pkg/b c.py", "/app/pkg/b c.py"),
        (LINUX, "/home/me/shop", "/app"),
        ([("/home/me/shop/", "/app/")], "/home/me/shop/a.py", "/app/a.py"),
        (WIN, "C:\\Users\\Me\\shop\\pkg\\a.py", "/app/pkg/a.py"),
        ([("C:\\", "/mnt/c")], "C:\\x\\y.py", "/mnt/c/x/y.py"),
        ([("C:", "/mnt/c")], "C:\\x\\y.py", "/mnt/c/x/y.py"),
        ([("C:\\shop", "/")], "C:\\shop\\y.py", "/y.py"),
        ([("/", "/host")], "/etc/x.py", "/host/etc/x.py"),
        ([("\\\\nas\\share\\shop", "/app")], "\\\\nas\\share\\shop\\a.py", "/app/a.py"),
        ([("\\\\nas\\share", "/app")], "\\\\nas\\share\\a.py", "/app/a.py"),
        ([("/home/me/shop", "D:\\srv\\shop")], "/home/me/shop/x/a.py", "D:\\srv\\shop\\x\\a.py"),
        ([("/w", "/srv"), ("/w/lib", "/opt/lib")], "/w/lib/a.py", "/opt/lib/a.py"),
        ([("/w/lib", "/opt/lib"), ("/w", "/srv")], "/w/a.py", "/srv/a.py"),
        ([("/app", "/app/src")], "/app/a.py", "/app/src/a.py"),
        ([("/w/ä b", "/ü")], "/w/ä b/ö.py", "/ü/ö.py"),
    ],
)
def test_both_ways(rules: list, client: str, debuggee: str) -> None:
    mapping = PathMapping(rules)
    assert mapping.to_debuggee(client) == debuggee
    assert mapping.to_client(debuggee) == client


@pytest.mark.parametrize(
    "spelling",
    [
        "c:\\users\\me\\SHOP\\Pkg\\a.py",
        "C:/Users/Me/shop/Pkg/a.py",
        "c:/users\\me/shop\\Pkg\\\\a.py",
        "C:\\Users\\Me\\shop\\.\\x\\..\\Pkg\\a.py",
        "\\\\?\\C:\\Users\\Me\\shop\\Pkg\\a.py",
        "file:///c%3A/users/me/shop/Pkg/a.py",
        "file:///C:/Users/Me/shop/Pkg/a.py",
    ],
)
def test_windows_spellings_of_one_file(spelling: str) -> None:
    assert PathMapping(WIN).to_debuggee(spelling) == "/app/Pkg/a.py"


def test_windows_debuggee_answers_in_any_case() -> None:
    mapping = PathMapping([("/home/me", "D:\\Srv")], debuggee_os=WINDOWS)
    assert mapping.to_client("d:\\srv\\A.py") == "/home/me/A.py"
    assert mapping.to_client("d:/SRV/A.py") == "/home/me/A.py"


def test_unc_with_forward_slashes_on_a_windows_client() -> None:
    assert PathMapping([("//NAS/share", "/app")], WINDOWS).to_debuggee("\\\\nas\\Share\\a.py") == "/app/a.py"


@pytest.mark.parametrize(
    ("rules", "path"),
    [
        (LINUX, "/home/me/shop2/a.py"),
        (LINUX, "/home/me/Shop/a.py"),
        (LINUX, "/home/me"),
        (LINUX, "a.py"),
        (LINUX, "<string>"),
        (LINUX, ""),
        (LINUX, "/other//x/../a.py"),
        (WIN, "C:\\Users\\Me\\shopping\\a.py"),
        (WIN, "D:\\Users\\Me\\shop\\a.py"),
        ([], "/x//y.py"),
        ([], "c:\\x"),
        (LINUX, "untitled:Untitled-1"),
        (LINUX, "git:/home/me/shop/a.py?ref"),
        (LINUX, "vscode-notebook-cell://x/y"),
    ],
)
def test_what_no_rule_knows_passes_unchanged(rules: list, path: str) -> None:
    mapping = PathMapping(rules)
    assert mapping.to_debuggee(path) == path


def test_backslash_is_a_character_on_posix() -> None:
    assert PathMapping(LINUX).to_debuggee("/home/me/shop/a\\b.py") == "/app/a\\b.py"


def test_twice_is_once() -> None:
    """A debuggee path that reached the client unmapped, or was mapped already, is not mapped again."""
    for rules in (LINUX, WIN):
        mapping = PathMapping(rules)
        for path in ("/app/a.py", "/app", "/elsewhere/x.py"):
            assert mapping.to_debuggee(path) == path
            assert mapping.to_client(mapping.to_client(path)) == mapping.to_client(path)


@pytest.mark.parametrize(
    ("remote", "expected"),
    [(".", "/srv/www/a.py"), ("./src", "/srv/www/src/a.py"), ("../x", "/srv/x/a.py"), ("/abs", "/abs/a.py")],
)
def test_a_relative_debuggee_root_is_relative_to_its_cwd(remote: str, expected: str) -> None:
    mapping = PathMapping([("C:\\w", remote)], WINDOWS, POSIX, debuggee_cwd="/srv/www/")
    assert mapping.to_debuggee("C:\\w\\a.py") == expected
    assert mapping.to_client(expected) == "C:\\w\\a.py"


def test_relative_root_without_a_cwd_gives_relative_paths() -> None:
    mapping = PathMapping([("/w", ".")])
    assert mapping.to_debuggee("/w/p/a.py") == "p/a.py"
    assert mapping.to_debuggee("/w") == "."


def test_the_first_of_equal_roots_wins() -> None:
    mapping = PathMapping([("/one", "/app"), ("/two", "/app")])
    assert mapping.to_client("/app/a.py") == "/one/a.py"
    assert mapping.to_debuggee("/two/a.py") == "/app/a.py"


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///home/me/shop/a%20b.py", "/app/a b.py"),
        ("file://localhost/home/me/shop/a.py", "/app/a.py"),
        ("vscode-remote://localhost%3A8080/home/me/shop/a.py", "/app/a.py"),
        ("vscode-remote://ssh-remote+host/other/a.py", "/other/a.py"),
        ("file:///home/me/shop/100%.py", "/app/100%.py"),
        ("file:///home/me/shop/%C3%A4.py", "/app/ä.py"),
        ("file://nas/share/a.py", "\\\\nas\\share\\a.py"),
    ],
)
def test_uris_of_files_are_files(uri: str, path: str) -> None:
    assert PathMapping(LINUX).to_debuggee(uri) == path


def test_a_client_that_wants_uris_gets_them() -> None:
    mapping = PathMapping([("C:\\a b", "/app")], client_uris=True)
    assert mapping.to_client("/app/ä.py") == "file:///C%3A/a%20b/%C3%A4.py"
    assert mapping.to_client("/other/x.py") == "file:///other/x.py"
    assert mapping.to_client("<string>") == "<string>"
    assert mapping.to_debuggee(mapping.to_client("/app/ä.py")) == "/app/ä.py"


def test_reads_both_spellings_of_the_configuration() -> None:
    arguments = {
        "pathMappings": [{"localRoot": "/a", "remoteRoot": "/b"}],
        "localRoot": "/c",
        "remoteRoot": "/d",
    }
    mapping, problems = mapping_from(arguments)
    assert problems == []
    assert (mapping.to_debuggee("/a/x"), mapping.to_debuggee("/c/x")) == ("/b/x", "/d/x")


@pytest.mark.parametrize("os_setting", [{"clientOS": "Windows"}, {"debugOptions": ["WindowsClient"]}])
def test_the_client_may_say_what_it_is(os_setting: dict) -> None:
    mapping, _ = mapping_from({"pathMappings": [{"localRoot": "work", "remoteRoot": "/app"}], **os_setting})
    assert mapping.to_debuggee("WORK\\a.py") == "/app/a.py"


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ("x", "expected a list"),
        ([5], "pathMappings[0]: expected an object"),
        ([{"localRoot": "/x"}], "pathMappings[0]: expected an object"),
        ([{"localRoot": "/x", "remoteRoot": None}], "two strings"),
        ([{"localRoot": "${workspaceFolder}", "remoteRoot": "."}], "a variable unresolved"),
    ],
)
def test_ill_formed_settings_are_named(setting: object, problem: str) -> None:
    mapping, problems = mapping_from({"pathMappings": setting})
    assert len(problems) == 1
    assert problem in problems[0]
    assert not mapping


FAR = {"path": "/app/a.py", "name": "a.py", "sourceReference": 3}
NEAR = {"path": "/home/me/shop/a.py", "name": "a.py", "sourceReference": 3}


def both(make: object) -> tuple[dict, dict]:
    return make(FAR), make(NEAR)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("far", "near"),
    [
        both(lambda s: request(1, "setBreakpoints", {"source": s, "breakpoints": [{"line": 1}]})),
        both(lambda s: request(1, "breakpointLocations", {"source": s, "line": 1})),
        both(lambda s: request(1, "gotoTargets", {"source": s, "line": 1})),
        both(lambda s: request(1, "source", {"source": s, "sourceReference": 3})),
        both(lambda s: request(1, "evaluate", {"expression": "x", "source": s})),
        both(lambda s: response(1, request(1, "stackTrace"), {"stackFrames": [{"source": s}, {"id": 1}]})),
        both(lambda s: response(1, request(1, "scopes"), {"scopes": [{"source": s}]})),
        both(lambda s: response(1, request(1, "setBreakpoints"), {"breakpoints": [{"id": 1, "source": s}]})),
        both(lambda s: response(1, request(1, "setFunctionBreakpoints"), {"breakpoints": [{"source": s}]})),
        both(lambda s: response(1, request(1, "loadedSources"), {"sources": [s, s]})),
        both(lambda s: response(1, request(1, "modules"), {"modules": [{"id": 1, "path": s["path"]}]})),
        both(lambda s: response(1, request(1, "disassemble"), {"instructions": [{"location": s}]})),
        both(lambda s: response(1, request(1, "locations"), {"source": s, "line": 1})),
        both(lambda s: event(1, "output", {"output": "x", "source": s})),
        both(lambda s: event(1, "breakpoint", {"reason": "new", "breakpoint": {"source": s}})),
        both(lambda s: event(1, "loadedSource", {"reason": "new", "source": s})),
        both(lambda s: event(1, "loadedSource", {"reason": "new", "source": {"name": "x", "sources": [s]}})),
        both(lambda s: event(1, "module", {"reason": "new", "module": {"path": s["path"]}})),
    ],
)
def test_every_source_of_a_message(far: dict, near: dict) -> None:
    mapping = PathMapping(LINUX)
    before = repr(far)
    assert translate(far, mapping, TO_CLIENT) == near
    assert translate(near, mapping, TO_DEBUGGEE) == far
    assert repr(far) == before


@pytest.mark.parametrize(
    "message",
    [
        request(1, "launch", {"program": "/home/me/shop/a.py", "cwd": "/home/me/shop"}),
        request(1, "setBreakpoints"),
        request(1, "setBreakpoints", {"source": "/home/me/shop/a.py"}),
        request(1, "setBreakpoints", {"source": {"path": 5}}),
        request(1, "threads"),
        response(1, request(1, "stackTrace"), {"stackFrames": 5}),
        {**response(1, request(1, "stackTrace")), "body": None},
        event(1, "output", {"output": "/home/me/shop/a.py"}),
        {"type": "event", "event": ["x"]},
        {},
    ],
)
def test_the_rest_passes_as_it_is(message: dict) -> None:
    assert translate(message, PathMapping(LINUX), TO_DEBUGGEE) == message
