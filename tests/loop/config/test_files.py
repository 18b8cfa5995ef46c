"""Files that are wrong are refused with the file, the field and what is allowed."""

from __future__ import annotations

import string
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from include.loop import config
from include.loop.core.clients import Clients
from include.loop.core.errors import ConfigurationError
from include.loop.workspace import open_workspace

ENVIRONMENT = """
region: eu-west-1
bucket: my-bucket
pipeline: pets
role_arn: arn:aws:iam::123456789012:role/x
algorithm: local
"""


OWN_IMAGE = ENVIRONMENT + "image: mine:1\nadapter: "


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's own directory of pipelines and environments."""
    for kind in ("pipelines", "environments"):
        (tmp_path / kind).mkdir()
    monkeypatch.setenv("NIGHTLOOP_CONFIG_DIR", str(tmp_path))
    return tmp_path


def refusal(own: Path, text: str) -> str:
    (own / "pipelines" / "pets.yaml").write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        config.load_pipeline("pets")
    return str(caught.value)


def test_every_shipped_file_is_valid():
    assert config.load_pipeline("digits").classes == tuple(string.digits)
    assert config.load_environment("local").algorithm == "local"
    assert config.load_environment("aws.example").algorithm == "sagemaker"
    assert config.load_pipeline("digits").template().count("crowd-bounding-box") == 2


def test_a_pipeline_needs_nothing_but_classes(own):
    (own / "pipelines" / "pets.yaml").write_text("classes: [cat, dog]")
    assert config.load_pipeline("pets").name == "pets"
    assert "pets" in config.pipeline_names()


def test_a_template_beside_the_users_own_file_is_found_first(own):
    (own / "pipelines" / "pets.yaml").write_text("classes: [cat]\nreview: {template: mine.html}")
    with pytest.raises(ConfigurationError, match=r"pets\.yaml: review\.template: no such file: mine\.html"):
        config.load_pipeline("pets").template()
    (own / "pipelines" / "mine.html").write_text("<crowd-form></crowd-form>")
    assert config.load_pipeline("pets").template() == "<crowd-form></crowd-form>"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("classes: [0, 1]", 'classes.0: must be text; put it in quotes: "0"'),
        ("classes: []", "classes: "),
        ("classes: [cat, cat]", "each class must be named once"),
        (
            "classes: [cat]\ntest_sets: {day: day.manifest}\ngate: {improve_on: [dusk]}",
            "gate.improve_on: no slice dusk; allowed: audit, day, recent, retention",
        ),
        (
            "classes: [cat]\ngate: {improve_on: [day]}",
            "gate.improve_on: no slice day; allowed: audit, recent, retention, validation",
        ),
        (
            "classes: [cat]\ntest_sets: {retention: x.manifest}",
            "test_sets: retention is the name of a part of every",
        ),
        ("{}", "classes: is required"),
        ("classes: [cat]\ntriag: {}", "triag: unknown field; allowed here: batch, classes, description,"),
        (
            "classes: [cat]\ntriage: {treshold: 0.4}",
            "triage.treshold: unknown field; allowed here: audit_share, budget,",
        ),
        (
            "classes: [cat]\ntask: image-captioning",
            "task: Input should be 'object-detection' or 'image-classification' (given: 'image-captioning')",
        ),
        (
            "classes: [cat]\ntraining: {memory_images: 5}",
            "training.memory_images: is called retention_images now",
        ),
        ("classes: [cat]\ngate: {min_learned: 0.5}", "gate.min_learned: is called min_train_recall now"),
        ("classes: [cat]\ntriage: {threshold: 1.5}", "triage.threshold: "),
        ("classes: [cat]\ntriage: {strategy: guess}", "triage.strategy: must be one of class_balanced, "),
        ("classes: [cat]\ntraining: {base_network: alexnet}", "'vgg-16' or 'resnet-50'"),
        (
            "classes: [cat]\ntraining: {initial: {hyperparameters: {num_classes: 3}}}",
            "num_classes is set by the loop",
        ),
        ("classes: [cat]\nreview: {task_count: 4}", "review.task_count: "),
        ("classes: [cat]\nbatch: {prefix: images/}", "batch.prefix: must contain {date}"),
        ("classes: [cat]\nbatch: {prefix: 'images/{date}'}", "batch.prefix: must end with '/'"),
        ("classes: [cat]\nlabel_attribute: box-ref", "label_attribute: must not"),
        ("classes: [cat]\nname: other", "name: is taken from the file's name"),
        ("- cat", "must be a mapping"),
        ("classes: [cat", "not valid YAML"),
        ("classes: [cat]\ngate: {}\ngate: {}", "'gate' is written twice"),
        ("1: 2\nclasses: [cat]", "field names must be text"),
    ],
)
def test_a_mistake_is_named_with_file_field_and_what_is_allowed(own, text, message):
    said = refusal(own, text)
    assert str(own / "pipelines" / "pets.yaml") in said
    assert message in said


def test_all_mistakes_of_a_file_are_told_at_once(own):
    said = refusal(own, "classes: [cat]\ntriage: {threshold: 2}\ngate: {max_loss: 2}")
    assert "triage.threshold" in said
    assert "gate.max_loss" in said


def test_a_missing_file_is_named_with_those_that_exist(own):
    with pytest.raises(ConfigurationError, match=r"no pipeline named 'birds'.*digits"):
        config.load_pipeline("birds")


def test_the_environment_variable_picks_the_environment(own, monkeypatch):
    (own / "environments" / "mine.yaml").write_text(ENVIRONMENT)
    monkeypatch.setenv("NIGHTLOOP_ENVIRONMENT", "mine")
    assert config.load_environment().bucket == "my-bucket"
    monkeypatch.delenv("NIGHTLOOP_ENVIRONMENT")
    assert config.load_environment().name == "local"


def test_a_setting_that_has_another_name_now_is_told_that_name(own):
    (own / "environments" / "mine.yaml").write_text(
        f"{ENVIRONMENT}deployment: {{instance_type: ml.m5.large, known_images: 3}}"
    )
    with pytest.raises(ConfigurationError, match=r"known_images: is called smoke_test_images now; rename it"):
        config.load_environment("mine")


def test_a_work_team_arn_that_is_none_is_refused(own):
    (own / "environments" / "mine.yaml").write_text(f"{ENVIRONMENT}review: {{workteam_arn: reviewers}}")
    with pytest.raises(ConfigurationError, match="must be the ARN of a work team"):
        config.load_environment("mine")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
@settings(max_examples=40)
def test_whatever_a_file_holds_the_answer_is_a_pipeline_or_a_configuration_error(tmp_path_factory, value):
    folder = tmp_path_factory.mktemp("own")
    (folder / "pipelines").mkdir()
    (folder / "pipelines" / "pets.yaml").write_text(yaml.safe_dump({"classes": ["cat"], "triage": value}))
    with pytest.MonkeyPatch.context() as patch, suppress(ConfigurationError):
        patch.setenv("NIGHTLOOP_CONFIG_DIR", str(folder))
        config.load_pipeline("pets")


def test_reading_configuration_imports_nothing_heavy():
    heavy = "boto3 botocore pandas numpy pyarrow PIL sagemaker jax airflow"
    code = (
        f"import sys, include.loop.config; print([name for name in {heavy.split()} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("adapter", "message"),
    [
        (
            "{outputs: coco-results}",
            "adapter.outputs: unknown field; allowed here: accept, channels, content_",
        ),
        ("{output: coco}", "adapter.output: must be sagemaker, coco-results, or a function of your own as"),
        (
            "{output: 'no_such_room.yolo:read'}",
            "adapter.output: there is no module no_such_room.yolo: it must",
        ),
        (
            "{hyperparameters: {lr0: '{lr}'}}",
            "adapter.hyperparameters: lr0: '{lr}': braces may have class_names, c",
        ),
        ("{hyperparameters: {a: '{epochs:>5}'}}", "a: '{epochs:>5}': braces may have"),
        ("{hyperparameters: {a: '{epochs'}}", "adapter.hyperparameters: a: "),
        ("{hyperparameters: {a: '{epochs.real}'}}", "a: '{epochs.real}': braces may have"),
        ("{metrics: {mAP: 'mAP=.*'}}", "adapter.metrics: mAP: must be a regular expression of at most 500"),
        ("{metrics: {mAP: 'mAP=(.*'}}", "adapter.metrics: mAP: is no regular expression (missing )"),
        (
            "{metrics: {loss a: '(.)', loss_a: '(.)'}}",
            "adapter.metrics: loss a, loss_a: the curves keep a name's",
        ),
        ("{channels: {train: 'a b'}}", "adapter.channels.train: String should match"),
        (
            "{channels: {train: one, validation: one}}",
            "adapter.channels: each channel needs a name of its own",
        ),
        ("{channels: {format: yolo}}", "adapter.channels.format: Input should be 'coco'"),
        ("{content_type: jpeg}", "adapter.content_type: String should match"),
    ],
)
def test_a_mistake_in_an_adapter_is_named_when_the_file_is_read(own, adapter, message):
    (own / "environments" / "mine.yaml").write_text(OWN_IMAGE + adapter)
    with pytest.raises(ConfigurationError) as caught:
        config.load_environment("mine")
    assert message in str(caught.value)
    assert f"{own / 'environments' / 'mine.yaml'}:8: " in str(caught.value)


def test_a_reader_is_looked_for_without_being_imported(own, monkeypatch):
    """Its package may need what only the tasks have: no DAG may be lost for that."""
    (own / "heavy_reader").mkdir()
    (own / "heavy_reader" / "__init__.py").write_text("raise RuntimeError('no weights here')")
    monkeypatch.syspath_prepend(str(own))
    (own / "environments" / "mine.yaml").write_text(OWN_IMAGE + "{output: 'heavy_reader.yolo:read'}")
    assert config.load_environment("mine").adapter.output == "heavy_reader.yolo:read"
    assert "heavy_reader" not in sys.modules


@pytest.mark.parametrize(
    ("pipeline", "message"),
    [
        (
            "task: image-classification",
            "coco is of boxes, and pipeline pets is of image-class",
        ),
        (
            "training: {format: recordio}",
            "coco is not what .*pets.yaml says, training.format: rec",
        ),
    ],
)
def test_what_an_image_reads_has_to_go_with_the_pipeline(own, pipeline, message):
    (own / "pipelines" / "pets.yaml").write_text(f"classes: [cat, dog]\n{pipeline}\n")
    (own / "environments" / "mine.yaml").write_text(OWN_IMAGE + "{channels: {format: coco}}")
    nobody = Clients(lambda _service, _review: None)
    with pytest.raises(ConfigurationError, match=message):
        open_workspace(nobody, "pets", "mine")
    (own / "environments" / "mine.yaml").write_text(OWN_IMAGE + "{}")
    assert open_workspace(nobody, "pets", "mine").pipeline.name == "pets"


def test_an_adapter_is_of_an_image_of_ones_own(own):
    (own / "environments" / "mine.yaml").write_text(ENVIRONMENT + "adapter: {output: coco-results}")
    with pytest.raises(ConfigurationError, match="adapter is for an image of your own: name it in `image`"):
        config.load_environment("mine")
    (own / "environments" / "mine.yaml").write_text(OWN_IMAGE + "{output: coco-results}")
    assert config.load_environment("mine").adapter.channels.model == "model"
