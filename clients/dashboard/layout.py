"""The page's frame: header, notices, and where each part stands. Knows the parts' layouts, no data."""

import dash_mantine_components as dmc
from dash import dcc, html
from dash.development.base_component import Component

from guessbook.clients.dashboard import commands, evolution, examples, header, jobs, problem, story, training

THEME = {
    "primaryColor": "indigo",
    "fontFamily": "Inter, system-ui, sans-serif",
    "fontFamilyMonospace": "'JetBrains Mono', ui-monospace, monospace",
    "defaultRadius": "md",
    "headings": {"fontWeight": "600"},
}


def layout() -> Component:
    page: Component = dmc.MantineProvider(
        theme=THEME,
        defaultColorScheme="auto",
        children=[
            dcc.Location(id="url", refresh=False),
            *_stores(),
            header.layout(),
            header.past_bar(),
            html.Main(
                id="page",
                className="page waiting",
                children=[
                    problem.layout(),
                    _empty(),
                    html.Div(
                        className="content",
                        children=[
                            html.Section(
                                className="top",
                                children=[
                                    training.job_card(),
                                    evolution.state_cards(),
                                    training.loss_card(),
                                    evolution.states_card(),
                                    jobs.layout(),
                                ],
                            ),
                            html.Section(id="book", className="book", children=[examples.layout(), story.layout()]),
                        ],
                    ),
                ],
            ),
            commands.dialog(),
        ],
    )
    return page


def _stores() -> list[Component]:
    """`live` is what the socket brings. A topic's store holds {run, at} and is set again when the topic is touched, so that a
    part of the page asks the server only when what it shows has changed."""
    return [
        dcc.Store(id="live"),
        dcc.Store(id="run"),
        dcc.Store(id="run-shown"),
        dcc.Store(id="jobs-touched"),
        dcc.Store(id="steps-touched"),
        dcc.Store(id="snapshots-touched"),
        dcc.Store(id="example-touched"),
        dcc.Store(id="neighbours"),
    ]


def _empty() -> Component:
    return html.Div(
        className="empty",
        children=[
            html.Span(className="icon icon-book big"),
            html.H2("Nothing in the book yet"),
            html.P(
                "Give it a file of examples, and watch here what the model guesses for each of them while it learns."
            ),
            html.Pre("guessbook submit my_examples.jsonl"),
            html.P(["No data at hand? ", html.Code("guessbook demo"), " brings its own."], className="dim"),
        ],
    )
