"""What can go wrong, as an answer a person can act on: one class per who acts, one number per kind.

A number, once published, keeps its meaning: people search for it. Ranges:

* 1000-1999 `ProtocolError`: the peer sent something it should not have;
* 2000-2999 `UsageError`: the user asked for something that cannot be done, and can mend it;
* 3000-3999 `DebuggeeError`: the program being debugged raised, vanished or is in the wrong state;
* 9000: a bug of ours.

Texts never carry secrets: a token is named, not quoted.
Source: DAP, types `Message` and `ErrorResponse`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class DapError(Exception):
    """A failure that travels as the answer to a request.

    `format` may hold `{name}` for each key of `variables`; `text` is the two put together.
    """

    default_id = 9000
    default_show_user = False

    def __init__(
        self,
        format: str,
        *,
        id: int | None = None,
        variables: dict[str, str] | None = None,
        show_user: bool | None = None,
    ) -> None:
        if variables is None and ("{" in format or "}" in format):
            # A ready text with braces in it (a dict, a log message) is not a template.
            variables = {"text": format}
            format = "{text}"
        self.id = self.default_id if id is None else id
        self.format = format
        self.variables = variables or {}
        self.show_user = self.default_show_user if show_user is None else show_user
        self.text = format.format_map(self.variables) if self.variables else format
        super().__init__(self.text)

    def to_message(self) -> dict[str, Any]:
        """Return the DAP `Message` of this error."""
        message: dict[str, Any] = {"id": self.id, "format": self.format, "showUser": self.show_user}
        if self.variables:
            message["variables"] = self.variables
        return message


class ProtocolError(DapError):
    """The peer acts: it sent what the protocol does not allow."""

    default_id = 1000


class UsageError(DapError):
    """The user acts: a setting, an argument or a file is not as it must be."""

    default_id = 2000
    default_show_user = True


class DebuggeeError(DapError):
    """The debuggee is the reason: its code raised, it runs where it must be stopped, or it is gone."""

    default_id = 3000


class Kind:
    """One row of the table: calling it with the values of its template makes the exception to raise."""

    __slots__ = ("cls", "format", "id", "show_user")

    def __init__(self, id: int, cls: type[DapError], format: str, *, show_user: bool | None = None) -> None:
        self.id = id
        self.cls = cls
        self.format = format
        self.show_user = show_user

    def __call__(self, **variables: object) -> DapError:
        texts = {name: str(value) for name, value in variables.items()}
        return self.cls(self.format, id=self.id, variables=texts, show_user=self.show_user)


# The peer acts.
NOT_A_REQUEST = Kind(1001, ProtocolError, "expected a DAP request, got {got}")
UNKNOWN_REQUEST = Kind(1002, ProtocolError, "unknown request '{command}'")
BAD_ARGUMENTS = Kind(1003, ProtocolError, "'{command}': {problems}")
NOT_INITIALIZED = Kind(1004, ProtocolError, "'{command}' came before 'initialize'; send 'initialize' first")
ALREADY_INITIALIZED = Kind(1005, ProtocolError, "'initialize' may be sent only once in a session")
NO_SESSION = Kind(1006, ProtocolError, "'{command}' needs a session; send 'launch' or 'attach' first")
SESSION_EXISTS = Kind(
    1007, ProtocolError, "'{command}' came when this client already has a session; disconnect first"
)
STALE_HANDLE = Kind(
    1008,
    ProtocolError,
    "{what} {handle} is not of the current stop: ids are given anew at each stop; ask for them again",
)
UNKNOWN_THREAD = Kind(1009, ProtocolError, "there is no thread {thread}; ask for 'threads' again")
UNSUPPORTED = Kind(1010, ProtocolError, "'{command}' is not supported: {reason}")

# The user acts.
BAD_SETTING = Kind(2001, UsageError, "the {command} setting {setting} {problem}")
TOKEN_NEEDED = Kind(
    2002, UsageError, "this session needs a token: add \"token\" to the attach configuration (it was printed "
    "where the program was started, or is the value of REMORA_TOKEN there)"
)  # fmt: skip
TOKEN_WRONG = Kind(2003, UsageError, "the token is not the one of this session")
SESSION_TAKEN = Kind(
    2004, UsageError, "{who} is already attached to this session; disconnect that client first"
)
CANNOT_LAUNCH = Kind(2005, UsageError, "cannot start {program}: {reason}")
CANNOT_CONNECT = Kind(2006, UsageError, "cannot reach {address}: {reason}")
CANNOT_ATTACH = Kind(2007, UsageError, "cannot attach to process {pid}: {reason}")

# The debuggee is the reason.
NOT_STOPPED = Kind(3001, DebuggeeError, "thread {thread} is running; pause it first")
DEBUGGEE_GONE = Kind(3002, DebuggeeError, "the program is gone: {reason}")
EVALUATION_FAILED = Kind(3003, DebuggeeError, "{text}")
CANCELLED = Kind(3004, DebuggeeError, "cancelled")
TIMED_OUT = Kind(3005, DebuggeeError, "'{what}' took longer than {seconds} s and was stopped")
STUCK = Kind(
    3006,
    DebuggeeError,
    "'{what}' has been interrupted but does not end: it sits in a call, or catches everything; "
    "what needs its thread fails until it ends",
)
BUSY = Kind(3007, DebuggeeError, "thread {thread} is still busy with '{what}', which does not end")
CANNOT_JUMP = Kind(3008, DebuggeeError, "cannot jump there: {reason}")

# We act.
INTERNAL = Kind(9000, DapError, "a bug in remora, please report it: {what}", show_user=True)
