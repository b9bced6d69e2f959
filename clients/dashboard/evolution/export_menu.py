"""The menu that leads to `/export` with exactly what is filtered now. Knows the formats' names, no data."""

from importlib.util import find_spec

from dash import ALL, Dash, Input, Output, State, html
from dash.development.base_component import Component

from guessbook.clients.dashboard.browser import in_browser

FORMATS = (
    ("csv", "CSV", "a row for each guess"),
    ("jsonl", "JSON Lines", "a line for each guess"),
    ("json", "JSON", "an object for each snapshot"),
    ("parquet", "Parquet", "a row for each guess, with types"),
    ("report", "Report", "one HTML file to read and pass on"),
)


def layout() -> Component:
    return html.Details(
        id="export-menu",
        className="menu right",
        children=[
            html.Summary([html.Span(className="icon icon-download"), "Export"], className="menu-button"),
            html.Div(
                className="menu-list wide export-formats",
                children=[
                    html.P(id="export-many", className="dim"),
                    *(_link(*each) for each in FORMATS),
                    html.P(
                        "With every guess up to the snapshot that is shown. Examples that no snapshot looked at have none.",
                        className="dim",
                    ),
                ],
            ),
        ],
    )


def _link(format: str, label: str, what: str) -> Component:
    if format == "parquet" and find_spec("pyarrow") is None:
        return html.Span([html.Span(label), " ", html.Span("needs: pip install 'guessbook[parquet]'", className="dim")])
    # Not dcc.Link: it is no page of this application.
    return html.A(
        id={"type": "export", "format": format},
        href=f"/export?format={format}",
        children=[html.Span(label), " ", html.Span(what, className="dim")],
    )


def register(app: Dash) -> None:
    in_browser(
        app,
        "exportLinks",
        Output({"type": "export", "format": ALL}, "href"),
        Output("export-many", "children"),
        Input("filtered", "data"),
        Input("matching", "children"),
        State({"type": "export", "format": ALL}, "id"),
        at_start=True,
    )
