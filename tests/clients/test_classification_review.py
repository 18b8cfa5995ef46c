"""AWS's example of reviewing a classifier with A2I, by plain boto3 and with a template of its kind: the
pictures that a model gets wrong become human loops, and their answers labels.
"""

from __future__ import annotations

import json
import uuid
from pathlib import Path

from include.loop.exchange.classes import read_class_list
from include.loop.exchange.folders import Folder
from include.loop.exchange.formats import ReadOptions, find_format
from include.loop.exchange.items import Item
from include.loop.tasks.classification.task import ImageClassification
from include.loop.tasks.values import Origin
from tests.loop.place import SIZE, picture
from tests.review_server.rig import MEMBERS, Rig
from tests.support.cloud import ROLE, eventually

LABELS = "0:British_Shorthair\n1:Sphynx\n2:havanese\n"
TEMPLATE = """
<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>
<crowd-form>
  <crowd-image-classifier
    name="annotatedResult"
    src="{{ task.input.taskObject | grant_read_access }}"
    header="Which breed is this?"
    categories="['0:British_Shorthair', '1:Sphynx', '2:havanese']"
  >
    <full-instructions header="How to choose"><p>Look at the whole picture first.</p></full-instructions>
    <short-instructions><p>One breed for each picture.</p></short-instructions>
  </crowd-image-classifier>
</crowd-form>
"""


def test_what_a_model_gets_wrong_is_asked_about_and_learned(rig: Rig, tmp_path: Path):
    classes = read_class_list(LABELS, "labels.txt")
    for number, name in enumerate((*classes, *classes)):
        place = tmp_path / "samples" / name / f"{number}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(picture(40 * number, name))
    samples = find_format("image-folders").read(Folder(tmp_path / "samples"), ReadOptions())
    true = {item.name: item.classes[0].label for item in samples if isinstance(item, Item) and item.classes}
    assert len(true) == 6
    predicted = dict.fromkeys(true, "Sphynx")  # a model that has seen nothing else

    bucket, name = rig.bucket(), rig.name("breeds")
    team = rig.sagemaker.create_workteam(WorkteamName=name, Description="x", MemberDefinitions=MEMBERS)
    ui = rig.sagemaker.create_human_task_ui(HumanTaskUiName=name, UiTemplate={"Content": TEMPLATE})
    flow = rig.sagemaker.create_flow_definition(
        FlowDefinitionName=name,
        RoleArn=ROLE,
        HumanLoopConfig={
            "WorkteamArn": team["WorkteamArn"],
            "HumanTaskUiArn": ui["HumanTaskUiArn"],
            "TaskCount": 1,
            "TaskDescription": "Name the breed",
            "TaskTitle": "Breeds",
        },
        OutputConfig={"S3OutputPath": f"s3://{bucket}/a2i-results"},
    )["FlowDefinitionArn"]
    active = {"FlowDefinitionName": name}
    eventually(lambda: rig.sagemaker.describe_flow_definition(**active)["FlowDefinitionStatus"] == "Active")

    loops = {}
    for sample, label in true.items():
        rig.s3.put_object(Bucket=bucket, Key=sample, Body=(tmp_path / "samples" / sample).read_bytes())
        if predicted[sample] != label:
            loop = str(uuid.uuid4())
            said = f"{classes.index(predicted[sample])}:{predicted[sample]}"
            content = {"initialValue": said, "taskObject": f"s3://{bucket}/{sample}"}
            rig.a2i.start_human_loop(
                HumanLoopName=loop,
                FlowDefinitionArn=flow,
                HumanLoopInput={"InputContent": json.dumps(content)},
            )
            loops[loop] = sample
    assert len(loops) == 4
    described = rig.sagemaker.describe_workteam(WorkteamName=name)["Workteam"]
    assert described["SubDomain"]

    person = rig.worker(name)
    while (task := person.take()) is not None:
        sample = task["input"]["taskObject"].removeprefix(f"s3://{bucket}/")
        choice = f"{classes.index(true[sample])}:{true[sample]}"
        assert person.do("answer", task, {"annotatedResult": {"label": choice}}).status_code == 200

    task_type, asked = ImageClassification(classes, "breed"), []
    for loop, sample in loops.items():

        def status(loop: str = loop) -> bool:
            return bool(rig.a2i.describe_human_loop(HumanLoopName=loop)["HumanLoopStatus"] == "Completed")

        eventually(status)
        output = rig.a2i.describe_human_loop(HumanLoopName=loop)["HumanLoopOutput"]["OutputS3Uri"]
        key = output.removeprefix(f"s3://{bucket}/")
        body = rig.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        label = json.loads(body)["humanAnswers"][0]["answerContent"]["annotatedResult"]["label"]
        assert label.partition(":")[2] == true[sample]
        answers, rejected = task_type.read_answers(body, loop, SIZE)
        assert rejected == []
        asked.append((answers, Origin(f"s3://{bucket}/{sample}", "e", SIZE, loop, "b", "misclassified")))
    for line, sample in zip(task_type.write_labels(asked), loops.values(), strict=True):
        assert isinstance(line, dict)
        found = (line["source-ref"], line["breed"], line["breed-metadata"]["class-name"])
        assert found == (f"s3://{bucket}/{sample}", classes.index(true[sample]), true[sample])
