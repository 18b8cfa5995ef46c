"""The domain of Nightloop, one module per step in the order in which the data flows.

It takes a ``Workspace`` and AWS clients, gives small dictionaries of counts and S3 URIs, and knows neither
Airflow nor any server. ``config`` alone reads YAML, ``layout`` alone knows where things lie in the bucket.
"""
