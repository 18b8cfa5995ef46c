"""The local stack of `make up`: local cloud, review server and Airflow, as supervised processes."""
