"""The machine that SageMaker would rent for a job or an endpoint, as one process.

It fetches the input, runs the algorithm's container process, ships log and results, and writes the status.
It works for the document it was given and knows the cloud only by its store, its lock, and its S3 and Logs
over HTTP, so it outlives a restart of the cloud.
"""
