# Two images: `airflow` for every Airflow service, `review` for the review server alone. docker-compose.yaml builds both.
ARG AIRFLOW_VERSION=3.3.2

FROM apache/airflow:${AIRFLOW_VERSION}-python3.11 AS airflow
ARG AIRFLOW_VERSION
COPY requirements.txt constraints.txt /opt/nightloop/
# Airflow is named again, so that no requirement can move it to another version than the image's.
RUN pip install --no-cache-dir "apache-airflow==${AIRFLOW_VERSION}" \
    -r /opt/nightloop/requirements.txt -c /opt/nightloop/constraints.txt
# The copies make the image complete without mounts; compose mounts the same folders over them.
COPY --chown=airflow:0 dags /opt/airflow/dags
COPY --chown=airflow:0 plugins /opt/airflow/plugins
COPY --chown=airflow:0 include /opt/airflow/include
# Airflow puts dags/ and plugins/ on the import path, never their parent: `import include` needs this.
ENV PYTHONPATH=/opt/airflow

FROM python:3.11-slim AS review
COPY constraints.txt /opt/nightloop/
RUN pip install --no-cache-dir -c /opt/nightloop/constraints.txt \
    alembic argon2-cffi boto3 httptools itsdangerous jinja2 numpy pillow prometheus-client "psycopg[binary]" python-liquid sqlalchemy starlette uvicorn
RUN useradd --create-home --uid 10001 review && install -d -o review /var/lib/review
COPY include/__init__.py /opt/nightloop/include/__init__.py
COPY include/consensus /opt/nightloop/include/consensus
COPY include/pictures /opt/nightloop/include/pictures
COPY include/wire /opt/nightloop/include/wire
COPY include/review_server /opt/nightloop/include/review_server
ENV PYTHONPATH=/opt/nightloop PYTHONUNBUFFERED=1
WORKDIR /opt/nightloop
USER review
CMD ["python", "-m", "include.review_server", "serve", "--data", "/var/lib/review"]
