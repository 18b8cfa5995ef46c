"""The same settings find what is set up; other settings make others beside it."""

from __future__ import annotations

import pytest

from include.loop.core.errors import ConfigurationError, Fatal, NotSetUp
from include.loop.nightly import review_setup
from tests.loop.place import Place
from tests.support.cloud import eventually


def names(place: Place) -> tuple[int, int]:
    """How many templates and flow definitions of the pipeline there are."""
    uis = place.control.get_paginator("list_human_task_uis").paginate()
    flows = place.control.get_paginator("list_flow_definitions").paginate()
    return (
        sum(
            item["HumanTaskUiName"].startswith("pets-ui-")
            for page in uis
            for item in page["HumanTaskUiSummaries"]
        ),
        sum(
            item["FlowDefinitionName"] == review_setup.setup_flow_definition(place.workspace).name
            for page in flows
            for item in page["FlowDefinitionSummaries"]
        ),
    )


def test_setting_up_twice_changes_nothing_the_second_time(place: Place):
    first = place.set_up_review()
    count = names(place)
    assert place.set_up_review() == first
    assert names(place) == count
    assert review_setup.setup_bucket(place.workspace) == review_setup.ImageBuckets([place.bucket], [])
    assert first.workteam_arn.endswith(f"/{place.team}")
    assert first.portal_url.startswith("http")


def test_a_template_with_a_list_of_its_own_is_set_up_with_a_warning(make_place, tmp_path):
    template = tmp_path / "own.html"
    template.write_text(
        "<crowd-form><crowd-image-classifier name='annotatedResult' categories=\"['cat']\" "
        'src="{{ task.input.taskObject | grant_read_access }}"></crowd-image-classifier></crowd-form>'
    )
    place = make_place(task="image-classification", review={"template": str(template)})
    made = review_setup.setup_template(place.workspace)
    assert len(made.warnings) == 1
    assert "without 'dog'" in made.warnings[0]
    assert not review_setup.setup_template(make_place(task="image-classification").workspace).warnings


def test_the_flow_definition_says_what_the_pipeline_says(make_place):
    place = make_place(review={"title": "Find pets", "task_count": 2, "time_limit_seconds": 60})
    place.set_up_review()
    name = review_setup.setup_flow_definition(place.workspace).name
    described = place.control.describe_flow_definition(FlowDefinitionName=name)
    config = described["HumanLoopConfig"]
    assert (config["TaskTitle"], config["TaskCount"], config["TaskTimeLimitInSeconds"]) == (
        "Find pets",
        2,
        60,
    )
    assert described["OutputConfig"]["S3OutputPath"] == f"s3://{place.bucket}/pets/reviews"


def test_other_settings_make_another_flow_definition_that_must_be_set_up_first(place: Place):
    place.set_up_review()
    changed = place.but(review=place.pipeline.review.model_copy(update={"title": "Something else"}))
    with pytest.raises(NotSetUp, match="is missing: run review_setup for pipeline 'pets'"):
        review_setup.find_flow_definition(changed)
    eventually(lambda: review_setup.setup_flow_definition(changed).active)
    one = review_setup.find_flow_definition(place.workspace)
    assert review_setup.find_flow_definition(changed) != one


def test_cors_rules_that_are_there_are_kept(place: Place):
    own = {"AllowedMethods": ["PUT"], "AllowedOrigins": ["https://example.com"]}
    place.s3.put_bucket_cors(Bucket=place.bucket, CORSConfiguration={"CORSRules": [own]})
    assert review_setup.setup_bucket(place.workspace).changed == [place.bucket]
    rules = place.s3.get_bucket_cors(Bucket=place.bucket)["CORSRules"]
    assert [rule["AllowedMethods"] for rule in rules] == [["PUT"], ["GET"]]


def test_what_has_to_be_there_first_is_named(make_place, tmp_path):
    template = tmp_path / "own.html"
    template.write_text(f"<crowd-form>{tmp_path}</crowd-form>")
    place: Place = make_place(review={"template": str(template)})
    with pytest.raises(NotSetUp, match=r"worker template pets-ui-\w+ is missing: run review_setup first"):
        review_setup.setup_flow_definition(place.workspace)
    review_setup.setup_template(place.workspace)
    with pytest.raises(NotSetUp, match=f"work team {place.team} is missing: run review_setup first"):
        review_setup.setup_flow_definition(place.workspace)


def test_a_work_team_that_is_named_by_arn_is_never_made(place: Place):
    arn = "arn:aws:sagemaker:us-east-1:000000000000:workteam/private-crowd/nobody"
    place.environment = place.environment.model_copy(
        update={"review": place.environment.review.model_copy(update={"workteam_arn": arn})}
    )
    place.workspace = type(place.workspace)(place.pipeline, place.environment, place.storage, place.clients)
    with pytest.raises(ConfigurationError, match=r"test\.yaml: review\.workteam_arn: there is no work team"):
        review_setup.setup_workteam(place.workspace)


def test_a_flow_definition_that_failed_is_fatal_with_its_reason(place: Place):
    review_setup.setup_workteam(place.workspace)
    review_setup.setup_template(place.workspace)
    place.s3.delete_bucket(Bucket=place.bucket)

    def failed() -> str:
        try:
            review_setup.setup_flow_definition(place.workspace)
        except Fatal as error:
            return str(error)
        return ""

    assert "failed: " in eventually(failed)
