"""Who may talk to the dashboard: this machine's browser, with the token, from the dashboard's own pages.

A pure ASGI wrapper around everything, HTTP and WebSocket. Dash itself checks neither Host nor Origin, so that without it any web page
could steer the training by DNS rebinding. Each token stands for a role: what the server lets its bearer do. Knows no component and no gRPC.
"""

import os
import secrets
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from guessbook.clients.dashboard import role

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
SHORTEST_TOKEN = 32  # characters
_READING = ("GET", "HEAD")
LONGEST_BODY = 4 * 1024 * 1024  # bytes; what the pages send is far smaller
STREAMED = "/upload"  # the route of upload.py, which limits itself and holds none of it in memory


def token(path: Path) -> str:
    """The token in the file, made at the first call: a restart then keeps open tabs. Only its owner can read the file.

    A file whose token is too short to be one, because a disk was full or the power went, gets a new one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        known = path.read_text(errors="replace").strip()
        if len(known) >= SHORTEST_TOKEN:
            return known
        path.unlink()
    except FileNotFoundError:
        pass
    made = secrets.token_urlsafe(32)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.") as file:  # with mode 0600
        file.write(made)
        file.flush()
        try:
            os.link(file.name, path)  # whole or not at all
        except FileExistsError:  # another process was faster
            return path.read_text().strip()
    return made


def policy(script_hashes: Iterable[str]) -> str:
    """The Content-Security-Policy: nothing from elsewhere, no inline script but those with these hashes (quoted)."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' {' '.join(script_hashes)}",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data:",
            "font-src 'self'",
            "connect-src 'self'",
            "worker-src 'self'",
            "manifest-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "object-src 'none'",
            "frame-ancestors 'none'",
        )
    )


class Gate:
    """Lets a request through to `app` if its Host is ours, its Origin is its Host, and its cookie holds a token; it is answered in that token's role.

    `/?token=…` gives the cookie and leads to the same address without the token.
    """

    def __init__(
        self,
        app: ASGIApp,
        roles: Mapping[str, str],
        hosts: Iterable[str],
        cookie: str,
        content_security_policy: str,
    ) -> None:
        """`roles`: the role of each token. `hosts`: with the port, where it isn't that of the scheme. `cookie`: its name; a browser keeps cookies by host,
        not by port."""
        self.app = app
        self.roles = roles
        self.hosts = set(hosts)
        self.cookie = cookie
        self.headers = {
            "content-security-policy": content_security_policy,
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "cross-origin-opener-policy": "same-origin",
            "cross-origin-resource-policy": "same-origin",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        answer = self.refusal(scope)
        if answer is None:
            asked = role.asking.set(self._role(Headers(scope=scope).get("cookie", "")))
            try:
                await self.app(scope, receive, self._guarded(send))
            finally:
                role.asking.reset(asked)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 4403, "reason": "not allowed"})
        else:
            await answer(scope, receive, self._guarded(send))

    def refusal(self, scope: Scope) -> Response | None:
        """What to answer instead of letting it through, if anything."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if host not in self.hosts:
            return PlainTextResponse(f"This is not {host or 'a host without a name'}.\n", 421)
        origin = headers.get("origin")
        own = (f"http://{host}", *([] if host.startswith(LOOPBACK) else [f"https://{host}"]))
        foreign = origin is not None and origin not in own
        writing = scope["type"] == "websocket" or scope["method"] not in _READING
        if foreign or (writing and origin is None):
            return PlainTextResponse("Only the dashboard's own pages may ask this.\n", 403)
        if writing and scope["type"] == "http" and (refused := _too_long(scope["path"], headers)):
            return refused
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = dict(query).get("token")
        if given is not None and not writing:
            known = self._role(headers.get("cookie", ""))
            return self._enter(given, known, scope["path"], [pair for pair in query if pair[0] != "token"])
        return None if self._role(headers.get("cookie", "")) else _stranger()

    def _enter(self, given: str, known: str, path: str, rest: list[tuple[str, str]]) -> Response:
        entering = self._role_of(given)
        if not entering:
            return _stranger()
        # One leading slash: two would lead to another host.
        target = "/" + path.lstrip("/") + (f"?{urlencode(rest)}" if rest else "")
        response = RedirectResponse(target, status_code=303)
        # The owner who tries a read-only link stays the owner.
        if entering == role.OWNER or known != role.OWNER:
            response.set_cookie(self.cookie, given, max_age=90 * 86400, httponly=True, samesite="strict")
        return response

    def _role(self, header: str) -> str:
        """Empty: it holds no token."""
        # Not http.cookies: it drops all that stands behind a cookie it can't read, and other programs on localhost set such.
        return self._role_of(cookie_parser(header).get(self.cookie, ""))

    def _role_of(self, given: str) -> str:
        tokens = self.roles.items()
        return next((name for token, name in tokens if secrets.compare_digest(given.encode(), token.encode())), "")

    def _guarded(self, send: Send) -> Send:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    headers[name] = value
            await send(message)

        return guarded


def _too_long(path: str, headers: Headers) -> Response | None:
    """Dash reads a body into memory whole; the server before us lets no more through than was announced."""
    if path == STREAMED:
        return None
    announced = headers.get("content-length", "")
    if not announced.isdigit():
        return PlainTextResponse("Say how long it is.\n", 411)
    return (
        PlainTextResponse("That is longer than anything the pages send.\n", 413)
        if int(announced) > LONGEST_BODY
        else None
    )


def _stranger() -> Response:
    return PlainTextResponse(
        "This browser is not known here.\nOpen the link that `guessbook dashboard` printed; it is also in the file dashboard.link in the data folder.\n",
        401,
    )
