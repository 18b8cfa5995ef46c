"""Everything that is not Airflow: the domain, the servers, the algorithms and the sample."""

__version__ = "0.11.0"  # the first heading of CHANGELOG.md
