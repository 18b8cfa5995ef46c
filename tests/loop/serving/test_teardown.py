"""What costs money goes; what was learned stays, and serves again when it is wanted."""

from __future__ import annotations

from dataclasses import replace

from include.loop.aws.containers import ensure_model
from include.loop.aws.jobs import Pending
from include.loop.core import layout
from include.loop.models import registry
from include.loop.serving.endpoint import describe_endpoint
from include.loop.serving.teardown import TeardownResult, teardown
from tests.loop.place import Place
from tests.loop.served import Serving


def test_endpoint_configs_and_models_go_and_everything_else_stays(place: Place):
    serving = Serving(place)
    job = serving.serve_champion("one")
    ensure_model(place.workspace, job, "s3://b/m.tar.gz")  # as batch transforms have it
    config = serving.deploy(job).config
    objects = {item.uri for item in place.storage.list("")}

    plan = teardown(serving.workspace, dry_run=True)
    assert isinstance(plan, TeardownResult)
    assert (plan.endpoints, plan.endpoint_configs) == ([serving.endpoint], [config])
    assert len(plan.models) == 2
    assert job in plan.models
    assert serving.serves(config)

    report = serving.finish(lambda **waited: teardown(serving.workspace, **waited))
    assert report == replace(plan, dry_run=False)
    assert describe_endpoint(serving.sagemaker, serving.endpoint) is None
    assert {item.uri for item in place.storage.list("")} == objects
    assert registry.read_package(serving.workspace, job).status == "Approved"
    assert teardown(serving.workspace) == TeardownResult([], [], [], [], dry_run=False)

    # The images that it answered before are on record: it serves again without another candidate.
    before = place.cloud.requests()["CreateEndpoint"]
    assert serving.deploy(job).config == config
    assert place.cloud.requests()["CreateEndpoint"] == before + 1
    assert len(list(place.storage.list(layout.DEPLOYMENTS))) == 1
    serving.finish(lambda **waited: teardown(serving.workspace, **waited))


def test_what_belongs_to_others_is_left_alone(place: Place):
    serving = Serving(place)
    theirs = serving.job("theirs")  # a pipeline of the same name, in another bucket
    ensure_model(place.workspace, theirs, "s3://b/m.tar.gz")
    report = teardown(serving.workspace)
    assert not isinstance(report, Pending)
    assert report.models == []
    assert serving.sagemaker.describe_model(ModelName=theirs)["ModelName"] == theirs
    serving.sagemaker.delete_model(ModelName=theirs)
