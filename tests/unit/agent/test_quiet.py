"""Breakpoints that do not stop, over the wire: what an editor sees of them, and what a client of ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from remora.engine.quota import COUNTED
from unit.agent.conftest import Debuggee

Debug = Callable[..., Debuggee]

LOOP = """\
class Box:
    def __init__(self, secret):
        self.secret = secret
    @property
    def lid(self):
        print("PROPERTY RAN")
def work(number, token):
    box = Box(token)
    return number       # @here
for number in range({count}):
    work(number, "t0k3n")
print("done")
"""


def session(debug: Debug, count: int, *, ours: bool = False, **wish: Any) -> Debuggee:
    debuggee = debug(LOOP.replace("{count}", str(count)))
    client = debuggee.client
    flags = {"supportsRemoraEvents": True} if ours else {}
    client.request("initialize", {"adapterID": "remora", **flags})
    attach = client.send("attach", {})
    client.event("initialized")
    [made] = debuggee.break_at("here", **wish)
    assert made["verified"] is True
    client.configured(attach)
    client.event("terminated")
    code, out, err = debuggee.end()
    assert (code, out, err) == (0, "done\n", ""), "it was neither stopped nor changed"
    return debuggee


def events(debuggee: Debuggee, name: str) -> list[dict[str, Any]]:
    return [one["body"] for one in debuggee.client.seen if one.get("event") == name]


@pytest.fixture(autouse=True)
def our_events_are_no_part_of_dap(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client of these tests checks each message against the specification."""
    from unit.agent import raw

    check = raw.check_message
    monkeypatch.setattr(
        raw, "check_message", lambda message: [] if "remora" in _name(message) else check(message)
    )


def _name(message: dict[str, Any]) -> str:
    return str(message.get("event") or message.get("command"))


def test_modes_are_announced(debug: Debug) -> None:
    debuggee = debug("")
    capabilities = debuggee.client.request("initialize", {"adapterID": "remora"})
    assert [mode["mode"] for mode in capabilities["breakpointModes"]] == ["stop", "snapshot", "log"]


def test_an_editor_sees_a_snapshot_as_text(debug: Debug) -> None:
    debuggee = session(debug, 2, mode="snapshot")
    told = [body for body in events(debuggee, "output") if body["output"].startswith("snapshot ")]
    first = told[0]
    one, two = "".join(body["output"] for body in told).splitlines(keepends=True)  # joined, or not
    assert one == (
        f"snapshot prog.py:{debuggee.lines['here']} in work [MainThread]: "
        "number=0, token=<redacted>, box=<Box secret=<redacted>>\n"
    )
    assert (first["line"], first["source"]["path"]) == (debuggee.lines["here"], str(debuggee.path))
    assert "number=1" in two
    assert not [one for one in debuggee.client.seen if "remora" in one.get("event", "")], (
        "no events of our own"
    )


def test_an_editor_hears_how_much_was_left_out(debug: Debug) -> None:
    count = COUNTED + 1000
    debuggee = session(debug, count, logMessage="{number}", remora={"rate": {"count": 5, "seconds": 3600}})
    logged = "".join(body["output"] for body in events(debuggee, "output") if body["category"] == "console")
    assert (
        logged
        == "0\n1\n2\n3\n4\n" + f"remora: {COUNTED:,} and more hits were left out: too many in a short time\n"
    )


def test_snapshots_have_a_rate_of_their_own(debug: Debug) -> None:
    debuggee = session(debug, 200, ours=True, mode="snapshot")
    taken, left_out = events(debuggee, "remoraSnapshot"), events(debuggee, "remoraLeftOut")
    assert 10 <= len(taken) < 200
    assert len(taken) + sum(one["count"] for one in left_out) == 200, "nothing is lost without a word"
    assert not left_out[0]["more"]


def test_a_client_of_ours_gets_what_it_can_take_apart(debug: Debug) -> None:
    debuggee = session(
        debug, 3, ours=True, mode="snapshot",
        remora={"redact": False, "limit": 2, "depth": 3, "watches": ["number + 1", "nothing"]},
    )  # fmt: skip
    first, second = events(debuggee, "remoraSnapshot")
    top, caller = first["frames"]
    assert {one["name"]: one["value"] for one in top["variables"]} == {
        "number": "0",
        "token": "'t0k3n'",
        "box": "<Box secret='t0k3n'>",
    }
    assert (caller["name"], "variables" in caller, caller["userCode"]) == ("<module>", False, True)
    assert [one.get("value", one.get("error")) for one in second["watches"]] == [
        "2",
        "NameError: name 'nothing' is not defined",
    ]
    assert (first["threadId"], first["thread"]) == (1, "MainThread")


def test_log_entries(debug: Debug) -> None:
    debuggee = session(debug, 3, ours=True, logMessage="{number}\n{token} {box.secret}", remora={})
    entries = [entry for body in events(debuggee, "remoraLog") for entry in body["entries"]]
    assert [entry["text"] for entry in entries] == [f"{n}\n<redacted> <redacted>" for n in range(3)]
    assert [entry["time"] for entry in entries] == sorted(entry["time"] for entry in entries)


def test_a_long_message_is_cut(debug: Debug) -> None:
    debuggee = session(debug, 1, ours=True, logMessage="{'x' * 100_000}", remora={})
    [entry] = events(debuggee, "remoraLog")[0]["entries"]
    assert entry["text"].endswith("… (100000 characters)")
    assert len(entry["text"]) < 9000


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"mode": "stare"}, "breakpoints[0].mode: 'stare' is none of stop, snapshot, log"),
        ({"remora": 3}, "breakpoints[0].remora: expected an object"),
        ({"remora": {"limit": 0}}, "remora.limit: expected a whole number from 1"),
        ({"remora": {"limit": True}}, "remora.limit"),
        ({"remora": {"depth": 99}}, "remora.depth: expected a whole number from 0 to 16"),
        ({"remora": {"redact": "no"}}, "remora.redact: expected true or false"),
        ({"remora": {"rate": 5}}, "remora.rate: expected an object"),
        ({"remora": {"rate": {"count": 0}}}, "remora.rate"),
        ({"remora": {"rate": {"count": 1, "seconds": 0}}}, "remora.rate"),
        ({"remora": {"watches": "x"}}, "remora.watches: expected a list"),
        ({"mode": "snapshot", "remora": {"watches": ["1 +"]}}, "remora.watches: expected expressions; '1 +'"),
    ],
)
def test_what_is_asked_for_wrongly_is_named(debug: Debug, wish: dict[str, Any], said: str) -> None:
    debuggee = debug("x = 1   # @here\n")
    debuggee.client.attach()
    asked = {
        "source": {"path": str(debuggee.path)},
        "breakpoints": [{"line": debuggee.lines["here"], **wish}],
    }
    assert said in debuggee.client.refused("setBreakpoints", asked)["text"]


def test_stacks_of_a_running_program(debug: Debug) -> None:
    debuggee = debug("import sys\ndef wait():\n    sys.stdin.readline()   # @here\nwait()\n", waits=False)
    client = debuggee.client
    client.attach()
    for _ in range(1000):  # it may not have come there yet
        body = client.request("remoraStacks", {"locals": True})
        [main] = body["stacks"]
        if main["frames"][0]["name"] == "wait":
            break
    assert (main["kind"], main["id"], main["name"]) == ("thread", 1, "MainThread")
    assert main["frames"][0]["line"] == debuggee.lines["here"]
    assert body["pid"] == debuggee.process.pid
    assert "true or false" in client.refused("remoraStacks", {"locals": 1})["text"]
    debuggee.tell("")
    client.event("terminated")
