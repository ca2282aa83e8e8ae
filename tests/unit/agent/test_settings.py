"""Options: both spellings, and a wrong one changes nothing."""

from __future__ import annotations

import pytest

from remora.agent.settings import Settings


def test_both_spellings() -> None:
    settings = Settings()
    settings.configure({"subProcess": False, "evaluate_timeout_s": 2.5, "python": "/usr/bin/python3"})
    assert settings.sub_process is False
    assert settings.evaluate_timeout_s == 2.5
    assert settings.python == "/usr/bin/python3"


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"subProces": True}, "subProces"),
        ({"subProcess": "yes"}, "subProcess"),
        ({"evaluate_timeout_s": -1}, "evaluate_timeout_s"),
        ({"evaluate_timeout_s": True}, "evaluate_timeout_s"),
        ({"python": 3}, "python"),
    ],
)
def test_a_wrong_one_is_named_and_nothing_is_set(options: dict[str, object], named: str) -> None:
    settings = Settings()
    with pytest.raises(TypeError, match=named):
        settings.configure({"just_my_code": False, **options})
    assert settings.just_my_code is True
