from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from include.local_cloud.signatures import Signature
from include.wire import Request

SECRET = "wJalrXUtnFEMI"
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=12)


def signed(service: str, method: str, url: str, body: bytes = b"", *, in_query: bool = False) -> Request:
    """The request as botocore signs and sends it."""
    authority = {True: S3SigV4QueryAuth, False: S3SigV4Auth if service == "s3" else SigV4Auth}[in_query]
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


def test_a_presigned_url_is_a_signature_with_an_end() -> None:
    request = signed("s3", "GET", "http://127.0.0.1:4566/bucket/a%20b.jpg", in_query=True)
    signature = Signature.of(request)
    assert signature is not None
    assert signature.expires == 3600
    assert signature.matches(request, SECRET)
    assert not signature.has_expired()


@pytest.mark.parametrize(
    "headers",
    [{}, {"authorization": "Bearer x"}, {"authorization": "AWS4-HMAC-SHA256 Credential=a/b"}],
)
def test_what_is_not_signed_is_not_signed(headers: dict[str, str]) -> None:
    assert Signature.of(Request("GET", "/", "", headers)) is None
