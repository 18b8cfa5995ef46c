"""Setting up the review plane as operators, each safe to run again: bucket, team, template, flow
definition, portal."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from nightloop.links import ReviewPortalLink
from nightloop.operators.loop_operator import LoopOperator, domain_errors

if TYPE_CHECKING:
    from airflow.sdk import Context


class SetupBucketOperator(LoopOperator):
    """Gives the bucket the CORS rule without which reviewers' browsers cannot load an image."""

    def execute_step(self, context: Context) -> dict[str, Any]:
        from include.loop.nightly.review_setup import setup_bucket

        result = asdict(setup_bucket(self.workspace))
        self.log.info("Buckets %s: CORS %s", result["buckets"], "set" if result["changed"] else "was right")
        return result


class SetupWorkteamOperator(LoopOperator):
    """Finds or makes the team of reviewers."""

    def execute_step(self, context: Context) -> dict[str, Any]:
        from include.loop.nightly.review_setup import setup_workteam

        result = asdict(setup_workteam(self.workspace))
        self.log.info("Team %s, portal %s", result["workteam_arn"], result["portal_url"])
        return result


class SetupTemplateOperator(LoopOperator):
    """Puts the worker task template there; its name carries a hash of its text, because it cannot be
    changed."""

    def execute_step(self, context: Context) -> dict[str, Any]:
        from include.loop.nightly.review_setup import setup_template

        result = asdict(setup_template(self.workspace))
        self.log.info("Worker task template %s", result["human_task_ui_arn"])
        for warning in result["warnings"]:
            self.log.warning("%s", warning)
        return result


class SetupFlowDefinitionOperator(LoopOperator):
    """Makes the flow definition and waits until it is Active, deferred if that takes long."""

    def execute_step(self, context: Context) -> dict[str, Any]:
        return self._until_active()

    def resume(self, context: Context, event: Any) -> dict[str, Any]:
        with domain_errors():
            return self._until_active()

    def _until_active(self) -> dict[str, Any]:
        from datetime import timedelta

        from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger

        from include.loop.nightly.review_setup import setup_flow_definition

        result = setup_flow_definition(self.workspace)
        if not result.active and self.ends_soon(lambda: setup_flow_definition(self.workspace).active):
            result = setup_flow_definition(self.workspace)
        self.log.info("Flow definition %s is %s", result.flow_definition_arn, result.status)
        if not result.active:
            pause = timedelta(seconds=self.workspace.environment.review.poll_seconds)
            self.defer(trigger=TimeDeltaTrigger(pause), method_name="resume", timeout=timedelta(minutes=30))
        return asdict(result)


class ShowPortalOperator(LoopOperator):
    """Ends the set-up with the address at which the reviewers sign in."""

    operator_extra_links = (ReviewPortalLink(),)

    def execute_step(self, context: Context) -> dict[str, Any]:
        from include.loop.nightly.review_setup import portal

        result = asdict(portal(self.workspace))
        self.portal_url = result["portal_url"]
        self.log.info("Reviewers sign in at %s; nightly_review can run.", self.portal_url)
        return result
