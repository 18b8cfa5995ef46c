"""Where this project's Airflow classes were before `nightloop`: only for tasks that were waiting then.

Airflow keeps the class path of a trigger in its database for as long as a task waits.
"""
