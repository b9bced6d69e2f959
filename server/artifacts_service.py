"""The Artifacts service: files by content, in chunks, verified."""

import asyncio
from collections.abc import AsyncIterator

from guessbook.proto import artifacts_pb2
from guessbook.proto.artifacts_pb2_grpc import ArtifactsServicer
from guessbook.server import logs
from guessbook.server.context import Context
from guessbook.store.artifacts import Artifacts


class ArtifactsService(ArtifactsServicer):
    def __init__(self, artifacts: Artifacts) -> None:
        self._artifacts = artifacts

    async def Stat(self, request: artifacts_pb2.StatRequest, context: Context) -> artifacts_pb2.StatResponse:
        """Says that a file is there only if all its bytes are: one that isn't can be mended by sending it again."""
        if not await asyncio.to_thread(self._artifacts.is_whole, request.sha256):
            return artifacts_pb2.StatResponse(sha256=request.sha256)
        size = self._artifacts.path(request.sha256).stat().st_size
        return artifacts_pb2.StatResponse(sha256=request.sha256, bytes=size, exists=True)

    async def Upload(
        self, request_iterator: AsyncIterator[artifacts_pb2.UploadRequest], context: Context
    ) -> artifacts_pb2.StatResponse:
        with self._artifacts.incoming() as file:
            # A thread for each piece, none while waiting for the next: many slow uploads must not take them all.
            async for request in request_iterator:
                await asyncio.to_thread(file.add, request.data)
            sha256 = await asyncio.to_thread(file.finish)
            logs.changed()
        return artifacts_pb2.StatResponse(sha256=sha256, bytes=file.size, exists=True)

    async def Download(
        self, request: artifacts_pb2.StatRequest, context: Context
    ) -> AsyncIterator[artifacts_pb2.DownloadResponse]:
        blocks = self._artifacts.read(request.sha256)
        while block := await asyncio.to_thread(next, blocks, b""):
            yield artifacts_pb2.DownloadResponse(data=block)
