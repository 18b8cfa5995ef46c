"""The page of an analysis: one HTML file with its figures and pictures in it, which asks for nothing.

Takes a ``Summary`` and ``Tables``, gives HTML. Everything that comes from outside is escaped by Jinja.
"""

from __future__ import annotations

from include.loop.analysis import charts, galleries
from include.loop.analysis.answers import short_name
from include.loop.analysis.summary import Summary
from include.loop.analysis.tables import Tables
from include.loop.manifests.places import Connect
from include.loop.report.page import environment

# Of the rows of a table; the JSON beside the page has all.
MOST_ROWS = 50


def render(summary: Summary, tables: Tables, connect: Connect) -> str:
    """The page as HTML."""
    shown, missing = galleries.draw(tables, connect)
    template = environment().get_template("labels.html.jinja")
    return template.render(
        summary=summary,
        drawings=charts.draw(summary, tables),
        galleries=shown,
        missing=missing,
        most=MOST_ROWS,
        short_name=short_name,
    )
