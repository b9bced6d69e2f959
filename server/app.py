"""Starts and stops the server. Knows every service, decides nothing."""

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from guessbook.projections.fold import UnknownEvent
from guessbook.proto import artifacts_pb2, control_pb2, events_pb2, history_pb2, log_pb2, safety_pb2
from guessbook.proto.artifacts_pb2_grpc import add_ArtifactsServicer_to_server
from guessbook.proto.control_pb2_grpc import add_ControlServicer_to_server
from guessbook.proto.events_pb2 import Event
from guessbook.proto.history_pb2_grpc import add_HistoryServicer_to_server
from guessbook.proto.safety_pb2_grpc import add_SafetyServicer_to_server
from guessbook.server import logs
from guessbook.server.artifacts_service import ArtifactsService
from guessbook.server.attendance import HEARTBEAT_S, Attendance, keepalive
from guessbook.server.auth import AuthInterceptor
from guessbook.server.control_files import ControlFiles
from guessbook.server.control_service import ControlService
from guessbook.server.errors import ErrorInterceptor
from guessbook.server.history_service import HistoryService
from guessbook.server.hooks import Hooks
from guessbook.server.inbox import Inbox
from guessbook.server.listening import Listening
from guessbook.server.live_book import LiveBook, now_us
from guessbook.server.log_service import LogService, add_log_service
from guessbook.server.metrics import MetricsPage
from guessbook.server.notary import Notary
from guessbook.server.safety import Safety
from guessbook.server.state_files import StateFiles
from guessbook.server.streams import Streams
from guessbook.server.submission import Submission
from guessbook.server.tokens import ROLES, BadTokens, Tokens
from guessbook.server.version_folders import VersionFolders
from guessbook.store.artifacts import Artifacts
from guessbook.store.errors import LogError
from guessbook.store.frame import DamagedFrame
from guessbook.store.home import DEFAULT_ADDRESS, Home
from guessbook.store.log import Append, Log

SERVICES = [
    service.full_name
    for module in (log_pb2, control_pb2, history_pb2, artifacts_pb2, safety_pb2)
    for service in module.DESCRIPTOR.services_by_name.values()
]
# What changes the folders of versions.
FOLDER_EVENTS = frozenset(
    {"version_created", "version_noted", "version_deleted", "version_restored", "version_purged", "latest_moved"}
)
OPTIONS: list[tuple[str, int]] = [
    ("grpc.max_receive_message_length", 4 * 1024 * 1024),  # of a client; a batch has at most 2 MiB
    ("grpc.max_send_message_length", 16 * 1024 * 1024),  # what clients take
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 20_000),  # clients ping every 30 s
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.so_reuseport", 0),  # a second server on the port is an error, not a rival
]
STOP_GRACE_S = 1.0

_log = logging.getLogger(__name__)


class Server:
    """All services over one log. `start` returns when it serves; `stopped` waits for `stop` or a failure of the log."""

    def __init__(
        self,
        home: Home,
        listening: Listening,
        base_model: str,
        grace_s: float,
        start_grace_s: float,
        checkpoint_dirs: Sequence[Path] = (),
        metrics_port: int | None = None,
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        self._home = home
        self._metrics_port = metrics_port
        self._metrics_page: MetricsPage | None = None
        self._listening = listening
        self._base_model = base_model
        self._graces = (grace_s, start_grace_s)
        self._keepalive = keepalive(heartbeat_s)
        self._checkpoint_dirs = checkpoint_dirs
        self._stopping = asyncio.Event()
        self.failed = False
        self.address = ""

    async def start(self) -> None:
        """Raises LogInUse, NotALog, DamagedFrame, BadTokens, OSError."""
        self._home.root.mkdir(parents=True, exist_ok=True)
        self._live = LiveBook(Log(self._home.log), self._on_failure)
        try:
            self._tokens = Tokens(self._home.tokens)
            self._serve()
            if self._metrics_port is not None:
                self._metrics_page = MetricsPage(self._live.metrics.registry, self._metrics_port)
                _log.info("metrics are at %s", self._metrics_page.address)
            self.address = self._listening.open(self._grpc)
        except (BadTokens, OSError):
            self._live.close()
            raise
        await self._record_start()
        self._attendance.watch_absent()
        self._folders.want(self._live.book)
        self._notary.watch()
        self._safety.start()
        for part in self._folder_parts:
            part.start()
        await self._grpc.start()
        for service in ["", *SERVICES]:
            await self._health.set(service, health_pb2.HealthCheckResponse.SERVING)
        self._home.address_file.write_text(self.address + "\n")
        await self._hooks.start()

    def _serve(self) -> None:
        self._artifacts = Artifacts(self._home.artifacts)
        self._attendance = Attendance(self._live, *self._graces)
        self._folders = VersionFolders(self._home, self._artifacts)
        self._live.followers.append(self._follow)
        self._streams = Streams()
        # The second one stands inside the first, which tells its rejections.
        interceptors = [ErrorInterceptor(), AuthInterceptor(self._tokens, self._streams)]
        self._grpc = grpc.aio.server(interceptors=interceptors, options=[*OPTIONS, *self._keepalive])
        self._health = health.aio.HealthServicer()  # type: ignore[attr-defined]
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._grpc)
        self._notary = Notary(self._live, self._home, self._checkpoint_dirs)
        add_log_service(LogService(self._live, self._attendance, self._notary), self._grpc)
        self._submission = Submission(self._live, self._artifacts, self._base_model)
        control = ControlService(self._live, self._submission, self._tokens, self._streams)
        add_ControlServicer_to_server(control, self._grpc)
        add_HistoryServicer_to_server(HistoryService(self._live, self._home), self._grpc)
        add_ArtifactsServicer_to_server(ArtifactsService(self._artifacts), self._grpc)
        self._safety = Safety(self._live, self._home, self._artifacts, self._folders)
        add_SafetyServicer_to_server(self._safety.service, self._grpc)
        self._hooks = Hooks(self._live, self._home, lambda: self.address)
        self._inbox = Inbox(self._live, self._home, self._artifacts, self._submission)
        self._state_files = StateFiles(self._live, self._home)
        self._folder_parts = (self._inbox, ControlFiles(self._live, self._home, self._safety), self._state_files)
        reflection.enable_server_reflection([*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME], self._grpc)

    async def _record_start(self) -> None:
        started = events_pb2.ServerStarted(version=metadata.version("guessbook"), head=self._live.book.position)
        events = [Event(subject="server", server_started=started)]
        for token in self._tokens.make_missing(now_us()):
            created = events_pb2.TokenCreated(name=token.name, role=ROLES[token.role])
            events.append(Event(subject=f"token/{token.name}", token_created=created))
        await self._live.append(Append(events, actor="server"))

    def stop(self) -> None:
        self._stopping.set()

    async def stopped(self) -> None:
        await self._stopping.wait()
        await self._health.enter_graceful_shutdown()
        self._home.address_file.unlink(missing_ok=True)
        self._streams.stop()  # producers and subscribers go on with the next server
        await self._grpc.stop(STOP_GRACE_S)  # no new calls; commands under way get the answer of their commit
        self._attendance.close()
        await self._hooks.close()
        for part in self._folder_parts:
            await part.close()
        await self._safety.close()
        await self._folders.settled()
        self._live.fold.close()
        if self._metrics_page:
            self._metrics_page.close()
        # A call that was ended may have left a read behind in a thread, and the log must not be closed under it.
        await asyncio.get_running_loop().shutdown_default_executor()
        self._live.close()
        await self._notary.close(sign=not self.failed)

    def _on_failure(self, error: LogError) -> None:
        self.failed = True
        self._stopping.set()

    def _follow(self, events: Sequence[Event]) -> None:
        if any(event.WhichOneof("body") in FOLDER_EVENTS for event in events):
            self._folders.want(self._live.book)
        if any(event.HasField("job_completed") for event in events):
            self._inbox.wake()
        self._state_files.follow(events)
        self._hooks.follow(events)


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    default_host, _, default_port = DEFAULT_ADDRESS.rpartition(":")
    parser = argparse.ArgumentParser(
        prog="guessbook-server", description="Serves the log. Example: guessbook-server --home ./guessbook-data"
    )
    parser.add_argument("--home", type=Path, default=Home.default().root, help="the data folder")
    parser.add_argument("--host", default=default_host, help="a loopback address; with TLS any address of this machine")
    parser.add_argument("--port", type=int, default=int(default_port), help="0 takes a free one")
    parser.add_argument("--tls-cert", type=Path, help="the server's certificate chain, PEM")
    parser.add_argument("--tls-key", type=Path, help="its private key, PEM")
    parser.add_argument("--tls-client-ca", type=Path, help="let in only clients with a certificate of this authority")
    parser.add_argument(
        "--base-model", default=os.environ.get("GUESSBOOK_BASE_MODEL", ""), help="for jobs that name none"
    )
    parser.add_argument("--trainer-grace", type=float, default=5.0, help="seconds that a trainer may be cut off")
    parser.add_argument(
        "--trainer-heartbeat",
        type=float,
        default=HEARTBEAT_S,
        help="ask a connection that was silent for so many seconds, and cut it if it doesn't answer within as long again",
    )
    parser.add_argument("--start-grace", type=float, default=30.0, help="the same after the server was started")
    parser.add_argument(
        "--checkpoint-dir",
        type=Path,
        action="append",
        default=[Path(folder) for folder in os.environ.get("GUESSBOOK_CHECKPOINT_DIR", "").split(os.pathsep) if folder],
        help="write signed checkpoints there too: a folder outside the data folder, best on another machine; repeatable",
    )
    parser.add_argument(
        "--metrics-port", type=int, help="serve Prometheus metrics at this port of 127.0.0.1; 0 takes a free one"
    )
    options = parser.parse_args(arguments)
    options.listening = Listening(options.host, options.port, options.tls_cert, options.tls_key, options.tls_client_ca)
    try:
        options.listening.check()
    except ValueError as error:
        parser.error(str(error))
    return options


async def serve(options: argparse.Namespace) -> int:
    server = Server(
        Home(options.home.absolute()),
        options.listening,
        options.base_model,
        options.trainer_grace,
        options.start_grace,
        [folder.absolute() for folder in options.checkpoint_dir],
        options.metrics_port,
        options.trainer_heartbeat,
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, server.stop)
    try:
        await server.start()
    except (LogError, DamagedFrame, UnknownEvent, BadTokens, OSError) as error:
        print(f"guessbook-server: {error}. Nothing was changed.", file=sys.stderr)
        return 1
    print(f"serving {options.home} at {server.address}", flush=True)
    await server.stopped()
    return 1 if server.failed else 0


def main(arguments: Sequence[str] | None = None) -> int:
    logs.configure()
    return asyncio.run(serve(_arguments(arguments)))


if __name__ == "__main__":
    sys.exit(main())
