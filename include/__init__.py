"""Everything that is not Airflow: the domain, the servers, the algorithms and the sample."""
