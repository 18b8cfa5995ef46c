"""Control plane: worker task templates (HumanTaskUi) and RenderUiTemplate.

Parameters and replies are the API's own members; the wire has checked them against the model. A template
cannot be changed, and a deleted one stays readable for the loops that run with it.
"""

from __future__ import annotations

import hashlib
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from include.review_server import jsontext
from include.review_server.arns import Arns
from include.review_server.clock import Clock
from include.review_server.db.database import Database
from include.review_server.db.models import HumanTaskUi
from include.review_server.db.pages import page
from include.review_server.errors import RenderBusy
from include.review_server.templates.grants import ReadAccess
from include.review_server.templates.render_pool import RenderPool
from include.wire import AwsError

_MOST = 100  # the account's quota


class TaskUiOperations:
    """The operations on worker task templates."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        arns: Arns,
        renderers: RenderPool,
        access: ReadAccess,
        public_url: str,
    ) -> None:
        self._database = database
        self._clock = clock
        self._arns = arns
        self._renderers = renderers
        self._access = access
        self._public_url = public_url.rstrip("/")

    def create_human_task_ui(self, params: dict[str, Any]) -> dict[str, Any]:
        name, content = params["HumanTaskUiName"], params["UiTemplate"]["Content"]
        try:
            content_sha256 = hashlib.sha256(content.encode()).hexdigest()
        except UnicodeEncodeError:
            raise AwsError("ValidationException", "UiTemplate.Content is not valid Unicode text") from None
        taken = AwsError("ResourceInUse", f"Human task UI {name} exists already and cannot be changed")
        try:
            with self._database.write() as session:
                if live_task_ui(session, name):
                    raise taken
                count = select(func.count()).where(HumanTaskUi.deleted_at.is_(None))
                if session.scalars(count).one() >= _MOST:
                    raise AwsError(
                        "ResourceLimitExceeded", f"the account has {_MOST} human task UIs: delete one"
                    )
                session.add(
                    HumanTaskUi(
                        name=name, content=content, content_sha256=content_sha256, created_at=self._clock()
                    )
                )
        except IntegrityError:
            raise taken from None
        return {"HumanTaskUiArn": self._arns.human_task_ui(name)}

    def describe_human_task_ui(self, params: dict[str, Any]) -> dict[str, Any]:
        with self._database.read() as session:
            ui = self._existing(session, params["HumanTaskUiName"])
            return {
                "HumanTaskUiArn": self._arns.human_task_ui(ui.name),
                "HumanTaskUiName": ui.name,
                "HumanTaskUiStatus": "Active",
                "CreationTime": ui.created_at,
                "UiTemplate": {
                    "Url": f"{self._public_url}/human-task-uis/{ui.name}",
                    "ContentSha256": ui.content_sha256,
                },
            }

    def list_human_task_uis(self, params: dict[str, Any]) -> dict[str, Any]:
        with self._database.read() as session:
            live = select(HumanTaskUi).where(HumanTaskUi.deleted_at.is_(None))
            uis, token = page(session, live, HumanTaskUi, params)
            return {
                "HumanTaskUiSummaries": [
                    {
                        "HumanTaskUiName": ui.name,
                        "HumanTaskUiArn": self._arns.human_task_ui(ui.name),
                        "CreationTime": ui.created_at,
                    }
                    for ui in uis
                ],
                "NextToken": token,
            }

    def delete_human_task_ui(self, params: dict[str, Any]) -> None:
        with self._database.write() as session:
            self._existing(session, params["HumanTaskUiName"]).deleted_at = self._clock()

    def render_ui_template(self, params: dict[str, Any]) -> dict[str, Any]:
        template, arn = params.get("UiTemplate"), params.get("HumanTaskUiArn")
        if (template is None) == (arn is None):
            raise AwsError("ValidationException", "give either UiTemplate or HumanTaskUiArn, not both")
        content = self._content(arn) if arn else params["UiTemplate"]["Content"]
        task_input = params["Task"]["Input"]
        try:
            jsontext.parse(task_input)
        except ValueError as error:
            raise AwsError("ValidationException", f"Task.Input is not JSON: {error}") from None
        try:
            rendered = self._renderers.render(content, task_input, self._access.for_caller(task_input))
        except RenderBusy as error:
            raise AwsError("ThrottlingException", str(error)) from None
        return {
            "RenderedContent": rendered.content,
            "Errors": [{"Code": error.code, "Message": error.message} for error in rendered.errors],
        }

    def _content(self, arn: str) -> str:
        with self._database.read() as session:
            return self._existing(session, self._arns.name_in(arn, "human-task-ui") or arn).content

    def _existing(self, session: Session, name: str) -> HumanTaskUi:
        ui = live_task_ui(session, name)
        if ui is None:
            raise AwsError("ResourceNotFound", f"Could not find human task UI {name}")
        return ui


def live_task_ui(session: Session, name: str) -> HumanTaskUi | None:
    """The template of that name that has not been deleted."""
    query = select(HumanTaskUi).where(HumanTaskUi.name == name, HumanTaskUi.deleted_at.is_(None))
    return session.scalars(query).one_or_none()
