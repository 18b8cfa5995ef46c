"""Training, hosting, a batch and the cleaning up by SageMaker's SDK v3.

Run with JSON of prefix (of all names and keys), folder (images and a manifest named train), image, role.
"""

import json
import logging
import sys

from sagemaker.core.helper.session_helper import Session
from sagemaker.core.resources import Endpoint, EndpointConfig, Model
from sagemaker.core.shapes import Channel, DataSource, S3DataSource
from sagemaker.serve.model_builder import ModelBuilder
from sagemaker.train.configs import Compute, InputData, OutputDataConfig, StoppingCondition
from sagemaker.train.model_trainer import ModelTrainer

given = json.loads(sys.argv[1])
# The SDK tells of a job's log by its logger.
logging.basicConfig(level=logging.INFO, stream=sys.stdout)

sess = Session()
bucket = sess.default_bucket()
prefix = given["prefix"]
sess.upload_data(path=given["folder"], bucket=bucket, key_prefix=f"{prefix}/data")

trainer = ModelTrainer(
    training_image=given["image"],  # no role: that of the SDK's defaults
    sagemaker_session=sess,
    base_job_name=prefix,
    compute=Compute(instance_type="ml.p3.2xlarge", instance_count=1, volume_size_in_gb=30),
    hyperparameters={"epochs": "1"},
    output_data_config=OutputDataConfig(s3_output_path=f"s3://{bucket}/{prefix}/models"),
    stopping_condition=StoppingCondition(max_runtime_in_seconds=600),
    training_input_mode="File",
)
manifest = S3DataSource(
    s3_data_type="AugmentedManifestFile",
    s3_uri=f"s3://{bucket}/{prefix}/data/train.manifest",
    attribute_names=["source-ref", "review"],
)
trainer.train(
    input_data_config=[
        Channel(
            channel_name="train",
            data_source=DataSource(s3_data_source=manifest),
            input_mode="Pipe",
            record_wrapper_type="RecordIO",
            content_type="application/x-recordio",
        ),
        InputData(channel_name="files", data_source=f"s3://{bucket}/{prefix}/data"),
    ],
    wait=True,
    logs=True,
)
print("=== trained")
job = trainer._latest_training_job

builder = ModelBuilder(
    model=trainer,
    image_uri=given["image"],
    role_arn=given["role"],  # the SDK's defaults have none for it
    sagemaker_session=sess,
    instance_type="ml.m5.xlarge",
)
model = builder.build(model_name=f"{prefix}-model")
endpoint = builder.deploy(
    endpoint_name=f"{prefix}-endpoint", initial_instance_count=1, instance_type="ml.m5.xlarge"
)
answer = json.loads(endpoint.invoke(body=b"picture", content_type="image/jpeg").body.read())
builder.transformer(1, "ml.m5.xlarge", output_path=f"s3://{bucket}/{prefix}/out").transform(
    f"s3://{bucket}/{prefix}/data/", content_type="image/jpeg", wait=True, logs=False
)

found = Endpoint.get(endpoint.endpoint_name)
EndpointConfig.get(found.endpoint_config_name).delete()
found.delete()
Model.get(model.model_name).delete()
print(
    json.dumps(
        {
            "bucket": bucket,
            "job": job.training_job_name,
            "status": job.training_job_status,
            "role": job.role_arn,
            "artifact": job.model_artifacts.s3_model_artifacts,
            "answer": answer,
        }
    )
)
