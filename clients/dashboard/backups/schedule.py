"""When the server makes, drills and lets go of backups, as config.yaml says it now."""

from dash import html
from dash.development.base_component import Component

from guessbook.clients.dashboard import numbers
from guessbook.clients.dashboard.backups.answers import Answers
from guessbook.clients.dashboard.clock import Clock
from guessbook.store.config import BackupConfig


def facts(answers: Answers) -> list[Component]:
    """The lines of the card."""
    if answers.config is None:
        return [html.P("Only the owner of the data folder sees the settings.", className="dim")]
    backup = answers.config.backup
    lines = [
        ("Backup", _daily(backup, answers.clock, answers.past)),
        ("Drill", _drills(backup.drill_days)),
        (
            "Kept",
            f"the newest of {backup.keep.daily} days, {backup.keep.weekly} weeks and {backup.keep.monthly} months, at each place",
        ),
        ("Let go", "the others, once a week" if backup.prune else "only when asked for"),
        (
            "Trash",
            f"deleted versions can be had back for {answers.config.trash_days} day{'s' * (answers.config.trash_days != 1)}",
        ),
    ]
    shown: list[Component] = [
        html.Dl(
            className="schedule-facts", children=[html.Div([html.Dt(name), html.Dd(value)]) for name, value in lines]
        )
    ]
    if answers.past:
        shown.append(html.P("As config.yaml is now.", className="dim"))
    return shown


def _daily(backup: BackupConfig, clock: Clock, past: bool) -> str:
    if not backup.timezone:
        # Where the server runs another clock may hold: then nobody here knows the next time.
        return f"every day at {backup.at}, by the clock of the server's machine"
    then = clock.next(backup.at)
    ahead = numbers.duration((then.timestamp() - clock.now.timestamp()) // 60 * 60)
    following = "" if past else f"; next {then:%a} {then.day} {then:%b} {backup.at}, in {ahead}"
    return f"every day at {backup.at} {backup.timezone}{following}"


def _drills(days: int) -> str:
    if not days:
        return "never by itself"
    return f"every {'day' if days == 1 else f'{days} days'}, each time at another place"
