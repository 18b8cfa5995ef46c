"""What this project adds to Airflow's UI: the reports, below /nightloop and in the menu.

The only file here that Airflow runs as a plugin (see .airflowignore). Every process of Airflow runs it, and
only the API server asks for the pages: so they are imported when asked for.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from airflow.plugins_manager import AirflowPlugin


class NightloopPlugin(AirflowPlugin):
    """A menu entry and the app behind it."""

    name = "nightloop"
    external_views = [  # noqa: RUF012 -- as Airflow reads it
        {
            "name": "Nightloop reports",
            "href": "/nightloop/reports/",
            "destination": "nav",
            "url_route": "nightloop-reports",
            "nav_top_level": True,
        }
    ]

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        from nightloop.report_pages import make_app

        return [{"app": make_app(), "url_prefix": "/nightloop", "name": "Nightloop reports"}]
