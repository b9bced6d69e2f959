"""Starts and stops the server. Knows every service, decides nothing."""

import argparse
import asyncio
import ipaddress
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

from guessbook.proto import artifacts_pb2, control_pb2, events_pb2, history_pb2, log_pb2
from guessbook.proto.artifacts_pb2_grpc import add_ArtifactsServicer_to_server
from guessbook.proto.control_pb2_grpc import add_ControlServicer_to_server
from guessbook.proto.events_pb2 import Event
from guessbook.proto.history_pb2_grpc import add_HistoryServicer_to_server
from guessbook.proto.log_pb2_grpc import add_LogServicer_to_server
from guessbook.server import version_folders
from guessbook.server.artifacts_service import ArtifactsService
from guessbook.server.attendance import Attendance
from guessbook.server.control_service import ControlService
from guessbook.server.errors import ErrorInterceptor
from guessbook.server.history_service import HistoryService
from guessbook.server.live_book import LiveBook
from guessbook.server.log_service import LogService
from guessbook.store.artifacts import Artifacts, DamagedArtifact, MissingArtifact
from guessbook.store.errors import LogError
from guessbook.store.frame import DamagedFrame
from guessbook.store.home import DEFAULT_ADDRESS, Home
from guessbook.store.log import Append, Log

SERVICES = [
    service.full_name
    for module in (log_pb2, control_pb2, history_pb2, artifacts_pb2)
    for service in module.DESCRIPTOR.services_by_name.values()
]
OPTIONS: list[tuple[str, int]] = [
    ("grpc.max_receive_message_length", 4 * 1024 * 1024),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 20_000),  # clients ping every 30 s
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.so_reuseport", 0),  # a second server on the port is an error, not a rival
]
STOP_GRACE_S = 1.0

_log = logging.getLogger(__name__)


class Server:
    """All services over one log. `start` returns when it serves; `stopped` waits for `stop` or a failure of the log."""

    def __init__(self, home: Home, host: str, port: int, base_model: str, grace_s: float, start_grace_s: float) -> None:
        self._home = home
        self._bind = f"{host}:{port}"
        self._host = host
        self._base_model = base_model
        self._graces = (grace_s, start_grace_s)
        self._stopping = asyncio.Event()
        self.failed = False
        self.address = ""

    async def start(self) -> None:
        """Raises LogInUse, NotALog, DamagedFrame, OSError."""
        self._home.root.mkdir(parents=True, exist_ok=True)
        self._live = LiveBook(Log(self._home.log), self._on_failure)
        self._artifacts = Artifacts(self._home.artifacts)
        self._attendance = Attendance(self._live, *self._graces)
        self._layouts: set[asyncio.Task[None]] = set()
        self._live.followers.append(self._follow)
        self._grpc = grpc.aio.server(interceptors=[ErrorInterceptor()], options=OPTIONS)
        self._health = health.aio.HealthServicer()  # type: ignore[attr-defined]
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._grpc)
        add_LogServicer_to_server(LogService(self._live, self._attendance), self._grpc)
        add_ControlServicer_to_server(ControlService(self._live, self._artifacts, self._base_model), self._grpc)
        add_HistoryServicer_to_server(HistoryService(self._live, self._home), self._grpc)
        add_ArtifactsServicer_to_server(ArtifactsService(self._artifacts), self._grpc)
        reflection.enable_server_reflection([*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME], self._grpc)
        try:
            port = self._grpc.add_insecure_port(self._bind)
        except RuntimeError as error:
            self._live.close()
            raise OSError(f"{self._bind} can't be listened on: another program may use this port") from error
        started = events_pb2.ServerStarted(version=metadata.version("guessbook"), head=self._live.book.position)
        await self._live.append(Append([Event(subject="server", server_started=started)], actor="server"))
        self._attendance.watch_absent()
        self._lay_out_versions()
        await self._grpc.start()
        for service in ["", *SERVICES]:
            await self._health.set(service, health_pb2.HealthCheckResponse.SERVING)
        self.address = f"{self._host}:{port}"
        self._home.address_file.write_text(self.address + "\n")

    def stop(self) -> None:
        self._stopping.set()

    async def stopped(self) -> None:
        await self._stopping.wait()
        await self._health.enter_graceful_shutdown()
        self._home.address_file.unlink(missing_ok=True)
        await self._grpc.stop(STOP_GRACE_S)
        self._attendance.close()
        await asyncio.gather(*self._layouts, return_exceptions=True)
        await asyncio.to_thread(self._live.close)

    def _on_failure(self, error: LogError) -> None:
        self.failed = True
        self._stopping.set()

    def _follow(self, events: Sequence[Event]) -> None:
        if any(event.HasField("version_created") for event in events):
            self._lay_out_versions()

    def _lay_out_versions(self) -> None:
        versions = self._live.book.versions.versions
        work = [(version, version_folders.metadata(self._live.book, version)) for version in versions]

        def lay_out() -> None:
            for version, told in work:
                version_folders.lay_out(self._home, self._artifacts, version, told)
            if work:
                version_folders.point_latest(self._home, work[-1][0].name)

        async def run() -> None:
            try:
                await asyncio.to_thread(lay_out)
            except (OSError, ValueError, MissingArtifact, DamagedArtifact):
                _log.exception(
                    "a version's folder could not be made; the version itself is safe in the log and the artifacts"
                )

        task = asyncio.create_task(run())
        self._layouts.add(task)
        task.add_done_callback(self._layouts.discard)


def _loopback(host: str) -> str:
    try:
        if ipaddress.ip_address(host).is_loopback:
            return host
    except ValueError:
        if host == "localhost":
            return "127.0.0.1"
    raise argparse.ArgumentTypeError(
        f"{host} is not a loopback address; listening elsewhere needs TLS, which is not there yet"
    )


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    default_host, _, default_port = DEFAULT_ADDRESS.rpartition(":")
    parser = argparse.ArgumentParser(
        prog="guessbook-server", description="Serves the log. Example: guessbook-server --home ./guessbook-data"
    )
    parser.add_argument("--home", type=Path, default=Home.default().root, help="the data folder")
    parser.add_argument("--host", type=_loopback, default=default_host, help="a loopback address")
    parser.add_argument("--port", type=int, default=int(default_port), help="0 takes a free one")
    parser.add_argument(
        "--base-model", default=os.environ.get("GUESSBOOK_BASE_MODEL", ""), help="for jobs that name none"
    )
    parser.add_argument("--trainer-grace", type=float, default=5.0, help="seconds that a trainer may be cut off")
    parser.add_argument("--start-grace", type=float, default=30.0, help="the same after the server was started")
    return parser.parse_args(arguments)


async def serve(options: argparse.Namespace) -> int:
    server = Server(
        Home(options.home.absolute()),
        options.host,
        options.port,
        options.base_model,
        options.trainer_grace,
        options.start_grace,
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, server.stop)
    try:
        await server.start()
    except (LogError, DamagedFrame, OSError) as error:
        print(f"guessbook-server: {error}. Nothing was changed.", file=sys.stderr)
        return 1
    print(f"serving {options.home} at {server.address}", flush=True)
    await server.stopped()
    return 1 if server.failed else 0


def main(arguments: Sequence[str] | None = None) -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    return asyncio.run(serve(_arguments(arguments)))


if __name__ == "__main__":
    sys.exit(main())
