"""What is listed, and in which order: the tools over the list, and the filters that are set, each with a way to take it back."""

from typing import Any

import dash_mantine_components as dmc
from dash import ALL, Dash, Input, Output, State, html
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from guessbook.clients.dashboard import numbers
from guessbook.clients.dashboard.browser import in_browser
from guessbook.clients.dashboard.evolution import saved
from guessbook.clients.dashboard.queries import Queries
from guessbook.clients.dashboard.states import SHOWN
from guessbook.clients.dashboard.view import View
from guessbook.clients.visible import visible
from guessbook.proto.history_pb2 import SummariseExamplesResponse

# Those of `view.SORTS`, and how each begins when it is chosen: "-" has the largest first.
ORDERS = (
    ("", "index", "Place in the file"),
    ("", "state", "State"),
    ("-", "loss", "Loss"),
    ("", "change", "Change of loss"),
    ("", "learned", "Learning speed"),
    ("", "presentations", "Times trained until right"),
    ("-", "regressed", "Regressed at"),
    ("-", "forgetting", "Times forgotten"),
    ("", "confidence", "Confidence"),
    ("-", "variability", "Variability"),
)
CATEGORIES = 10_000  # that can be chosen from, the largest
DRAWN = 100  # of them at a time; typing narrows them


def tools() -> Component:
    states = [{"value": "", "label": "All states"}, *({"value": each.word, "label": each.label} for each in SHOWN)]
    orders = [{"value": word, "label": label} for _, word, label in ORDERS]
    return html.Div(
        className="card-head tools",
        children=[
            html.H2("Examples"),
            dmc.TextInput(
                id="search",
                placeholder="Search prompts, answers and guesses",
                leftSection=html.Span(className="icon icon-search"),
                size="xs",
                className="search",
                debounce=250,
                **{"aria-label": "Search prompts, answers and guesses"},
            ),
            _choice("state-filter", "State", states, 126),
            _choice(
                "category-filter",
                "Category",
                [{"value": "", "label": "All categories"}],
                150,
                searchable=True,
                limit=DRAWN,
                nothingFoundMessage="No category is called so",
            ),
            _choice("sort", "Order by", orders, 172),
            html.Button("↑", id="turn-sort", className="icon-button", **_labelled("Smallest first; turn round")),
            dmc.Switch(id="held-out", label="Held out", size="xs", className="held-out"),
            saved.layout(),
            html.Span(id="matching", className="dim matching", role="status"),
        ],
    )


def chips() -> Component:
    """The filters that are set; drawn in the browser from the URL."""
    largest_first: dict[str, Any] = {"data-largest-first": " ".join(word for turned, word, _ in ORDERS if turned)}
    return html.Div(id="filters", className="filters", **largest_first)


def _choice(name: str, label: str, data: list[dict[str, str]], width: int, **more: Any) -> Component:
    choice: Component = dmc.Select(
        id=name,
        data=data,
        value=data[0]["value"],
        allowDeselect=False,
        size="xs",
        w=width,
        **{"aria-label": label},
        **more,
    )
    return choice


def _labelled(label: str) -> dict[str, Any]:
    return {"aria-label": label, "title": label}


def register(app: Dash, queries: Queries) -> None:
    async def there_are(shown: dict[str, Any] | None) -> tuple[list[dict[str, Any]], dict[str, str], str]:
        if not shown or not shown["run"]:
            raise PreventUpdate
        found = await queries.run(shown["run"], shown["at"])
        whole = View(at=shown["at"])
        names = await queries.summary(shown["run"], whole, shown["position"], categories=CATEGORIES)
        data = category_choices(names)
        return data, {} if len(data) > 1 else {"display": "none"}, "held-out" if found.held_out else "held-out none"

    app.callback(
        Output("category-filter", "data"),
        Output("category-filter", "style"),
        Output("held-out", "className"),
        Input("run-shown", "data"),
    )(there_are)

    url, search = Output("url", "search", allow_duplicate=True), State("url", "search")
    chosen = (
        Input("search", "value"),
        Input("state-filter", "value"),
        Input("category-filter", "value"),
        Input("held-out", "checked"),
    )
    in_browser(app, "filter", url, *chosen, search)
    in_browser(app, "order", url, Input("sort", "value"), Input("turn-sort", "n_clicks"), search)
    # At once, not with what follows the list: their line moves it.
    in_browser(
        app,
        "showFilters",
        Output("filters", "children"),
        Input("url", "search"),
        Input("snapshot-steps", "data"),
        at_start=True,
    )
    in_browser(app, "clearFilter", url, Input({"type": "clear", "part": ALL}, "n_clicks"), search)


def category_choices(summary: SummariseExamplesResponse) -> list[dict[str, Any]]:
    named = [each.category for each in summary.categories if each.category]
    data: list[dict[str, Any]] = [{"value": "", "label": "All categories"}]
    if len(summary.categories) < summary.category_count:
        # First: behind those that are drawn nobody would see it.
        left = f"{numbers.count(len(named))} of {numbers.count(summary.category_count)}, the largest"
        data.append({"value": "\0", "label": left, "disabled": True})
    return data + [{"value": name, "label": visible(name)} for name in named]
