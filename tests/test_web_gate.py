"""Who may open the desk in a browser, as a decision; and what a desk there is given."""

from __future__ import annotations

import re
from dataclasses import replace
from http import HTTPStatus

import pytest

from tui.web.gate import Asked, Gate
from tui.web.terminal import Size, desk_environment

GATE = Gate("127.0.0.1:8378", place="place", cookie="the-cookie", token="the-token")
ALLOWED = Asked("GET", "/place/ws", host="127.0.0.1:8378", origin="http://127.0.0.1:8378", cookies=("the-cookie",))


@pytest.mark.parametrize(
    "asked",
    [
        ALLOWED,
        replace(ALLOWED, is_websocket=True, site="same-origin"),
        replace(ALLOWED, path="/place/", origin=None, site="none"),
        replace(ALLOWED, path="/place/", token="the-token", cookies=(), origin=None, site="cross-site"),
    ],
)
def test_the_owner_is_let_in(asked: Asked):
    assert GATE.refusal(asked) is None


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"host": None}, "only answers as"),
        ({"host": "localhost:8378"}, "only answers as"),
        ({"host": "127.0.0.1"}, "only answers as"),
        ({"host": "127.0.0.1:8378.evil.example"}, "only answers as"),
        ({"host": "evil.example:8378"}, "only answers as"),
        ({"origin": "https://evil.example"}, "Another page"),
        ({"origin": "http://127.0.0.1:9999"}, "Another page"),
        ({"origin": "http://localhost:8378"}, "Another page"),
        ({"origin": "null"}, "Another page"),
        ({"origin": ""}, "Another page"),
        ({"origin": None, "is_websocket": True}, "Another page"),
        ({"site": "cross-site"}, "Another page"),
        ({"site": "same-site"}, "Another page"),
        ({"method": "POST"}, "GET"),
        ({"method": "OPTIONS"}, "GET"),
        ({"cookies": ()}, "that `loopdesk web` printed"),
        ({"cookies": ("",)}, "that `loopdesk web` printed"),
        ({"cookies": ("the-cookiE",)}, "that `loopdesk web` printed"),
        ({"cookies": ("the-token",)}, "that `loopdesk web` printed"),
        ({"cookies": ("ÿ\udcff",)}, "that `loopdesk web` printed"),
        ({"cookies": (), "token": "the-token"}, "that `loopdesk web` printed"),
        (
            {"cookies": (), "token": "the-token", "path": "/place/", "is_websocket": True},
            "that `loopdesk web` printed",
        ),
        ({"token": "another", "path": "/place/"}, "wrong or used"),
        ({"token": "", "path": "/place/"}, "wrong or used"),
        ({"token": "the-token", "path": "/place/", "host": "evil.example"}, "only answers as"),
        ({"token": "the-token", "path": "/place/", "origin": "https://evil.example"}, "Another page"),
    ],
)
def test_everybody_else_is_refused_in_a_sentence(changed: dict[str, object], said: str):
    refused = GATE.refusal(replace(ALLOWED, **changed))  # type: ignore[arg-type]
    assert refused is not None and said in refused.why
    assert not {"the-cookie", "the-token", "evil.example"} & set(re.split(r"[ /:]", refused.why))


def test_secrets_are_long_and_new_and_stand_in_no_repr():
    one, other = Gate("127.0.0.1:1"), Gate("127.0.0.1:1")
    secrets = [one.token, one.cookie, one.place, other.token, other.cookie, other.place]
    assert len(set(secrets)) == 6 and all(len(secret) >= 32 for secret in secrets)
    assert one.token not in repr(one) and one.cookie not in repr(one)
    before = one.token
    one.burn()
    assert one.token != before


def test_a_desk_is_given_no_more_of_the_environment_than_it_needs():
    environment = {
        "PATH": "/bin",
        "LC_ALL": "C.UTF-8",
        "LOOPDESK_THEME": "loopdesk-light",
        "POSTHOG_PERSONAL_API_KEY": "phx_1",
        "ANTHROPIC_API_KEY": "sk-1",
        "GITHUB_TOKEN": "ghp_1",
        "LOOPDESK_DATABASE_URL": "postgres://user:word@host",
        "AWS_SECRET_ACCESS_KEY": "aws",
        "TMUX": "/tmp/tmux-0/default",
        "SSH_AUTH_SOCK": "/tmp/agent",
        "TEXTUAL_DRIVER": "evil:Driver",
        "PYTHONSTARTUP": "/tmp/x.py",
    }
    given = desk_environment(environment, asks_posthog=False)
    assert given.keys() == {"PATH", "LC_ALL", "LOOPDESK_THEME", "TERM", "COLORTERM"}
    assert desk_environment(environment, asks_posthog=True)["POSTHOG_PERSONAL_API_KEY"] == "phx_1"


def test_a_browser_cannot_ask_for_an_absurd_screen():
    assert Size.of(160, 48) == Size(160, 48)
    assert Size.of(10**9, -1) == Size(500, 5)
    assert Size.of("160", None) == Size.of(1.5, True) == Size(80, 24)


def test_refusals_have_their_statuses():
    assert GATE.refusal(replace(ALLOWED, method="POST")).status is HTTPStatus.METHOD_NOT_ALLOWED  # type: ignore[union-attr]
    assert GATE.refusal(replace(ALLOWED, host="x")).status is HTTPStatus.FORBIDDEN  # type: ignore[union-attr]
