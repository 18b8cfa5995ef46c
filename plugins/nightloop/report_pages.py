"""The report pages below /nightloop, for people who are signed in to Airflow.

Takes pages that `include.loop.report` has put into S3 and gives them out as they lie there, so that their
links to each other work. Who may see a pipeline's DAG may see its reports. Runs in Airflow's API server only
(plugins/nightloop_plugin.py), so it imports FastAPI at the top.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Any

from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from fastapi import FastAPI, HTTPException, Path, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from starlette.exceptions import HTTPException as StarletteHTTPException

from include.loop.config import load_environment
from include.loop.core.layout import HISTORY_PAGE, TRAINING_JOB, report_page
from include.loop.core.storage import MISSING, error_code
from include.loop.report import POLICY, choice
from nightloop.dag_factory import dag_id, pipelines
from nightloop.hooks.loop_aws import LoopAwsHook
from nightloop.operators.loop_operator import AWS_CONN_ID

# The pages are complete in themselves: style and pictures inside, no scripts, nothing loaded from anywhere.
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, no-cache",
}
HTML = "text/html; charset=utf-8"
CHUNK = 256 * 1024
# Pages share Airflow's threads: a bucket that does not answer must not take them all.
IMPATIENT = Config(connect_timeout=5, read_timeout=15, retries={"mode": "standard", "max_attempts": 2})

TrainingJob = Annotated[str, Path(pattern=TRAINING_JOB)]


def make_app() -> FastAPI:
    """The pages: `/reports/`, `/reports/{pipeline}/index.html`, and one folder deeper those of the rounds."""
    app = FastAPI(title="Nightloop reports", docs_url=None, redoc_url=None, openapi_url=None)

    @app.exception_handler(StarletteHTTPException)
    def refuse(request: Request, error: StarletteHTTPException) -> Response:
        text = "Sign in to Airflow, then open this page again." if error.status_code == 401 else error.detail
        return HTMLResponse(choice((), str(text)), error.status_code, HEADERS)

    @app.exception_handler(RequestValidationError)
    def no_page(request: Request, error: RequestValidationError) -> Response:
        return HTMLResponse(choice((), "There is no such page."), 404, HEADERS)

    @app.exception_handler(Exception)
    def broken(request: Request, error: Exception) -> Response:
        return HTMLResponse(choice((), "Something went wrong; Airflow's log says what."), 500, HEADERS)

    @app.get("/reports/")
    def choose(request: Request, user: GetUserDep) -> Response:
        mine = [name for name in pipelines() if may_read(request, user, name)]
        if len(mine) == 1:
            return RedirectResponse(f"{mine[0]}/index.html", headers=HEADERS)
        message = "" if mine else "There is no pipeline whose DAGs you may see."
        return HTMLResponse(choice(with_reports(mine), message), headers=HEADERS)

    @app.get("/reports/{pipeline}/index.html")
    def history(pipeline: str, request: Request, user: GetUserDep) -> Response:
        check(request, user, pipeline)
        return send(
            pipeline, HISTORY_PAGE, "No report yet: the first labeling job or the first model makes one."
        )

    @app.get("/reports/{pipeline}/{training_job}/index.html")
    def round_page(pipeline: str, training_job: TrainingJob, request: Request, user: GetUserDep) -> Response:
        check(request, user, pipeline)
        return send(pipeline, report_page(training_job), f"{training_job} has no report yet.")

    @app.get("/reports/{pipeline}")
    @app.get("/reports/{pipeline}/")
    @app.get("/reports/{pipeline}/{training_job}")
    @app.get("/reports/{pipeline}/{training_job}/")
    def folder(request: Request, user: GetUserDep) -> Response:
        return RedirectResponse(f"{request.url.path.rstrip('/')}/index.html", headers=HEADERS)

    return app


def check(request: Request, user: Any, pipeline: str) -> None:
    """403 when the user may not see the pipeline's DAGs; 404 for a pipeline that has no file."""
    if pipeline not in pipelines():
        raise HTTPException(404, "There is no such pipeline.")
    requires_access_dag(method="GET", param_dag_id=dag_id("incremental_training", pipeline))(request, user)


def may_read(request: Request, user: Any, pipeline: str) -> bool:
    try:
        check(request, user, pipeline)
    except HTTPException:
        return False
    return True


def with_reports(names: Iterable[str]) -> Iterator[tuple[str, bool]]:
    """Each pipeline, and whether it has a report. Where S3 does not say, the pipeline's page tells why, and
    the others are not asked for: each would keep the reader waiting.
    """
    silent = False
    for name in names:
        try:
            if not silent:
                client, bucket = connect()
                client.head_object(Bucket=bucket, Key=f"{name}/{HISTORY_PAGE}")
            yield name, True
        except ClientError as error:
            yield name, error_code(error) not in MISSING
        except BotoCoreError:
            silent = True
            yield name, True


def connect() -> tuple[Any, str]:
    """S3, and the bucket of all pipelines."""
    environment = load_environment()
    hook = LoopAwsHook(AWS_CONN_ID, client_type="s3", region_name=environment.region, config=IMPATIENT)
    return hook.get_conn(), environment.bucket


def send(pipeline: str, location: str, missing: str) -> Response:
    """An object of the pipeline's folder, piece by piece: pages with pictures are of several megabytes."""
    client, bucket = connect()
    try:
        found = client.get_object(Bucket=bucket, Key=f"{pipeline}/{location}")
    except ClientError as error:
        if error_code(error) in MISSING:
            raise HTTPException(404, missing) from None
        raise HTTPException(502, f"The report could not be read: {error_code(error)}") from None
    except BotoCoreError as error:
        raise HTTPException(502, f"The report could not be read: {type(error).__name__}") from None
    length = {"Content-Length": str(found["ContentLength"])}
    return StreamingResponse(pieces(found["Body"]), media_type=HTML, headers=HEADERS | length)


def pieces(body: Any) -> Iterator[bytes]:
    try:
        yield from body.iter_chunks(CHUNK)
    finally:
        body.close()
