"""The steps of Amazon's object-detection tutorials, by the SDK they were written for.

A first model is trained from an augmented manifest, a second one goes on from it; the second is hosted, asked
over HTTP, used for a batch, and taken down. Run with JSON of bucket, folder (images and two manifests), role.
"""

import json
import sys
import time

import sagemaker

given = json.loads(sys.argv[1])
bucket, role = given["bucket"], given["role"]

sess = sagemaker.Session(default_bucket=bucket)
image = sagemaker.image_uris.retrieve("object-detection", sess.boto_region_name, version="1")
sagemaker.s3.S3Uploader.upload(given["folder"], f"s3://{bucket}/data", sagemaker_session=sess)


def channel(name):
    return sagemaker.inputs.TrainingInput(
        f"s3://{bucket}/data/{name}.manifest",
        distribution="FullyReplicated",
        content_type="application/x-recordio",
        record_wrapping="RecordIO",
        s3_data_type="AugmentedManifestFile",
        attribute_names=["source-ref", "a2i-retraining"],
    )


def learn(**further):
    estimator = sagemaker.estimator.Estimator(
        image,
        role,
        instance_count=1,
        instance_type="ml.p3.2xlarge",
        volume_size=50,
        max_run=360000,
        input_mode="Pipe",
        output_path=f"s3://{bucket}/models",
        sagemaker_session=sess,
    )
    estimator.set_hyperparameters(
        base_network="resnet-50",
        use_pretrained_model=0,
        num_classes=1,
        mini_batch_size=8,
        epochs=1,
        learning_rate=0.001,
        lr_scheduler_step="3,6",
        lr_scheduler_factor=0.1,
        optimizer="sgd",
        momentum=0.9,
        weight_decay=0.0005,
        overlap_threshold=0.5,
        nms_threshold=0.45,
        image_shape=96,
        label_width=350,
        num_training_samples=given["count"],
    )
    estimator.fit(
        inputs={"train": channel("train"), "validation": channel("validation"), **further}, logs=True
    )
    return estimator, time.time()


first, _ = learn()
print("=== the second job")
second, returned = learn(
    model=sagemaker.inputs.TrainingInput(
        first.model_data,
        distribution="FullyReplicated",
        content_type="application/x-sagemaker-model",
        s3_data_type="S3Prefix",
        input_mode="File",
    )
)
print("=== trained")
job = second.latest_training_job
described = job.describe()
curves = sagemaker.analytics.TrainingJobAnalytics(job.name, sagemaker_session=sess).dataframe()

model = sagemaker.model.Model(
    image,
    model_data=second.model_data,
    role=role,
    predictor_cls=sagemaker.predictor.Predictor,
    sagemaker_session=sess,
)
detector = model.deploy(
    initial_instance_count=1,
    instance_type="ml.m4.xlarge",
    endpoint_name=f"{bucket}-detector",
    serializer=sagemaker.serializers.IdentitySerializer("image/jpeg"),
)
with open(f"{given['folder']}/validation-0.jpg", "rb") as picture:
    body = picture.read()
raw = detector.predict(body)
detector.deserializer = sagemaker.deserializers.JSONDeserializer()
parsed = detector.predict(body)

transformer = second.transformer(
    1, "ml.m4.xlarge", output_path=f"s3://{bucket}/predictions", accept="application/json"
)
transformer.transform(f"s3://{bucket}/data/validation-", content_type="image/jpeg", wait=True, logs=True)

detector.delete_model()
detector.delete_endpoint()
transformer.delete_model()
print(
    json.dumps(
        {
            "image": image,
            "first": first.latest_training_job.name,
            "second": job.name,
            "returned": returned,
            "ended": described["TrainingEndTime"].timestamp(),
            "metrics": sorted(curves["metric_name"]),
            "raw": json.loads(raw),
            "parsed": parsed,
            "outputs": sagemaker.s3.S3Downloader.list(f"s3://{bucket}/predictions", sagemaker_session=sess),
        }
    )
)
