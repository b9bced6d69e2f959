"""The look of every list on the terminal. Knows nothing of what is listed."""

from rich import box
from rich.table import Table


def listing(*, expand: bool = True) -> Table:
    """An empty table: a line under the head, no frame. Columns with a ratio share what the others leave."""
    return Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False, expand=expand)
