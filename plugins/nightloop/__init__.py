"""Airflow's manners around the loop: hook, operators, sensor, triggers, links.

Everything here is glue between Airflow and `include.loop`: where a connection comes from, how to wait
without a worker slot, which error is retried, what an operator on call reads in the log. The work itself
is in `include.loop`. Modules import boto3, aiobotocore and pandas inside functions only, so that a DAG
file parses without them.
"""
