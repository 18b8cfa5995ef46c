"""The report pages in Airflow's own API server: what a person sees, and who sees nothing."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.config import Config
from fastapi.testclient import TestClient

from tests.airflow.place import Place

JOB = "digits-train-0123456789-1"
HTML = "text/html; charset=utf-8"
PAGE = b"<!doctype html><title>a round</title>"


@pytest.fixture(scope="module")
def server(airflow_database: None) -> Iterator[TestClient]:
    """Airflow's API server as it starts: with the plugins that it finds by itself."""
    from airflow.api_fastapi.app import create_app

    with TestClient(create_app(apps="core"), follow_redirects=False) as client:
        yield client


def token(role: str | None) -> str:
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    return str(get_auth_manager().generate_jwt(SimpleAuthManagerUser(username="ada", role=role)))


def get(server: TestClient, path: str, role: str | None = "viewer") -> Any:
    """As a browser asks: the sign-in is a cookie."""
    server.cookies.set("_token", token(role))
    try:
        return server.get(f"/nightloop/reports{path}")
    finally:
        server.cookies.clear()


@pytest.fixture
def told(place: Place) -> Place:
    place.put("reports/index.html", b"<!doctype html><title>all rounds</title>")
    place.put(f"reports/{JOB}/index.html", PAGE)
    place.put("reports/facts.json", b"{}")
    place.put("champion.json", b"{}")
    return place


def test_a_signed_in_person_reads_a_round_and_the_history(server: TestClient, told: Place) -> None:
    reply = get(server, f"/{told.name}/{JOB}/index.html")
    assert (reply.status_code, reply.content) == (200, PAGE)
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert "all rounds" in get(server, f"/{told.name}/index.html").text


def test_a_page_can_run_nothing_and_load_nothing(server: TestClient, told: Place) -> None:
    for path in ("/", f"/{told.name}/index.html", f"/{told.name}/{JOB}/index.html", "/nothing"):
        headers = get(server, path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'; img-src data:;"), path
        assert "script-src" not in headers["content-security-policy"], path
        assert headers.get("content-type", HTML) == HTML, path  # a redirect has none
        assert headers["content-security-policy"].endswith("sandbox allow-same-origin"), path
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["x-frame-options"] == "SAMEORIGIN", path
        assert headers["cross-origin-resource-policy"] == "same-origin", path
        assert headers["cache-control"] == "private, no-cache", path


@pytest.mark.parametrize("path", ["/", "/{}/index.html", "/{}/" + JOB + "/index.html", "/{}", "/{}/" + JOB])
def test_nobody_reads_without_signing_in(server: TestClient, told: Place, path: str) -> None:
    reply = server.get(f"/nightloop/reports{path.format(told.name)}")
    assert reply.status_code == 401
    assert "Sign in to Airflow" in reply.text
    assert "<title>a" not in reply.text  # neither "a round" nor "all rounds"
    server.cookies.set("_token", "not.a.token")
    assert server.get(f"/nightloop/reports{path.format(told.name)}").status_code in (401, 403)
    server.cookies.clear()


def test_who_may_not_see_the_dags_sees_no_report(server: TestClient, told: Place) -> None:
    assert get(server, f"/{told.name}/index.html", role=None).status_code == 403
    assert "no pipeline whose DAGs you may see" in get(server, "/", role=None).text


def test_short_addresses_lead_to_the_pages(server: TestClient, told: Place) -> None:
    for folder in (f"/{told.name}", f"/{told.name}/{JOB}"):
        for path in (folder, f"{folder}/"):
            reply = get(server, path)
            assert reply.status_code == 307
            assert reply.headers["location"].endswith(f"/nightloop/reports{folder}/index.html")


def test_the_menu_leads_to_the_pipelines(server: TestClient, told: Place) -> None:
    text = get(server, "/").text
    assert f'href="{told.name}/index.html"' in text
    assert "--ink" in text  # in the reports' own style


def test_a_pipeline_without_a_report_is_named_and_not_linked(server: TestClient, told: Place) -> None:
    key = f"{told.name}/reports/index.html"
    told.s3.delete_object(Bucket=told.bucket, Key=key)
    text = get(server, "/").text
    assert f"{told.name}: no report yet" in text
    assert "href=" not in text.partition("<main>")[2]


@pytest.mark.parametrize(
    "path",
    [
        "/{}/../champion.json",
        "/{}/%2e%2e/champion.json",
        "/{}/..%2f..%2fchampion.json/index.html",
        "/{}/%2e%2e%2f%2e%2e/index.html",
        "/{}/facts.json",
        "/{}/digits-train-0-1/facts.json",
        "/%2e%2e/index.html",
        "/somebody-else/index.html",
        "/{}/no-such-job/index.html",
        "/{}/%252e%252e/index.html",
        "/{}/..%5c..%5cchampion.json/index.html",
        "/{}/" + JOB + "%00/index.html",
        "/{}/" + JOB + "%0d%0aSet-Cookie:x=1/index.html",
        "/s3:%2f%2fanother-bucket%2freports/index.html",
        "/%2fetc%2fpasswd/index.html",
        "//elsewhere.test/index.html",
    ],
)
def test_nothing_but_pages_can_be_asked_for(server: TestClient, told: Place, path: str) -> None:
    reply = get(server, path.format(told.name))
    assert reply.status_code in (307, 404), reply.text
    if reply.status_code == 307:  # the address of a round that has no page
        assert get(server, reply.headers["location"].partition("/reports")[2]).status_code == 404


def test_a_report_that_cannot_be_read_says_why(
    server: TestClient, told: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    told.environment_settings["bucket"] = "no-such-bucket"
    told.save()
    reply = get(server, f"/{told.name}/index.html")
    assert reply.status_code == 502
    assert "NoSuchBucket" in reply.text


def test_a_bucket_that_cannot_be_reached_is_told_and_soon_given_up(
    server: TestClient, told: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pages are read by threads that Airflow's own API needs: nothing waits for a minute here."""
    from nightloop.report_pages import IMPATIENT

    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, and never answers
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        extra = {"region_name": "us-east-1", "endpoint_url": endpoint}
        connection = {"conn_type": "aws", "login": "key", "password": "secret", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
        monkeypatch.setattr("nightloop.report_pages.IMPATIENT", IMPATIENT.merge(Config(read_timeout=0.2)))
        reply = get(server, f"/{told.name}/index.html")
    assert (reply.status_code, reply.headers["x-content-type-options"]) == (502, "nosniff")
    assert "could not be read: ReadTimeoutError" in reply.text
    assert IMPATIENT.retries["max_attempts"] * (IMPATIENT.connect_timeout + IMPATIENT.read_timeout) <= 60


def test_no_error_of_ours_shows_its_inside(told: Place, server: TestClient) -> None:
    (told.config / "environments" / "local.yaml").write_text("secret: [")
    quiet = TestClient(server.app, raise_server_exceptions=False, follow_redirects=False)
    reply = get(quiet, f"/{told.name}/index.html")
    assert (reply.status_code, reply.headers["x-frame-options"]) == (500, "SAMEORIGIN")
    assert "secret" not in reply.text


def test_airflow_lists_the_menu_entry(server: TestClient) -> None:
    reply = server.get("/api/v2/plugins", headers={"Authorization": f"Bearer {token('admin')}"})
    [plugin] = [plugin for plugin in reply.json()["plugins"] if plugin["name"] == "nightloop"]
    [view] = plugin["external_views"]
    assert (view["name"], view["href"]) == ("Nightloop reports", "/nightloop/reports/")
    assert [app["url_prefix"] for app in plugin["fastapi_apps"]] == ["/nightloop"]
