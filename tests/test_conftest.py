"""The watchdogs of conftest.py bite: each is given something to catch."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]


@pytest.fixture
def watched(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    pytester.makeconftest(Path(__file__).with_name("conftest.py").read_text())
    return pytester


def run(watched: pytest.Pytester, source: str) -> pytest.RunResult:
    watched.makepyfile(source)
    return watched.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:xdist", timeout=50)


def test_hanging_test_fails_with_stacks(watched: pytest.Pytester) -> None:
    result = run(
        watched,
        """
        import pytest, threading

        @pytest.mark.time_limit(0.3)
        def test_hangs():
            def second():
                threading.Event().wait(5)
            threading.Thread(target=second, daemon=True).start()
            threading.Event().wait()
        """,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*no end after 0.3 s*", "*in second*"])


def test_time_out_is_not_swallowed_by_except_exception(watched: pytest.Pytester) -> None:
    result = run(
        watched,
        """
        import pytest

        @pytest.mark.time_limit(0.3)
        def test_hangs():
            while True:
                try:
                    while True:
                        pass
                except Exception:
                    pass
        """,
    )
    result.assert_outcomes(failed=1)


def test_detached_process_is_found_and_killed(watched: pytest.Pytester) -> None:
    result = run(
        watched,
        """
        import subprocess, sys

        def test_leaves_one():
            code = "import time; print('up', flush=True); time.sleep(600)"
            child = subprocess.Popen(
                [sys.executable, "-c", code], start_new_session=True, stdout=subprocess.PIPE
            )
            child.stdout.readline()

        def test_leaves_none():
            subprocess.run([sys.executable, "-c", "pass"], check=True)
        """,
    )
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*processes left behind*", "*time.sleep(600)*"])
