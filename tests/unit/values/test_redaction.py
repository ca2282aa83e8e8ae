"""What is a secret, what is not, and what is left of a text without them."""

from __future__ import annotations

import pytest

from remora.values.budget import Budget
from remora.values.redaction import DisplayTexts, expression_is_secret, is_secret, redacted, scrub

SECRET = [
    "password", "passwd", "PASSWORD", "user_password", "userPassword", "password2", "passphrase", "pwd",
    "secret", "clientSecret", "SECRET_KEY", "token", "access_token", "refreshTokens", "auth_token", "apikey",
    "api_key", "apiKey", "API-KEY", "x-api-key", "authorization", "Proxy-Authorization", "cookie",
    "Set-Cookie", "cookies", "credential", "aws_credentials", "private_key", "privateKey", "password_hash",
    "jwt", "__secret",
]  # fmt: skip
HARMLESS = [
    "", "key", "keys", "sort_key", "primary_key", "tokens", "max_tokens", "tokenizer", "token_count",
    "n_tokens", "passed", "bypass", "secretary", "author", "authority", "keyboard", "monkey",
    "cookiecutter", "user", "hidden", "token_type", "secret_length", "spin", "pwdx", "_", "__", "1",
    "x" * 1000 + "_password",
]  # fmt: skip


@pytest.mark.parametrize("name", SECRET)
def test_names_of_secrets(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize("name", HARMLESS)
def test_names_of_other_things(name: str) -> None:
    assert not is_secret(name)


@pytest.mark.parametrize(
    ("expression", "secret"),
    [
        ("password", True),
        ("self.password", True),
        ("request.headers['Authorization']", True),
        ("headers[b'cookie']", True),
        ("os.environ.get('API_KEY', '')", True),
        ("user, user.token", True),
        ("get_token()", True),
        ("f'{secret}'", True),
        ("[password for x in y]", True),
        ("len(password)", False),
        ("password is None", False),
        ("not token", False),
        ("f'password: {user}'", False),
        ("user.name", False),
        ("max_tokens", False),
        ("x = password", True),  # statements are looked at word by word
        ("x = 1", False),
    ],
)
def test_expressions(expression: str, secret: bool) -> None:
    assert expression_is_secret(expression) is secret
    assert (redacted(expression, "text") == "<redacted>") is secret


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("password=hunter2", "password=<redacted>"),
        ("password = 'hunter2', x=1", "password = <redacted>, x=1"),
        ("{'password': 'it\\'s', 'x': 1}", "{'password': <redacted>, 'x': 1}"),
        ('{"api_key": "abc", "x": 1}', '{"api_key": <redacted>, "x": 1}'),
        ("{b'cookie': b'a=b; c=d'}", "{b'cookie': b<redacted>}"),
        ("Authorization: Bearer abc.def-ghi", "Authorization: <redacted>"),
        ("sent Bearer abcdefgh to x", "sent Bearer <redacted> to x"),
        ("Basic dXNlcjpwYXNz", "Basic <redacted>"),
        ("Basic idea", "Basic idea"),
        ("https://h/p?token=abc&x=1", "https://h/p?token=<redacted>&x=1"),
        ("token: 12345", "token: <redacted>"),
        ("User(name='u', password='p')", "User(name='u', password=<redacted>)"),
        ("<User name='u' token=abc>", "<User name='u' token=<redacted>>"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIi", "<redacted>.eyJzdWIi"),
        ("the password is wrong", "the password is wrong"),
        ("if password == 'x'", "if password == 'x'"),
        ("password", "password"),
        ("password=", "password="),
        ("password='never closed", "password=<redacted>"),
        ("secret={'a': 1}", "secret={'a': 1}"),
        ("max_tokens=100", "max_tokens=100"),
        ("-----BEGIN KEY-----\nabc\n-----END KEY-----\nx", "<redacted> KEY-----\nx"),
        ("İ Password=x", "İ Password=<redacted>"),
        (
            "password=a token=b, x=1, API_KEY=c",
            "password=<redacted> token=<redacted>, x=1, API_KEY=<redacted>",
        ),
        ("'password': 'token=abc'", "'password': <redacted>"),
        ("größe=1 пароль=2 password=3", "größe=1 пароль=2 password=<redacted>"),
        ("", ""),
    ],
)
def test_texts(text: str, left: str) -> None:
    assert scrub(text) == left


def test_a_long_text_is_cut_rather_than_searched() -> None:
    assert len(scrub("x " * 100_000)) < 70_000


class User:
    def __init__(self) -> None:
        self.name = "u"
        self.password = "hunter2"


class Talkative:
    def __repr__(self) -> str:
        return "Talkative(password='hunter2')"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"token": "t", "x": {"api_key": 1}}, "{'token': <redacted>, 'x': {'api_key': <redacted>}}"),
        ({b"cookie": 1}, "{b'cookie': <redacted>}"),
        (
            [(b"authorization", b"zzz"), ("a", "Bearer abcdefg"), ("Cookie", "c")],
            "[(b'authorization', <redacted>), ('a', <redacted>), ('Cookie', <redacted>)]",
        ),
        (b"Bearer abcdefgh", "<redacted>"),
        ("-----BEGIN PRIVATE KEY-----\n", "<redacted>"),
        ({1: "x", None: "y", ("token", "x"): 2}, "{1: 'x', None: 'y', ('token', <redacted>): 2}"),
        ("a password", "'a password'"),
    ],
)
def test_values(value: object, text: str) -> None:
    assert DisplayTexts(Budget(), run_user_code=False).text(value) == text


def test_objects() -> None:
    quiet = DisplayTexts(Budget(), run_user_code=False)
    assert quiet.text(User()) == "<User name='u' password=<redacted>>"
    assert "hunter2" not in quiet.text(Talkative())
    talking = DisplayTexts(Budget(), run_user_code=True)
    assert talking.text(Talkative()) == "Talkative(password=<redacted>)"
    assert talking.text(User()) == "<User name='u' password=<redacted>>"
    open_ = DisplayTexts(Budget(), redact=False)
    assert open_.text([User(), ("token", b"Bearer abcdefgh")]) == (
        "[<User name='u' password='hunter2'>, ('token', b'Bearer abcdefgh')]"
    )
