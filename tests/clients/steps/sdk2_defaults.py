"""What a notebook leaves to the SDK: session, bucket, role; training from a file, its log and its metrics.

Run with JSON of image, picture (a file), metadata (a file with an execution role).
"""

import json
import sys

import sagemaker

given = json.loads(sys.argv[1])
sess = sagemaker.Session()
bucket = sess.default_bucket()
# On a machine of SageMaker's this file is below /opt/ml/metadata.
sagemaker.session.NOTEBOOK_METADATA_FILE = given["metadata"]
role = sagemaker.get_execution_role(sess)
uploaded = sess.upload_data(path=given["picture"], bucket=bucket, key_prefix="notebook/train")

estimator = sagemaker.estimator.Estimator(
    given["image"],  # no role: that of the SDK's defaults
    instance_count=1,
    instance_type="ml.p3.2xlarge",
    volume_size=50,
    input_mode="File",
    output_path=f"s3://{bucket}/notebook/output",
    hyperparameters={"epochs": 1},
    metric_definitions=[{"Name": "score", "Regex": r"score=(\S+)"}],
    rules=[],
    sagemaker_session=sess,
)
train = sagemaker.inputs.TrainingInput(
    f"s3://{bucket}/notebook/train", distribution="FullyReplicated", s3_data_type="S3Prefix"
)
estimator.fit(
    inputs={"train": train}, logs=True, experiment_config={"ExperimentName": "nightly", "RunName": "one"}
)
print("=== trained")
name = estimator.latest_training_job.name
described = estimator.latest_training_job.describe()
curves = sagemaker.analytics.TrainingJobAnalytics(name, sagemaker_session=sess).dataframe()
print(
    json.dumps(
        {
            "bucket": bucket,
            "role": role,
            "uploaded": uploaded,
            "default_role": described["RoleArn"],
            "experiment": described["ExperimentConfig"],
            "debug": described["DebugHookConfig"],
            "model_data": estimator.model_data,
            "metrics": curves[["metric_name", "value"]].to_dict("records"),
        }
    )
)
