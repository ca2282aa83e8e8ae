"""Microsoft's DAP test client drives `remora adapter`, on stdio and on a port.

Needs node and npm. The client is installed once, into pytest's cache folder, from testsupport/package.json.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.wire import Wire
from live.harness.debuggee import Debuggee, remora
from live.harness.debugging import free_port

HERE = Path(__file__).parent / "testsupport"
SCENARIOS = re.findall(r"^  async (\w+)\(dc\)", (HERE / "scenarios.js").read_text(), re.MULTILINE)

pytestmark = [
    pytest.mark.skipif(not shutil.which("node"), reason="no node on this machine"),
    pytest.mark.skipif(not shutil.which("npm"), reason="no npm on this machine"),
]


@pytest.fixture(scope="session")
def modules(request: pytest.FixtureRequest) -> Path:
    """Install the client if this checkout has not yet; workers wait for each other."""
    package = (HERE / "package.json").read_text()
    folder = Path(request.config.rootpath) / ".pytest_cache" / "testsupport"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = folder / "installed.json"
        if not done.exists() or done.read_text() != package:
            (folder / "package.json").write_text(package)
            command = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"]
            installed = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=50, check=False
            )
            assert installed.returncode == 0, installed.stderr
            done.write_text(package)
    return folder / "node_modules"


def play(scenario: str, transport: str, where: str, modules: Path) -> None:
    done = subprocess.run(
        ["node", str(HERE / "scenarios.js"), scenario, transport, where],
        env=os.environ | {"TEST_MODULES": str(modules), "TEST_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_on_stdio(scenario: str, modules: Path) -> None:
    command = Path(sys.executable).with_name("remora")
    assert command.exists(), "the project is not installed in this environment"
    play(scenario, "stdio", str(command), modules)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_on_a_port(scenario: str, modules: Path, tmp_path: Path) -> None:
    port = free_port()
    adapter = Debuggee(remora("adapter", "--port", port), cwd=tmp_path, is_server=True)
    try:
        Wire.connect("127.0.0.1", port).close()
        play(scenario, "port", str(port), modules)
        adapter.process.terminate()
        adapter.exit_code()
    finally:
        adapter.kill()


def test_there_are_scenarios() -> None:
    assert {"launchToTheEnd", "breakpoint", "steps", "variables"} <= set(SCENARIOS)
