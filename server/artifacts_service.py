"""The Artifacts service: files by content, in chunks, verified."""

import asyncio
import queue
from collections.abc import AsyncIterator, Iterator

from guessbook.proto import artifacts_pb2
from guessbook.proto.artifacts_pb2_grpc import ArtifactsServicer
from guessbook.server.context import Context
from guessbook.store.artifacts import Artifacts


class ArtifactsService(ArtifactsServicer):
    def __init__(self, artifacts: Artifacts) -> None:
        self._artifacts = artifacts

    async def Stat(self, request: artifacts_pb2.StatRequest, context: Context) -> artifacts_pb2.StatResponse:
        if not self._artifacts.exists(request.sha256):
            return artifacts_pb2.StatResponse(sha256=request.sha256)
        size = self._artifacts.path(request.sha256).stat().st_size
        return artifacts_pb2.StatResponse(sha256=request.sha256, bytes=size, exists=True)

    async def Upload(
        self, request_iterator: AsyncIterator[artifacts_pb2.UploadRequest], context: Context
    ) -> artifacts_pb2.StatResponse:
        # A short queue between the stream and the thread that writes: memory stays bounded, the loop stays free.
        blocks: queue.Queue[bytes | None] = queue.Queue(maxsize=4)
        written = asyncio.create_task(asyncio.to_thread(self._artifacts.write, _taken(blocks)))
        size, whole = 0, False
        try:
            async for request in request_iterator:
                size += len(request.data)
                await asyncio.to_thread(blocks.put, request.data)
            whole = True
        finally:
            await asyncio.to_thread(blocks.put, None if whole else _BROKEN)
        return artifacts_pb2.StatResponse(sha256=await written, bytes=size, exists=True)

    async def Download(
        self, request: artifacts_pb2.StatRequest, context: Context
    ) -> AsyncIterator[artifacts_pb2.DownloadResponse]:
        blocks = self._artifacts.read(request.sha256)
        while block := await asyncio.to_thread(next, blocks, b""):
            yield artifacts_pb2.DownloadResponse(data=block)


class BrokenUpload(Exception):
    """The stream ended before its end: nothing is stored."""


_BROKEN = b"\0broken"  # told from data by identity


def _taken(blocks: "queue.Queue[bytes | None]") -> Iterator[bytes]:
    while (block := blocks.get()) is not None:
        if block is _BROKEN:
            raise BrokenUpload
        yield block
