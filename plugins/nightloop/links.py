"""Links that a task shows in the UI while it works and waits: the review portal, its page for owners,
SageMaker's console, and the round's report.

Airflow calls `get_link` in the worker whenever an execution of the task ends, deferral included, and
stores the finished URL: a link is there while people are being waited for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


class ReviewPortalLink(BaseOperatorLink):
    """Where the reviewers sign in: the environment's `review.portal_url`, else the team's own address."""

    name = "Review portal"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        return getattr(operator, "portal_url", "")


class OwnersViewLink(BaseOperatorLink):
    """How the questions of this flow definition are getting on: the review server's page for owners."""

    name = "How the review goes"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        return getattr(operator, "owners_url", "")


class SageMakerJobLink(BaseOperatorLink):
    """The job in SageMaker's console; empty where jobs run at an endpoint of one's own, which has no
    console."""

    name = "SageMaker job"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        return getattr(operator, "console_url", "")


class ReportLink(BaseOperatorLink):
    """The report of the round, served by the plugin from S3."""

    name = "Report"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        return getattr(operator, "report_url", "")
