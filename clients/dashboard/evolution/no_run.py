"""What the page Evolution says where it has no run to show: there is none yet, or at that point in the past there was none."""

from typing import Any

from dash import Dash, Input, Output, State, html
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from guessbook.clients.dashboard.link import href
from guessbook.clients.dashboard.queries import Queries
from guessbook.clients.dashboard.view import View
from guessbook.clients.visible import visible


def layout() -> Component:
    return html.Div(id="no-run", className="empty")


def register(app: Dash, queries: Queries) -> None:
    async def said(shown: dict[str, Any] | None, search: str | None) -> list[Component]:
        if not shown or shown["run"]:
            raise PreventUpdate
        if shown["at"] is None:
            return none_yet()
        then = (await queries.status(shown["at"])).run.id
        return not_begun(View.parse(search).run, shown["at"], then)

    app.callback(Output("no-run", "children"), Input("run", "data"), State("url", "search"))(said)


def none_yet() -> list[Component]:
    return [
        html.Span(className="icon big icon-evolution"),
        html.H2("No run yet"),
        html.P("As soon as a job is trained, the guesses for its examples show here. Queue a dataset with:"),
        html.Pre("guessbook submit examples.jsonl"),
    ]


def not_begun(run: str, at: int, then: str) -> list[Component]:
    """`run`: the one that was asked for, empty for whichever there is. `then`: the one that was shown at that point, empty if there was none."""
    ways = [("Return to live", href("/evolution", None, run=run))]
    if then:
        ways.insert(0, (f"Show {visible(then)}, the run of then", href("/evolution", at, run=then)))
    return [
        html.Span(className="icon big icon-clock"),
        html.H2(f"{visible(run) or 'No run'} had {'not ' if run else ''}begun at this point"),
        *(html.A(words, href=address, className="in-page link") for words, address in ways),
    ]
