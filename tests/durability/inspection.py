"""Reads a log back and judges it, in a process that may die of it: LMDB ends the process that meets a damaged structure."""

import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lmdb
from durability.ledger import Result, compare

from guessbook.store.errors import LogError
from guessbook.store.frame import DamagedFrame
from guessbook.store.log import Log
from guessbook.store.verify import verify

CHILD_S = 60.0
REFUSALS = (LogError, DamagedFrame, lmdb.Error)

_children = multiprocessing.get_context("forkserver")
_children.set_forkserver_preload(["guessbook.store.log", "guessbook.store.verify"])  # what takes long to import


def apart(function: Callable[..., Any], *arguments: Any) -> Any:
    """What `function` returns, called in a process of its own; None where that process died or hung."""
    here, there = _children.Pipe(duplex=False)
    child = _children.Process(target=_answer, args=(there, function, arguments))
    child.start()
    there.close()
    try:
        return here.recv() if here.poll(CHILD_S) else None
    except EOFError:
        return None
    finally:
        here.close()
        child.kill()
        child.join()
        child.close()


def _answer(pipe: Any, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    # What a dying process has to say, LMDB's assertions and tracebacks, is expected here.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    pipe.send(function(*arguments))


def inspect(folder: Path, positions: dict[tuple[str, int], int], *, whole_batches: bool = True) -> Result:
    """A closed log against what was acknowledged. A log that does not open, or that `verify` names damaged, counts as corrupt."""
    try:
        log = Log(folder)
    except REFUSALS as refusal:
        return Result("", corrupt=1, failures=[repr(refusal)])
    try:
        result = compare(positions, log.read_all(), whole_batches=whole_batches)
    except REFUSALS as refusal:
        result = Result("", corrupt=1, failures=[repr(refusal)])
    finally:
        log.close()
    verdict = verify(folder)
    if not verdict.ok:
        result.corrupt += 1
        result.failures.append(verdict.problem)
    return result
