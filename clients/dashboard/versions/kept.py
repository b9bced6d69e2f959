"""Which backups hold a version, and whether they were read back whole. `holding` is pure."""

from collections import defaultdict
from collections.abc import Sequence

from dash import dcc, html
from dash.development.base_component import Component

from guessbook.clients.dashboard import numbers
from guessbook.clients.dashboard.clock import Clock
from guessbook.clients.dashboard.link import href
from guessbook.proto.history_pb2 import Version
from guessbook.proto.safety_pb2 import Backup

SHOWN = 6  # backups, each at all its places


def holding(version: Version, backups: Sequence[Backup], purged_at: int | None = None) -> list[Backup]:
    """Those that a version can be brought back from, in the order given: made after it, still there, and lacking none of its files.

    `purged_at`: the position since which its files are in no backup any more; None where they were not removed.
    """
    files = {file.sha256 for file in version.files}
    return [
        backup
        for backup in backups
        if backup.head >= version.position
        and not (purged_at and backup.head >= purged_at)
        and not backup.pruned_at_us
        and not files.intersection(backup.missing)
    ]


def section(found: Sequence[Backup], position: int | None) -> list[Component]:
    """What `holding` found at a position of the log, newest first, each backup with its places."""
    if not found:
        return [
            html.P(
                [
                    html.Span(className="icon icon-warning"),
                    html.Span("No backup holds it. The page "),
                    dcc.Link("Backups", href=href("/backups", position), className="link"),
                    html.Span(" makes one."),
                ],
                className="kept-none",
            )
        ]
    by_id: dict[str, list[Backup]] = defaultdict(list)
    for backup in found:
        by_id[backup.id].append(backup)
    rows = [_row(identity, copies) for identity, copies in list(by_id.items())[:SHOWN]]
    more = [html.P(f"{SHOWN} of {numbers.count(len(by_id))} shown, the newest", className="dim")]
    return [html.P(headline(found)), html.Ul(rows, className="kept"), *(more if len(by_id) > SHOWN else [])]


def headline(found: Sequence[Backup]) -> str:
    """ "In 3 backups at 2 places; 5 of 6 copies were read back whole." """
    backups = len({backup.id for backup in found})
    kept = sorted({backup.place for backup in found})
    whole = sum(backup.sound for backup in found)
    counted = (
        "all copies were"
        if whole == len(found)
        else f"{numbers.count(whole)} of {numbers.count(len(found))} copies were"
    )
    return f"In {numbers.count(backups)} backup{'s' * (backups > 1)} at {', '.join(kept)}; {counted} whole when read back last."


def _row(identity: str, copies: Sequence[Backup]) -> Component:
    return html.Li(
        [
            html.Div(
                [
                    html.Strong(copies[0].kind.replace("_", " ")),
                    Clock.here().shown(copies[0].created_at_us, className="dim"),
                ]
            ),
            *(_copy(backup) for backup in copies),
        ],
        title=identity,
    )


def _copy(backup: Backup) -> Component:
    icon = "right" if backup.sound else "warning"
    return html.Div(
        className="kept-copy sound" if backup.sound else "kept-copy",
        children=[html.Span(className=f"icon icon-{icon}"), html.Span(f"{backup.place}: {verdict(backup)}")],
    )


def verdict(backup: Backup) -> str:
    """Whether one copy is whole, as far as is known."""
    if not backup.verified_at_us:
        return "never read back"
    if backup.sound:
        return f"whole when read back {Clock.here().moment(backup.verified_at_us)}"
    return f"not whole: {backup.problem}"
