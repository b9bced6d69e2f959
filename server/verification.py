"""Checks the log in a process of its own: LMDB ends the process that meets a damaged file, and that must not be the server."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from guessbook.proto.log_pb2 import VerifyResponse


async def verify_log(folder: Path, head: int) -> AsyncIterator[VerifyResponse]:
    """Progress, then the verdict with `done`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "guessbook.store.verify",
        "--json",
        str(folder),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout
    assert process.stderr
    last = ""
    try:
        async for line in process.stderr:
            word, _, position = line.decode().strip().partition(" ")
            if word == "checked" and position.isdigit():
                yield VerifyResponse(position=int(position), head=head)
            else:
                last = line.decode().strip()
        output = await process.stdout.read()
        await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if not output:
        problem = f"the check itself ended with code {process.returncode}: {last}"
        yield VerifyResponse(head=head, done=True, ok=False, problem=problem)
        return
    verdict = json.loads(output)
    yield VerifyResponse(
        position=verdict["head"],
        head=head,
        done=True,
        ok=verdict["ok"],
        first_bad_position=verdict["first_bad_position"] or 0,
        problem=verdict["problem"],
        chain_hash=bytes.fromhex(verdict["chain_hash"]),
    )
