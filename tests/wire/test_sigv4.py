"""AWS's signature: what botocore signs is accepted, and nothing else is."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from urllib.parse import urlsplit

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from include.wire import Request
from include.wire.sigv4 import Signature

SECRET = "wJalrXUtnFEMI"
_NOW = partial(datetime.now, UTC)
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=12)


def signed(service: str, method: str, url: str, body: bytes = b"", *, in_query: bool = False) -> Request:
    """The request as botocore signs and sends it."""
    authority = {
        ("s3", True): S3SigV4QueryAuth,
        ("s3", False): S3SigV4Auth,
        ("sagemaker", True): SigV4QueryAuth,
        ("sagemaker", False): SigV4Auth,
    }[service, in_query]
    request = AWSRequest(method=method, url=url, data=body, headers={"X-Amz-Meta-A": "  one   two "})
    request.context["payload_signing_enabled"] = True
    authority(Credentials("AKIAEXAMPLE", SECRET), service, "us-east-1").add_auth(request)
    sent = request.prepare()
    parts = urlsplit(sent.url)
    headers = {name.lower(): value for name, value in sent.headers.items()}
    return Request(method, parts.path, parts.query, headers | {"host": parts.netloc}, body)


@given(
    st.lists(TEXT, max_size=3), st.dictionaries(TEXT.filter(bool), TEXT, max_size=3), st.binary(max_size=9)
)
@pytest.mark.parametrize("service", ["s3", "sagemaker"])
def test_what_botocore_signs_is_accepted(
    service: str, path: list[str], query: dict[str, str], body: bytes
) -> None:
    from urllib.parse import quote, urlencode

    encoded = "/".join(quote(part, safe="~") for part in ["b", *path])
    url = f"http://127.0.0.1:4566/{encoded}"
    if query:
        url += "?" + urlencode(query, quote_via=quote)
    if service != "s3" and any(part in ("", ".", "..") for part in path):
        return  # botocore tidies such paths before it signs them; no operation has one
    request = signed(service, "PUT", url, body)
    signature = Signature.of(request)
    assert signature is not None
    assert (signature.key_id, signature.service) == ("AKIAEXAMPLE", service)
    assert signature.matches(request, SECRET)
    assert not signature.matches(request, SECRET + "x")


def test_every_signed_part_counts() -> None:
    sound = signed("sagemaker", "POST", "http://h:1/human-loops/a?x=1", b"body")
    signature = Signature.of(sound)
    assert signature is not None
    for method, path, query, body in (
        ("PUT", sound.path, sound.query, sound.body),
        (sound.method, "/human-loops/b", sound.query, sound.body),
        (sound.method, sound.path, "x=2", sound.body),
        (sound.method, sound.path, sound.query, b"other"),
    ):
        assert not signature.matches(Request(method, path, query, sound.headers, body), SECRET)


@pytest.mark.parametrize("service", ["s3", "sagemaker"])
def test_a_presigned_url_is_a_signature_with_an_end(service: str) -> None:
    request = signed(service, "GET", "http://127.0.0.1:4566/bucket/a%20b.jpg", in_query=True)
    signature = Signature.of(request)
    assert signature is not None
    assert signature.expires == 3600
    assert signature.matches(request, SECRET)
    assert signature.is_timely(_NOW())
    assert not signature.is_timely(_NOW() + timedelta(seconds=3601))


@pytest.mark.parametrize(
    "headers",
    [{}, {"authorization": "Bearer x"}, {"authorization": "AWS4-HMAC-SHA256 Credential=a/b"}],
)
def test_what_is_not_signed_is_not_signed(headers: dict[str, str]) -> None:
    assert Signature.of(Request("GET", "/", "", headers)) is None


def test_a_body_is_not_what_a_header_says_it_is() -> None:
    """Else a caught request would carry any other body: the header is signed, the body is not looked at."""
    sound = signed("sagemaker", "POST", "http://h:1/human-loops", b"body")
    stated = dict(sound.headers) | {"x-amz-content-sha256": hashlib.sha256(b"body").hexdigest()}
    signature = Signature.of(sound)
    assert signature is not None
    assert not signature.matches(Request("POST", sound.path, sound.query, stated, b"other"), SECRET)


def test_signatures_are_timely_for_a_quarter_of_an_hour_in_both_directions() -> None:
    signature = Signature.of(signed("sagemaker", "GET", "http://h:1/human-loops/a"))
    assert signature is not None
    assert signature.signed_at is not None
    for minutes, timely in ((0, True), (15, True), (-15, True), (15.1, False), (-15.1, False)):
        assert signature.is_timely(signature.signed_at + timedelta(minutes=minutes)) is timely
    for moment in ("", "yesterday", "20200101T000000Z"):
        assert not replace(signature, moment=moment).is_timely(_NOW())


def test_what_decides_and_is_not_signed_is_named() -> None:
    sound = signed("sagemaker", "POST", "http://h:1/")
    signature = Signature.of(sound)
    assert signature is not None
    assert signature.unsigned_headers(sound) == []
    added = dict(sound.headers) | {"x-amz-target": "SageMaker.DeleteFlowDefinition", "accept": "*/*"}
    assert signature.unsigned_headers(replace(sound, headers=added)) == ["x-amz-target"]
    assert replace(signature, headers=("x-amz-date",)).unsigned_headers(sound) == ["host", "x-amz-meta-a"]
