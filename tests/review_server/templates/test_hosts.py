"""What a task's page may load besides: hosts that an owner allows, presigned addresses, granted documents."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from include.review_server.__main__ import main
from include.review_server.s3_location import S3Location
from include.review_server.templates.documents import presigned, with_links
from include.review_server.templates.frame_policy import frame_headers
from include.review_server.templates.host_names import parse_host
from include.review_server.templates.hosts import MOST_HOSTS, TemplateHosts
from tests.review_server.rig import Rig
from tests.support.cloud import ROOT

GRANTED = "https://s3.example/b/page%20one.pdf?X-Amz-Signature=1&b=2"


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("cdn.example.org", "cdn.example.org"),
        (" https://CDN.example.org/ ", "cdn.example.org"),
        ("cdn.example.org:8443", "cdn.example.org:8443"),
        ("cdn.example.org:443", "cdn.example.org"),
    ],
)
def test_a_host_is_a_full_name_and_perhaps_a_port(text: str, host: str):
    assert parse_host(text) == host


@pytest.mark.parametrize(
    "text",
    [
        "", "*", "*.example.org", "http://cdn.example.org", "https:", "cdn.example.org.", "cdn", "https://",
        "cdn.example.org/path", "cdn.example.org; script-src *", "cdn.example.org:0", "cdn.example.org:70000",
        "a@cdn.example.org", "cdn.example.org other.example", "x" * 300 + ".org", "'unsafe-eval'",
    ],
)  # fmt: skip
def test_anything_else_is_no_host(text: str):
    with pytest.raises(ValueError, match=r"write a full name such as cdn\.example\.org"):
        parse_host(text)


@pytest.mark.parametrize(
    "text",
    [
        "localhost", "localhost:8443", "localhost.", "LOCALHOST..", "foo.localhost", "https://foo.localhost./",
        "printer.local", "router.lan", "db.internal:8443", "nas.home.arpa", "127.0.0.1", "10.0.0.1:8443",
        "127.0.0.1.", "127.1", "0x7f.1", "0x7F000001", "2130706433", "0177.0.0.1", "cdn.example.0x1", "[::1]",
        "[::1]:8443", "[::ffff:127.0.0.1]", "[fe80::1%25eth0]", "https://[::1]/",
    ],
)  # fmt: skip
def test_what_leads_to_the_own_machine_or_network_is_refused_by_that_name(text: str):
    with pytest.raises(ValueError, match="leads to the machine or the network of whoever opens the page"):
        parse_host(text)


def test_an_allowed_host_gives_images_scripts_styles_and_no_requests():
    policy = frame_headers("https://portal/c/", [], ["cdn.example.org"])["Content-Security-Policy"]
    parts = dict(part.split(" ", 1) for part in policy.split("; ") if " " in part)
    open_to = {name for name, sources in parts.items() if "cdn.example.org" in sources}
    assert open_to == {"script-src", "style-src", "img-src", "font-src"}
    assert "example.org" not in frame_headers("https://portal/c/", [])["Content-Security-Policy"]


def test_hosts_are_allowed_for_one_template_by_the_command_and_withdrawn(
    rig: Rig, capsys: pytest.CaptureFixture[str]
):
    name, other = rig.name("ui"), rig.name("ui")
    for ui in (name, other):
        rig.sagemaker.create_human_task_ui(HumanTaskUiName=ui, UiTemplate={"Content": f"<p>{ui}</p>"})
    hosts = TemplateHosts(rig.review.database, rig.review.accounts._clock)
    options = ["--database", rig.review.settings.database]
    assert main(["template", "hosts", name, "--allow", "cdn.example.org", *options]) == 0
    assert "cdn.example.org\tallowed by the operator" in capsys.readouterr().out
    assert main(["template", "hosts", name, "--allow", "*.example.org", *options]) == 1
    assert main(["template", "hosts", "no-such", *options]) == 1
    assert hosts.for_text(f"<p>{name}</p>") == ["cdn.example.org"]
    assert hosts.for_text(f"<p>{other}</p>") == hosts.for_text("<p>another</p>") == []
    assert main(["template", "hosts", name, "--withdraw", "cdn.example.org", *options]) == 0
    assert hosts.for_text(f"<p>{name}</p>") == []
    for number in range(MOST_HOSTS):
        hosts.allow(name, f"h{number}.example.org")
    with pytest.raises(ValueError, match="withdraw one first"):
        hosts.allow(name, "more.example.org")


@pytest.mark.parametrize(
    ("element", "shown"),
    [
        ('<iframe src="{}" width="9">no</iframe>', "<a href="),
        ("<object data='{}'><p>no</p></object>", "<a href="),
        ('<embed src="{}">', "<a href="),
        ('<iframe src="{}">', "<a href="),
    ],
)
def test_a_granted_document_becomes_a_link_that_opens_in_a_new_tab(element: str, shown: str):
    page = "<p>before</p>" + element.format(GRANTED.replace("&", "&amp;"))
    linked = with_links(page, {GRANTED})
    assert linked.startswith("<p>before</p>" + shown)
    assert 'target="_blank" rel="noopener noreferrer">Open the document page one.pdf in a new tab' in linked
    assert GRANTED.replace("&", "&amp;") in linked
    foreign = element.format("https://other.example/x.pdf")
    assert with_links(foreign, {GRANTED}) == foreign
    image = element.format("https://s3.example/b/x.png")
    assert '<img src="https://s3.example/b/x.png" alt="x.png"' in with_links(
        image, {"https://s3.example/b/x.png"}
    )


def test_a_presigned_address_is_admitted_for_objects_that_the_loop_may_show(rig: Rig):
    bucket, elsewhere = rig.bucket(), rig.bucket()
    access, store = rig.review.access, rig.review.access._store
    inside, outside = (store.signed_url(S3Location(name, "pics/a b.jpg")) for name in (bucket, elsewhere))
    beside = store.signed_url(S3Location(bucket, "secret/x.jpg"))
    foreign = "https://s3.example.org/" + inside.split("/", 3)[3]
    page = "".join(f'<img src="{url.replace("&", "&amp;")}">' for url in (inside, outside, beside, foreign))
    assert presigned(page) == [inside, outside, beside, foreign]
    # The object that the input itself names is named by its address as well.
    for task_input in ({"image": f"s3://{bucket}/pics/x.jpg"}, {"url": inside}):
        grant = access.for_loop(json.dumps(task_input), f"s3://{rig.bucket()}/out")
        grant.admit([inside, outside, beside, foreign, "javascript:alert(1)"])
        assert grant.granted == [inside.partition("?")[0]]


def test_the_bench_ends_with_1_for_errors_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    file = tmp_path / "t.html"

    def check(inner: str, *options: str) -> tuple[int, list[str]]:
        file.write_text(f"<crowd-form><crowd-input name='a'></crowd-input>{inner}</crowd-form>")
        status = main(["template", "check", str(file), "--json", *options])
        return status, [found["severity"] for found in json.loads(capsys.readouterr().out)["findings"]]

    assert check("") == (0, [])
    assert check("<img src='https://cdn.example.org/a.png'>") == (0, ["warning"])
    script = "<script src='https://cdn.example.org/a.js'></script>"
    assert check(script) == (1, ["error"])
    assert check(script, "--allow", "cdn.example.org") == (0, [])
    assert check("<iframe src=\"{{ 's3://docs/a.pdf' | grant_read_access }}\"></iframe>") == (0, ["hint"])


@pytest.mark.process
def test_the_bench_runs_a_template_in_chromium(tmp_path: Path):
    file, sample = tmp_path / "t.html", tmp_path / "i.json"
    file.write_text(
        "<crowd-form><crowd-input name='a' value='{{ task.input.x }}'></crowd-input>"
        "<img src='https://cdn.example.org/a.png'></crowd-form><script>noSuchFunction()</script>"
    )
    sample.write_text('{"x": "y"}')
    # A program of its own, as people run it: in this process Playwright closed what pytest writes to.
    command = [sys.executable, "-m", "include.review_server", "template", "check", str(file)]
    ended = subprocess.run(
        [*command, "--input", str(sample), "--browser", "--json"], cwd=ROOT, capture_output=True, text=True
    )
    assert ended.returncode == 1, ended.stderr
    report = json.loads(ended.stdout)
    assert report["browser"]["answer"] == {"a": "y"}
    assert "crowd-input" in report["browser"]["elements"]
    messages = [found["message"] for found in report["findings"]]
    assert any("noSuchFunction" in message for message in messages)
    assert any("cdn.example.org" in message for message in messages)
