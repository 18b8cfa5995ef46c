"""Control plane: work teams and the one private workforce they belong to.

A team says who may be asked; its people are members of this server (``accounts``), so the Cognito or OIDC
groups of a request are kept and echoed, and mean nothing more here.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from include.review_server.arns import WORKFORCE, Arns
from include.review_server.clock import Clock
from include.review_server.db.database import Database
from include.review_server.db.models import FlowDefinition, LabelingJob, Workteam
from include.review_server.db.statuses import LABELING_AT_WORK, FlowStatus
from include.wire import AwsError

_MOST = 25  # the account's quota
_ECHOED = ("MemberDefinitions", "Description", "NotificationConfiguration", "WorkerAccessConfiguration")


class WorkteamOperations:
    """The operations on work teams and workforces."""

    def __init__(self, database: Database, clock: Clock, arns: Arns, public_url: str) -> None:
        self._database = database
        self._clock = clock
        self._arns = arns
        self._portal = urlsplit(public_url).netloc
        self._started_at = clock()

    def create_workteam(self, params: dict[str, Any]) -> dict[str, Any]:
        name = params["WorkteamName"]
        taken = AwsError("ResourceInUse", f"Work team {name} exists already")
        if params.get("WorkforceName", WORKFORCE) not in (WORKFORCE, "default"):
            raise AwsError("ValidationException", f"the only workforce of this server is {WORKFORCE}")
        now = self._clock()
        try:
            with self._database.write() as session:
                if session.get(Workteam, name):
                    raise taken
                if session.scalars(select(func.count()).select_from(Workteam)).one() >= _MOST:
                    raise AwsError("ResourceLimitExceeded", f"the account has {_MOST} work teams: delete one")
                session.add(Workteam(name=name, request=_echo(params), created_at=now, updated_at=now))
        except IntegrityError:
            raise taken from None
        return {"WorkteamArn": self._arns.workteam(name)}

    def describe_workteam(self, params: dict[str, Any]) -> dict[str, Any]:
        with self._database.read() as session:
            return {"Workteam": self._shown(self._existing(session, params["WorkteamName"]))}

    def update_workteam(self, params: dict[str, Any]) -> dict[str, Any]:
        with self._database.write() as session:
            team = self._existing(session, params["WorkteamName"])
            team.request = json.dumps(json.loads(team.request) | json.loads(_echo(params)))
            team.updated_at = self._clock()
            return {"Workteam": self._shown(team)}

    def list_workteams(self, params: dict[str, Any]) -> dict[str, Any]:
        with self._database.read() as session:
            teams = [
                team
                for team in session.scalars(select(Workteam))
                if params.get("NameContains", "").lower() in team.name.lower()
            ]
        by_name = params.get("SortBy") == "Name"
        # At most 25 rows: sorted here, and a token is simply the name that ended the page before.
        teams.sort(
            key=lambda team: (team.name if by_name else _milliseconds(team.created_at), team.name),
            reverse=params.get("SortOrder") == "Descending",
        )
        names = [team.name for team in teams]
        start = 0
        if token := params.get("NextToken"):
            if token not in names:
                raise AwsError("ValidationException", "NextToken is not one that this operation returned")
            start = names.index(token) + 1
        end = start + params.get("MaxResults", 100)
        return {
            "Workteams": [self._shown(team) for team in teams[start:end]],
            "NextToken": names[end - 1] if end < len(names) else None,
        }

    def delete_workteam(self, params: dict[str, Any]) -> dict[str, Any]:
        with self._database.write() as session:
            team = self._existing(session, params["WorkteamName"])
            if using := _at_work_for(session, team.name):
                raise AwsError("ValidationException", f"Work team {team.name} answers for {using} first")
            session.delete(team)
        return {"Success": True}

    def describe_workforce(self, params: dict[str, Any]) -> dict[str, Any]:
        if params["WorkforceName"] not in (WORKFORCE, "default"):
            raise AwsError("ValidationException", f"Could not find workforce {params['WorkforceName']}")
        return {"Workforce": self._workforce()}

    def list_workforces(self, params: dict[str, Any]) -> dict[str, Any]:
        fits = params.get("NameContains", "").lower() in WORKFORCE
        return {"Workforces": [self._workforce()] if fits else []}

    def list_subscribed_workteams(self, _params: dict[str, Any]) -> dict[str, Any]:
        """None: teams of vendors come with a subscription in the AWS Marketplace."""
        return {"SubscribedWorkteams": []}

    def describe_subscribed_workteam(self, params: dict[str, Any]) -> dict[str, Any]:
        # The model declares no ResourceNotFound for it.
        raise AwsError(
            "ValidationException", f"Could not find a subscription to work team {params['WorkteamArn']}"
        )

    def _existing(self, session: Session, name: str) -> Workteam:
        team = session.get(Workteam, name)
        if team is None:
            # The model declares no ResourceNotFound for work teams.
            raise AwsError("ValidationException", f"Could not find work team {name}")
        return team

    def _shown(self, team: Workteam) -> dict[str, Any]:
        return json.loads(team.request) | {
            "WorkteamName": team.name,
            "WorkteamArn": self._arns.workteam(team.name),
            "WorkforceArn": self._arns.workforce(),
            "SubDomain": self._portal,
            "CreateDate": team.created_at,
            "LastUpdatedDate": team.updated_at,
        }

    def _workforce(self) -> dict[str, Any]:
        return {
            "WorkforceName": WORKFORCE,
            "WorkforceArn": self._arns.workforce(),
            "SubDomain": self._portal,
            "CreateDate": self._started_at,
            "LastUpdatedDate": self._started_at,
            "Status": "Active",
        }


def _at_work_for(session: Session, name: str) -> str | None:
    """What a team answers for, and what to do before it can go."""
    flow = session.scalars(
        select(FlowDefinition.name).where(
            FlowDefinition.workteam_name == name, FlowDefinition.status != FlowStatus.DELETED
        )
    ).first()
    if flow is not None:
        return f"flow definition {flow}: delete that"
    job = session.scalars(
        select(LabelingJob.name)
        .where(LabelingJob.workteam_name == name, LabelingJob.status.in_(LABELING_AT_WORK))
        .order_by(LabelingJob.id)
    ).first()
    return None if job is None else f"labeling job {job}: stop that"


def _echo(params: dict[str, Any]) -> str:
    return json.dumps({key: params[key] for key in _ECHOED if key in params})


def _milliseconds(moment: datetime) -> str:
    return f"{moment.timestamp():020.3f}"
