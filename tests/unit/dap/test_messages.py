import pytest

from remora.dap import errors
from remora.dap.errors import DapError, UsageError
from remora.dap.messages import error_response, event, read_request, request, response


def test_event_always_has_a_body() -> None:
    assert event(1, "initialized") == {"seq": 1, "type": "event", "event": "initialized", "body": {}}


def test_response_carries_the_request_back() -> None:
    asked = request(7, "threads")
    assert "arguments" not in asked
    assert response(9, asked, {"threads": []}) == {
        "seq": 9,
        "type": "response",
        "request_seq": 7,
        "success": True,
        "command": "threads",
        "body": {"threads": []},
    }


def test_error_response_has_number_text_and_variables() -> None:
    answer = error_response(3, request(2, "nope"), errors.UNKNOWN_REQUEST(command="nope"))
    assert answer["success"] is False
    assert answer["message"] == "unknown request 'nope'"
    assert answer["body"]["error"] == {
        "id": 1002,
        "format": "unknown request '{command}'",
        "variables": {"command": "nope"},
        "showUser": False,
    }


def test_error_response_to_an_ill_formed_request() -> None:
    answer = error_response(3, {"seq": "x", "command": None}, DapError("no"))
    assert (answer["request_seq"], answer["command"]) == (0, "")


def test_a_ready_text_with_braces_is_no_template() -> None:
    error = UsageError("got {'a': 1} and {")
    assert error.text == "got {'a': 1} and {"
    assert error.to_message()["format"] == "{text}"
    assert error.show_user


def test_values_with_braces_stay_as_they_are() -> None:
    assert errors.UNKNOWN_REQUEST(command="{command}{x}").text == "unknown request '{command}{x}'"


def test_numbers_are_unique_and_in_their_range() -> None:
    kinds = [value for value in vars(errors).values() if isinstance(value, errors.Kind)]
    assert len({kind.id for kind in kinds}) == len(kinds)
    ranges = {"ProtocolError": 1, "UsageError": 2, "DebuggeeError": 3, "DapError": 9}
    for kind in kinds:
        assert kind.id // 1000 == ranges[kind.cls.__name__]


@pytest.mark.parametrize("missing", [{}, {"arguments": None}, {"arguments": {}}])
def test_arguments_may_be_missing(missing: dict) -> None:
    assert read_request({"seq": 4, "type": "request", "command": "x", **missing}) == (4, "x", {})


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"seq": 1, "type": "event", "event": "x"},
        {"seq": "1", "type": "request", "command": "x"},
        {"seq": True, "type": "request", "command": "x"},
        {"seq": 1, "type": "request"},
        {"seq": 1, "type": "request", "command": "x", "arguments": [1]},
    ],
)
def test_what_is_no_request(message: dict) -> None:
    with pytest.raises(errors.ProtocolError, match="expected a DAP request"):
        read_request(message)
