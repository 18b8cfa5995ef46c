"""review_setup as Airflow's tasks: everything people need, made once and found again."""

from __future__ import annotations

from typing import Any

from nightloop.operators.review_setup_steps import (
    SetupBucketOperator,
    SetupFlowDefinitionOperator,
    SetupTemplateOperator,
    SetupWorkteamOperator,
    ShowPortalOperator,
)
from tests.airflow.place import Place

STEPS: list[Any] = [
    SetupBucketOperator,
    SetupWorkteamOperator,
    SetupTemplateOperator,
    SetupFlowDefinitionOperator,
    ShowPortalOperator,
]


def set_up(place: Place) -> list[dict[str, Any]]:
    return [place.run(step(task_id=step.__name__, pipeline=place.name)) for step in STEPS]


def test_it_makes_everything_and_a_second_run_finds_it(place: Place) -> None:
    bucket, team, template, flow, portal = set_up(place)
    assert bucket["changed"] == [place.bucket]
    assert flow["active"] is True
    assert portal["portal_url"] == place.rig.url
    again = set_up(place)
    assert again[0]["changed"] == []
    assert again[1:] == [team, template, flow, portal]


def test_a_flow_definition_of_seconds_is_waited_for_in_the_worker(place: Place) -> None:
    place.environment_settings["airflow"] = {"wait_seconds": 60}
    place.save()
    for step in STEPS[:3]:
        place.run(step(task_id=step.__name__, pipeline=place.name))
    flow = SetupFlowDefinitionOperator(task_id="flow", pipeline=place.name).execute(place.context())
    assert flow["active"] is True, "it has not been deferred"


def test_changed_instructions_make_a_new_flow_definition_beside_the_old(place: Place) -> None:
    *_, flow, _ = set_up(place)
    place.settings["review"]["title"] = "Look closely"
    place.save()
    *_, changed, _ = set_up(place)
    assert changed["active"] is True
    assert changed["name"] != flow["name"]
