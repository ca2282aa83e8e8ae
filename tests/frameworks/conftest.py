"""Fixtures of the framework tests: small applications, as their users write them."""

from __future__ import annotations

from pathlib import Path

import pytest

WSGI = """\
import os

def app(environ, start_response):
    name = environ["PATH_INFO"].strip("/")
    text = f"hello {name} from {os.getpid()}"  # @hello
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [text.encode()]
"""

ASGI = """\
import os

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    name = scope["path"].strip("/")
    text = f"hello {name} from {os.getpid()}"  # @hello
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": text.encode()})
"""

FLASK = """\
import os
from flask import Flask

app = Flask(__name__)

@app.get("/<name>")
def hello(name):
    text = f"hello {name} from {os.getpid()}"  # @hello
    return text
"""

DJANGO = """\
import os, sys
from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpResponse
from django.urls import path

settings.configure(DEBUG=True, ROOT_URLCONF=__name__, SECRET_KEY="x", ALLOWED_HOSTS=["*"], USE_TZ=True)

def hello(request, name):
    text = f"hello {name} from {os.getpid()}"  # @hello
    return HttpResponse(text)

urlpatterns = [path("<name>", hello)]

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
"""

CELERY = """\
import os
from celery import Celery

app = Celery("tasks")
app.conf.update(
    broker_url="filesystem://",
    broker_transport_options={
        "data_folder_in": "queue", "data_folder_out": "queue", "control_folder": "control"
    },
    result_backend="file://results",
    worker_hijack_root_logger=False,
)

@app.task
def add(x, y):
    total = x + y  # @add
    with open("done", "a") as file:
        file.write(f"{total}\\n")
    return total
"""

XDIST = """\
import os
import pytest

@pytest.mark.parametrize("number", range(4))
def test_number(number):
    worker = os.environ["PYTEST_XDIST_WORKER"]
    assert number < 10 and worker.startswith("gw")  # @test
"""


@pytest.fixture
def application(tmp_path: Path):  # type: ignore[no-untyped-def]
    """Write one of the applications into a folder of its own; return the file."""
    texts = {
        "wsgi": WSGI, "asgi": ASGI, "flask": FLASK, "django": DJANGO, "celery": CELERY, "xdist": XDIST
    }  # fmt: skip

    def write(kind: str, name: str = "app.py") -> Path:
        path = tmp_path / name
        path.write_text(texts[kind])
        return path

    return write
