"""The dashboard in a thread of the test: one can look into its hub, and give it other queries."""

import asyncio
import socket
import threading
from collections.abc import Callable
from typing import Self

import uvicorn
from eventually import eventually

from guessbook.clients.dashboard import app, live, role
from guessbook.clients.dashboard.queries import Queries
from guessbook.clients.dashboard.training.upload import Uploads
from guessbook.store.home import Home

TOKEN = "a token of this test, long enough to be one"


class DashboardThread:
    """Serves the book of the server at `address` until the `with` ends."""

    def __init__(self, home: Home, address: str, queries: type[Queries] = Queries) -> None:
        self.hub = live.Hub()
        self._queries: Callable[[], Queries] = lambda: queries(lambda: address, home.token)
        self._uploads = Uploads(home.cache / "dashboard-uploads")
        self._listening = socket.create_server((app.HOST, 0))
        self._server: uvicorn.Server | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    def page(self, path: str, query: str = "") -> str:
        host, port = self._listening.getsockname()
        return f"http://{host}:{port}{path}?token={TOKEN}" + (f"&{query}" if query else "")

    async def _serve(self) -> None:
        queries = self._queries()
        host, port = self._listening.getsockname()
        built = app.build(queries, self.hub, self._uploads, {role.OWNER: TOKEN}, [f"{host}:{port}"], "test")
        self._server = uvicorn.Server(uvicorn.Config(built, log_level="warning", timeout_graceful_shutdown=2))
        following = asyncio.create_task(live.follow(queries, self.hub))
        await self._server.serve(sockets=[self._listening])
        following.cancel()
        await queries.close()

    def __enter__(self) -> Self:
        self._thread.start()
        eventually(lambda: self._server and self._server.started)
        return self

    def __exit__(self, *_error: object) -> None:
        assert self._server
        self._server.should_exit = True
        self._thread.join(20)
        assert not self._thread.is_alive()
