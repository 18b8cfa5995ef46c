"""A cloud on one machine: S3 and friends from ministack, SageMaker jobs that really run, and the review
server.

Three kinds of processes. The *cloud* (this package) is a thin control plane: it answers requests and keeps
documents in SQLite. Each job and each endpoint has an *instance* (``include.local_cloud.instance``), a
process that stands in for the machine SageMaker would rent: it fetches the data, runs the *container* (an
algorithm under the ``/opt/ml`` contract), ships its log and its artifacts, and writes the job's status. An
instance outlives a kill -9 of the cloud and goes on when the cloud is back, so a restart costs no job its
progress.

It may know ``wire``, ``review_server`` and ``recordio``; it never knows Airflow or the domain.
"""
