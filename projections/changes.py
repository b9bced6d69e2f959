"""What became of examples between two snapshots: fixed, broken, still wrong or still right. Knows snapshots, no run and no text."""

import numpy as np
from numpy.typing import NDArray

from guessbook.projections.evolution import SnapshotColumns
from guessbook.projections.states import Flags
from guessbook.proto.history_pb2 import (
    CHANGE_BROKEN,
    CHANGE_FIXED,
    CHANGE_STILL_RIGHT,
    CHANGE_STILL_WRONG,
    CHANGE_UNSPECIFIED,
    EXAMPLE_STATE_UNSPECIFIED,
    ChangeCount,
)

Changes = NDArray[np.uint8]  # of `Change`

# By whether an example was right before and is after.
_CHANGE = np.array([[CHANGE_STILL_WRONG, CHANGE_FIXED], [CHANGE_BROKEN, CHANGE_STILL_RIGHT]], dtype=np.uint8)


def change_of(before: Flags, after: Flags) -> Changes:
    """Told from whether each was right before, and is after."""
    return _CHANGE[before.astype(np.intp), after.astype(np.intp)]


def changes(before: SnapshotColumns, after: SnapshotColumns) -> Changes:
    """One per slot of a run, between two of its snapshots; unspecified where an example was not yet seen at one of them."""
    seen = (before.state != EXAMPLE_STATE_UNSPECIFIED) & (after.state != EXAMPLE_STATE_UNSPECIFIED)
    return np.where(seen, change_of(before.correct, after.correct), CHANGE_UNSPECIFIED).astype(np.uint8)


def change_counts(found: Changes) -> list[ChangeCount]:
    """How many of each kind, also where there is none."""
    return [
        ChangeCount(change=kind, count=int((found == kind).sum()))
        for kind in (CHANGE_FIXED, CHANGE_BROKEN, CHANGE_STILL_WRONG, CHANGE_STILL_RIGHT)
    ]
