"""Builds the dashboard and serves it: `python -m guessbook.clients.dashboard.app`. Knows how the parts fit, not what they show."""

import argparse
import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

import uvicorn
from dash import Dash
from fastapi import FastAPI, WebSocket
from starlette.types import ASGIApp

from guessbook.clients.dashboard import (
    commands,
    export,
    gate,
    guarded,
    header,
    layout,
    live,
    navigation,
    problem,
    role,
    share,
    shown_run,
    timebar,
)
from guessbook.clients.dashboard.audit import page as audit
from guessbook.clients.dashboard.audit import proof
from guessbook.clients.dashboard.backups import page as backups
from guessbook.clients.dashboard.evolution import page as evolution
from guessbook.clients.dashboard.evolution import rows
from guessbook.clients.dashboard.example import page as example
from guessbook.clients.dashboard.queries import Queries
from guessbook.clients.dashboard.training import page as training
from guessbook.clients.dashboard.training.upload import Uploads
from guessbook.clients.dashboard.versions import download
from guessbook.clients.dashboard.versions import page as versions
from guessbook.store.home import Home

HOST = "127.0.0.1"
PORT = 7431
INDEX = """<!DOCTYPE html>
<html lang="en">
  <head>
    {%metas%}
    <title>{%title%}</title>
    <link rel="icon" href="/assets/favicon.svg" type="image/svg+xml">
    <script src="/assets/scheme.js"></script>
    {%css%}
  </head>
  <body>
    {%app_entry%}
    {%config%}
    {%scripts%}
    {%renderer%}
  </body>
</html>"""


def build(
    queries: Queries, hub: live.Hub, uploads: Uploads, tokens: Mapping[str, str], hosts: Iterable[str], cookie: str
) -> ASGIApp:
    """The whole application behind its gate. `tokens`: what a browser shows to be answered in a role, by that role.

    `uploads` are closed when it is shut down.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with closing(uploads):
            yield

    server = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)

    async def tab(socket: WebSocket) -> None:
        await live.serve_tab(socket, hub)

    # Before Dash, whose pages take every path that is left.
    server.add_api_websocket_route("/live", tab)
    download.route(server, queries)
    proof.route(server, queries)
    export.route(server, queries)
    rows.route(server, queries)
    app = Dash(
        __package__ or "guessbook.clients.dashboard",
        server=server,  # type: ignore[arg-type]  # Dash's signature knows Flask alone
        assets_folder=str(Path(__file__).parent / "assets"),
        assets_ignore="scheme.js",
        index_string=INDEX,
        title="Guessbook",
        update_title="",
        suppress_callback_exceptions=True,
        on_error=problem.report,
        compress=False,
        enable_mcp=False,
        websocket_inactivity_timeout=0,
    )
    app.layout = layout.layout
    for frame in (layout, header, navigation, problem):
        frame.register(app)
    for part in (shown_run, timebar, commands, guarded, evolution, example, versions, audit, backups):
        part.register(app, queries)
    training.register(app, queries, uploads)
    share.register(app, tokens.get(role.GUEST, ""))
    # Dash does it at the first request of "/" alone; a page that is opened first by its own address would have no scripts.
    app._setup_server()  # type: ignore[no-untyped-call]
    roles = {token: name for name, token in tokens.items()}
    return gate.Gate(server, roles, hosts, cookie, gate.policy(app.csp_hashes()))


class Announcing(uvicorn.Server):
    """Says where the page is for as long as it can be opened: on standard output, and in a file that only its owner can read."""

    def __init__(self, config: uvicorn.Config, link: str, link_file: Path) -> None:
        super().__init__(config)
        self.link = link
        self.link_file = link_file

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.link_file.unlink(missing_ok=True)
        with os.fdopen(os.open(self.link_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(self.link)
        print(f"dashboard: {self.link}", flush=True)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.link_file.unlink(missing_ok=True)
        await super().shutdown(sockets)


async def serve(home: Home, address: str | None, listening: socket.socket, hosts: Sequence[str]) -> None:
    """Until SIGINT or SIGTERM, on a socket that listens already. `hosts`: other names under which a proxy or a tunnel leads here."""
    port = listening.getsockname()[1]
    tokens = {role.OWNER: gate.token(home.root / "dashboard.token")}
    # One token for everybody is the owner's: with it a guest could do what its owner can.
    if not os.environ.get("GUESSBOOK_TOKEN"):
        tokens[role.GUEST] = gate.token(home.root / "dashboard.guest.token")
    queries = Queries(lambda: address or home.address(), lambda name: server_token(home, name))
    hub = live.Hub()
    names = [*(f"{host}:{port}" for host in gate.LOOPBACK), *hosts]
    uploads = Uploads(home.cache / f"dashboard-uploads-{port}")
    app = build(queries, hub, uploads, tokens, names, f"guessbook_{port}")
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2)
    server = Announcing(config, f"http://{HOST}:{port}/?token={tokens[role.OWNER]}", home.root / "dashboard.link")
    async with asyncio.TaskGroup() as tasks:
        # If it ever failed, the page would go stale without a word: then rather the whole process ends.
        following = tasks.create_task(live.follow(queries, hub))
        await server.serve(sockets=[listening])
        following.cancel()
    await queries.close()


def server_token(home: Home, name: str) -> str:
    """What the server is shown for a role here. Whoever runs the dashboard may have less than all rights."""
    return home.token(name) or (home.token("operator") if name == role.OWNER else "")


def port_number(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError(f"{port} is not a port; they go from 0 to 65535")
    return port


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="guessbook dashboard", description="Serves the dashboard to this machine's browser."
    )
    parser.add_argument("--home", type=Path, help="the data folder (default: $GUESSBOOK_HOME or ./guessbook-data)")
    parser.add_argument("--address", help="host:port of the Guessbook server (default: what the data folder says)")
    parser.add_argument(
        "--port", type=port_number, default=PORT, help=f"where to serve; 0 takes a free port (default: {PORT})"
    )
    parser.add_argument(
        "--host-name",
        action="append",
        default=[],
        metavar="NAME[:PORT]",
        help="another name that a reverse proxy or a tunnel gives this dashboard; it listens on this machine alone all the same. Can be repeated",
    )
    given = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    home = Home(given.home.absolute()) if given.home else Home.default()
    try:
        listening = socket.create_server((HOST, given.port))
    except OSError as error:
        parser.exit(
            1, f"Port {given.port} can't be used: {error.strerror}. Choose another with --port; 0 takes a free one.\n"
        )
    with suppress(KeyboardInterrupt):
        asyncio.run(serve(home, given.address, listening, given.host_name))


if __name__ == "__main__":
    main()
