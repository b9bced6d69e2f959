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
    last, checked = "", 0
    try:
        async for line in process.stderr:
            word, _, position = line.decode().strip().partition(" ")
            if word == "checked" and position.isdigit():
                checked = int(position)
                yield VerifyResponse(position=checked, head=head)
            else:
                last = line.decode().strip()
        output = await process.stdout.read()
        await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if not output:
        problem = f"behind position {checked} the check itself ended with code {process.returncode}: {last}"
        yield VerifyResponse(position=checked, head=head, done=True, ok=False, problem=problem)
        return
    verdict = json.loads(output)
    if verdict["ok"] and verdict["head"] < head:
        problem = "the log ends before its last acknowledged event"
        verdict |= {"ok": False, "first_bad_position": verdict["head"] + 1, "problem": problem}
    yield VerifyResponse(
        position=verdict["head"],
        head=head,
        done=True,
        ok=verdict["ok"],
        first_bad_position=verdict["first_bad_position"] or 0,
        problem=verdict["problem"],
        chain_hash=bytes.fromhex(verdict["chain_hash"]),
    )
