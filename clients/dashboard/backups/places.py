"""Where backups go: each place with its newest backup, whether that is whole, and what is missing there."""

from collections.abc import Sequence

from dash import html
from dash.development.base_component import Component

from guessbook.clients.dashboard import numbers
from guessbook.clients.dashboard.backups.answers import Answers
from guessbook.clients.dashboard.backups.selection import Selection
from guessbook.clients.dashboard.clock import Clock
from guessbook.proto.safety_pb2 import Backup, Place

FRESH_S = 3 * 86400  # an older backup counts no more for 3-2-1


def cards(answers: Answers, selection: Selection) -> list[Component]:
    """One for each place of config.yaml, the data folder's own first, and for what has backups and stands in it no more."""
    places = list(answers.known.places)
    known = {place.name for place in places}
    gone = dict.fromkeys(
        backup.place for backup in answers.known.backups if backup.place not in known and not backup.pruned_at_us
    )
    shown = [_card(place, answers, selection, here=number == 0) for number, place in enumerate(places)]
    shown += [_card(Place(name=name), answers, selection, here=False) for name in gone]
    if len(places) == 1 and not answers.past:
        shown.append(_how_to_add())
    return shown


def _card(place: Place, answers: Answers, selection: Selection, *, here: bool) -> Component:
    backups = answers.of_place(place.name)
    return html.Div(
        className="card place",
        children=[
            html.Div(className="card-head", children=[html.H3(place.name), html.Div(_badges(place, here))]),
            html.P(place.url or "not in config.yaml any more", className="place-url", title=place.url),
            *_newest(backups, answers.clock),
            html.P(_problem(place, backups, answers.clock), className="place-problem"),
            selection.link(
                f"{numbers.count(len(backups))} backup{'s' * (len(backups) != 1)}",
                className="link",
                place=place.name,
                day=None,
                rows=None,
            )
            if backups
            else None,
        ],
    )


def _badges(place: Place, here: bool) -> list[Component]:
    told = [
        ("same disk as the book" if here else "", "A copy, but no location of its own"),
        ("offsite" if place.offsite else "", "On another site, as config.yaml says"),
        ("encrypted" if place.encrypted else "", "Can be read with its key alone"),
    ]
    return [html.Span(word, className="badge", title=title) for word, title in told if word]


def _newest(backups: Sequence[Backup], clock: Clock) -> list[Component]:
    if not backups:
        return []
    newest = max(backups, key=lambda backup: backup.head)
    facts = (
        ("Newest", clock.moment(newest.created_at_us), newest.id),
        ("Log up to", numbers.count(newest.head), ""),
        ("Size", f"{numbers.size(newest.bytes)} in {numbers.files(newest.files)}", ""),
        ("Read back", clock.moment(newest.verified_at_us), clock.exact(newest.verified_at_us)),
        ("Drilled", clock.moment(max(one.drilled_at_us for one in backups)), "The last restore for the time being"),
    )
    return [
        html.Dl(
            className="place-facts",
            children=[html.Div([html.Dt(name), html.Dd(value, title=title or None)]) for name, value, title in facts],
        )
    ]


def _problem(place: Place, backups: Sequence[Backup], clock: Clock) -> list[str | Component]:
    """What is wrong there; empty where nothing is."""
    if not backups:
        return ["Nothing is there yet. ", html.Code(f"guessbook backup create --place {place.name}"), " makes one."]
    newest = max(backups, key=lambda backup: backup.head)
    if newest.problem:
        return [f"The newest is not whole: {newest.problem}"]
    if newest.missing:
        many = len(newest.missing)
        return [f"The newest lacks {numbers.files(many)} that were not whole in the data folder."]
    if clock.now.timestamp() - newest.created_at_us / 1e6 > FRESH_S:
        return ["None of the last 3 days."]
    return []


def _how_to_add() -> Component:
    text = "backup:\n  places:\n    - name: second-disk\n      url: /mnt/disk2/guessbook"
    return html.Div(
        className="card place add",
        children=[
            html.H3("Another place"),
            html.P(
                "A backup on the disk of the book helps against a slip of the hand, not against a broken disk. Name a place under Settings… in config.yaml:"
            ),
            html.Pre(text, tabIndex=0),
            html.P(
                ["Any folder, or an SFTP or S3 address; ", html.Code("offsite: true"), " where it is on another site."],
                className="dim",
            ),
        ],
    )
