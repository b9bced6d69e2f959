"""Who is let through to the dashboard."""

import asyncio
import stat
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message, Scope

from guessbook.clients.dashboard import gate, role

HOST = "127.0.0.1:7431"
HERE = f"http://{HOST}"
COOKIE = "guessbook_7431=secret"
ROLES = {"secret": role.OWNER, "shared": role.GUEST}
GATE = gate.Gate(
    PlainTextResponse("inside"), ROLES, [HOST, "book.example"], "guessbook_7431", gate.policy(["'sha256-abc'"])
)


def ask(
    path: str = "/", method: str = "GET", kind: str = "http", gated: gate.Gate = GATE, **headers: str
) -> tuple[Any, dict[str, str]]:
    """What the gate answers, status (or the close code) and headers. `host` is right where it isn't given."""
    given = {"host": HOST, **({"content_length": "2"} if method == "POST" else {}), **headers}
    target, _, query = path.partition("?")
    scope: Scope = {
        "type": kind,
        "method": method,
        "path": target,
        "query_string": query.encode(),
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in given.items()],
    }
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(gated(scope, receive, send))
    start = sent[0]
    if start["type"] == "websocket.close":
        return start["code"], {}
    return start["status"], {name.decode(): value.decode() for name, value in start["headers"]}


def test_the_cookie_opens() -> None:
    status, headers = ask(cookie=COOKIE)
    assert status == 200
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "script-src 'self' 'sha256-abc';" in headers["content-security-policy"]


@pytest.mark.parametrize("cookie", ["", "guessbook_7431=wrong", "guessbook_9999=secret", "guessbook_7431=ü", "a=b;;=="])
def test_without_the_right_cookie_nobody_enters(cookie: str) -> None:
    assert ask(cookie=cookie)[0] == 401
    assert ask("/_dash-layout", cookie=cookie)[0] == 401


def test_the_link_gives_the_cookie_and_loses_the_token() -> None:
    status, headers = ask("/?run=r1&token=secret&q=")
    assert status == 303
    assert headers["location"] == "/?run=r1&q="
    cookie = headers["set-cookie"].lower()
    assert "guessbook_7431=secret" in cookie
    assert "httponly" in cookie
    assert "samesite=strict" in cookie


def test_the_link_leads_to_no_other_host() -> None:
    assert ask("//evil.example/?token=secret")[1]["location"] == "/evil.example/"


def test_a_wrong_token_is_refused_even_with_the_cookie() -> None:
    assert ask("/?token=wrong", cookie=COOKIE)[0] == 401


@pytest.mark.parametrize("host", ["evil.example", "evil.example:7431", "127.0.0.1:80", "127.0.0.1", ""])
def test_another_host_name_is_refused(host: str) -> None:
    assert ask(cookie=COOKIE, host=host)[0] == 421


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1:7431", "http://127.0.0.1:80"])
def test_another_page_can_not_ask(origin: str) -> None:
    assert ask("/_dash-update-component", "POST", cookie=COOKIE, origin=origin)[0] == 403
    assert ask(cookie=COOKIE, origin=origin)[0] == 403


def test_a_request_that_changes_something_must_say_where_it_comes_from() -> None:
    assert ask("/_dash-update-component", "POST", cookie=COOKIE)[0] == 403
    assert ask("/_dash-update-component", "POST", cookie=COOKIE, origin=HERE)[0] == 200


def test_a_proxy_may_give_it_another_name() -> None:
    assert ask(host="book.example", cookie=COOKIE)[0] == 200
    own = "https://book.example"
    assert ask("/_dash-update-component", "POST", host="book.example", cookie=COOKIE, origin=own)[0] == 200
    assert ask(host="other.example", cookie=COOKIE)[0] == 421


def test_the_socket_has_the_same_gate() -> None:
    assert ask("/live", kind="websocket", cookie=COOKIE)[0] == 4403
    assert ask("/live", kind="websocket", cookie=COOKIE, origin="http://evil.example")[0] == 4403
    assert ask("/live", kind="websocket", origin=HERE)[0] == 4403
    assert ask("/live?token=secret", kind="websocket", origin=HERE)[0] == 4403


def test_each_token_is_answered_in_its_role() -> None:
    roles: list[str] = []

    async def inside(scope: Scope, receive: Any, send: Any) -> None:
        roles.append(role.asking.get())
        await PlainTextResponse("inside")(scope, receive, send)

    asked = gate.Gate(inside, ROLES, [HOST], "guessbook_7431", "")
    for given in ("secret", "shared", "wrong"):
        ask(gated=asked, cookie=f"guessbook_7431={given}")
    assert roles == [role.OWNER, role.GUEST]
    assert role.asking.get() == role.GUEST


def test_the_token_stays_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "home" / "dashboard.token"
    first = gate.token(path)
    assert len(first) >= 40
    assert gate.token(path) == first
    assert list(path.parent.iterdir()) == [path]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("left", ["", "\n", "too-short"])
def test_a_token_that_was_not_written_whole_is_made_anew(tmp_path: Path, left: str) -> None:
    """With an empty one, an empty cookie would open the gate."""
    path = tmp_path / "dashboard.token"
    path.write_text(left)
    made = gate.token(path)
    assert len(made) >= 40
    assert path.read_text() == made
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("other", ['foo={"a":1}', "a[b]=1", "naïve=é", 'quoted="a b', "nameless", "=", ""])
def test_cookies_of_other_programs_do_no_harm(other: str) -> None:
    assert ask(cookie=f"{other}; {COOKIE}")[0] == 200
    assert ask(cookie=f"{COOKIE}; {other}")[0] == 200
    assert ask(cookie=other)[0] == 401


@pytest.mark.parametrize(("announced", "status"), [("2", 200), (str(10**9), 413), ("", 411), ("-1", 411)])
def test_no_body_can_fill_the_memory(announced: str, status: int) -> None:
    path = "/_dash-update-component"
    assert ask(path, "POST", cookie=COOKIE, origin=HERE, content_length=announced)[0] == status


def test_an_owner_who_opens_the_read_only_link_stays_the_owner() -> None:
    assert "set-cookie" in ask("/?token=shared")[1]
    assert "set-cookie" not in ask("/?token=shared", cookie=COOKIE)[1]
    assert "secret" in ask("/?token=secret", cookie="guessbook_7431=shared")[1]["set-cookie"]
