"""Uploads to the local cloud's S3: what arrives is what was signed, or nothing has happened.

Whoever catches a signed request on its way may send it with another body, another framing or half of it. The
object that was there stays, and none appears that was not.
"""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import zlib
from collections.abc import Iterator

import pytest

from include.wire.aws_chunked import SIGNED, SIGNED_TRAILER, UNSIGNED
from include.wire.sigv4 import Signature
from tests.support.cloud import LocalCloud
from tests.support.door import Door

_LARGE = 9 << 20  # more than is kept in memory while it comes


@pytest.fixture
def door(cloud: LocalCloud) -> Door:
    return Door(cloud)


@pytest.fixture
def old(cloud: LocalCloud, bucket: str) -> Iterator[str]:
    """A bucket where ``k`` is the only object and stays as it is."""
    s3 = cloud.client("s3")
    s3.put_object(Bucket=bucket, Key="k", Body=b"old")
    yield bucket
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"old"
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["k"]


def crc32(data: bytes) -> str:
    return base64.b64encode(zlib.crc32(data).to_bytes(4)).decode()


def streaming(door: Door, target: str, form: str, data: bytes, **headers: str) -> dict[str, str]:
    """The signed headers of an upload in chunks."""
    given = {
        "Host": door.host,
        "X-Amz-Content-SHA256": form,
        "X-Amz-Decoded-Content-Length": str(len(data)),
        "Content-Encoding": "aws-chunked",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    return door.sign_streaming("PUT", target, given)


def chunked(door: Door, cloud: LocalCloud, headers: dict[str, str], data: bytes, trailer: str = "") -> bytes:
    """A body of chunks of 64 KiB, signed one by one from the seed that ``headers`` carry."""
    seed = re.search("SignedHeaders=([^,]*), Signature=(.*)", headers["Authorization"])
    assert seed is not None
    day = headers["X-Amz-Date"][:8]
    signature = Signature("x", day, "us-east-1", "s3", (), seed[2], headers["X-Amz-Date"])
    secret, previous, body = cloud.keys()[1], seed[2], b""
    for start in range(0, len(data) + 65536, 65536):
        chunk = data[start : start + 65536]
        digests = f"{hashlib.sha256().hexdigest()}\n{hashlib.sha256(chunk).hexdigest()}"
        text = f"AWS4-HMAC-SHA256-PAYLOAD\n{signature.moment}\n{signature.scope}\n{previous}\n{digests}"
        previous = signature.sign(secret, text)
        body += f"{len(chunk):x};chunk-signature={previous}\r\n".encode() + chunk + b"\r\n" * bool(chunk)
    if trailer:
        digest = hashlib.sha256(f"{trailer}\n".encode()).hexdigest()
        text = f"AWS4-HMAC-SHA256-TRAILER\n{signature.moment}\n{signature.scope}\n{previous}\n{digest}"
        body += f"{trailer}\r\nx-amz-trailer-signature:{signature.sign(secret, text)}\r\n".encode()
    return body + b"\r\n"


@pytest.mark.parametrize("size", [4, _LARGE])
@pytest.mark.parametrize("key", ["k", "new"])
def test_another_body_than_the_signed_one_is_no_upload(door: Door, old: str, key: str, size: int) -> None:
    signed = door.sign("PUT", f"/{old}/{key}", body=b"m" * size)
    for body in (b"e" * size, b"", b"m" * (size - 1)):
        reply = door.ask("PUT", f"/{old}/{key}", signed | {"Content-Length": str(len(body))}, body)
        assert (reply.status, "XAmzContentSHA256Mismatch" in reply.text) == (400, True)


def test_nor_is_it_any_other_request(cloud: LocalCloud, door: Door, old: str) -> None:
    """DeleteObjects and CompleteMultipartUpload say in their bodies what they do."""
    for target, mine in (("?delete", b"<Delete><Object><Key>x</Key></Object></Delete>"), ("?cors", b"<C/>")):
        method = "POST" if target == "?delete" else "PUT"
        signed = door.sign(method, f"/{old}{target}", body=mine)
        reply = door.ask(method, f"/{old}{target}", signed, mine.replace(b"x", b"k") + b" ")
        assert (reply.status, "XAmzContentSHA256Mismatch" in reply.text) == (400, True)
    upload = cloud.client("s3").create_multipart_upload(Bucket=old, Key="k")["UploadId"]
    target = f"/{old}/k?partNumber=1&uploadId={upload}"
    reply = door.ask("PUT", target, door.sign("PUT", target, body=b"mine"), b"evil")
    assert reply.status == 400
    assert "Parts" not in cloud.client("s3").list_parts(Bucket=old, Key="k", UploadId=upload)
    cloud.client("s3").abort_multipart_upload(Bucket=old, Key="k", UploadId=upload)


@pytest.mark.parametrize(
    "stated", ["UNSIGNED-PAYLOAD", UNSIGNED, SIGNED, hashlib.sha256(b"evil").hexdigest(), "", "é"]
)
def test_the_digest_that_was_signed_is_the_one_that_counts(door: Door, old: str, stated: str) -> None:
    signed = door.sign("PUT", f"/{old}/k", body=b"mine")
    for headers in (
        {name: stated if name == "X-Amz-Content-SHA256" else value for name, value in signed.items()},
        {name: value for name, value in signed.items() if name != "X-Amz-Content-SHA256"},
    ):
        assert door.ask("PUT", f"/{old}/k", headers, b"evil").status == 403


@pytest.mark.parametrize(
    "stated", ["STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "STREAMING-X", "none", "0" * 63, "A" * 64]
)
def test_what_cannot_be_checked_is_refused(door: Door, old: str, stated: str) -> None:
    headers = streaming(door, f"/{old}/k", stated, b"x")
    reply = door.ask("PUT", f"/{old}/k", headers, b"1\r\nx\r\n0\r\n\r\n")
    assert (reply.status, "InvalidArgument" in reply.text) == (400, True)


def test_checksums_are_held_against_the_body(door: Door, old: str) -> None:
    md5 = base64.b64encode(hashlib.md5(b"other", usedforsecurity=False).digest()).decode()
    for name, value, code in (
        ("Content-MD5", md5, "BadDigest"),
        ("Content-MD5", "x", "InvalidDigest"),
        ("x-amz-checksum-crc32", crc32(b"other"), "BadDigest"),
        ("x-amz-checksum-sha256", base64.b64encode(hashlib.sha256(b"other").digest()).decode(), "BadDigest"),
    ):
        reply = door.call("PUT", f"/{old}/k", {name: value}, body=b"mine")
        assert (reply.status, code in reply.text) == (400, True), name


@pytest.mark.parametrize("form", [SIGNED, SIGNED_TRAILER])
def test_chunks_are_checked_one_by_one(cloud: LocalCloud, door: Door, old: str, form: str) -> None:
    data = bytes(range(256)) * 600
    trailer = f"x-amz-checksum-crc32:{crc32(data)}" if form == SIGNED_TRAILER else ""
    announced = {"x-amz-trailer": "x-amz-checksum-crc32"} if trailer else {}
    headers = streaming(door, f"/{old}/big", form, data, **announced)
    body = chunked(door, cloud, headers, data, trailer)
    for changed, code in (
        (body.replace(b"\x01\x02\x03", b"\x01\x02\x04", 1), "SignatureDoesNotMatch"),
        (body.replace(b"chunk-signature=", b"chunk-signature=0", 1), "IncompleteBody"),
        (re.sub(rb";chunk-signature=[0-9a-f]*", b"", body), "SignatureDoesNotMatch"),
        (body[: body.index(b"\r\n0;") + 2] + b"0\r\n\r\n", "SignatureDoesNotMatch"),
    ):
        assert code in door.ask("PUT", f"/{old}/big", headers, changed).text
    assert door.ask("HEAD", f"/{old}/big", door.sign("HEAD", f"/{old}/big")).status == 404

    assert door.ask("PUT", f"/{old}/big", headers, body).status == 200
    found = cloud.client("s3").get_object(Bucket=old, Key="big")
    assert found["Body"].read() == data
    assert "aws-chunked" not in found.get("ContentEncoding", "")
    cloud.client("s3").delete_object(Bucket=old, Key="big")


def test_unsigned_chunks_are_held_against_their_checksum(cloud: LocalCloud, door: Door, old: str) -> None:
    """As botocore sends them over https: signed is that they are not, the checksum follows the body."""
    headers = streaming(door, f"/{old}/new", UNSIGNED, b"mine", x_amz_trailer="x-amz-checksum-crc32")
    for body in (
        f"4\r\nevil\r\n0\r\nx-amz-checksum-crc32:{crc32(b'mine')}\r\n\r\n",
        f"5\r\nmines\r\n0\r\nx-amz-checksum-crc32:{crc32(b'mines')}\r\n\r\n",  # longer than was signed
        "4\r\nmine\r\n0\r\n\r\n",  # without the checksum that was announced
        f"4\r\nmine\r\n0\r\nx-amz-checksum-crc32:{crc32(b'mine')}\r\nx-amz-copy-source:/{old}/k\r\n\r\n",
        f"4\r\nmine\r\n0\r\nx-amz-checksum-crc32:{crc32(b'mine')}\r\nx-amz-acl:public-read\r\n\r\n",
        "4\r\nmine\r\n",
        "mine",
    ):
        reply = door.ask("PUT", f"/{old}/new", headers, body.encode())
        assert (reply.status, bool(re.search("BadDigest|IncompleteBody", reply.text))) == (400, True), body
    copying = streaming(door, f"/{old}/new", UNSIGNED, b"mine", x_amz_trailer="x-amz-copy-source")
    body = f"4\r\nmine\r\n0\r\nx-amz-copy-source:/{old}/k\r\n\r\n"
    assert door.ask("PUT", f"/{old}/new", copying, body.encode()).status == 400

    body = f"4\r\nmine\r\n0\r\nx-amz-checksum-crc32:{crc32(b'mine')}\r\n\r\n"
    assert door.ask("PUT", f"/{old}/new", headers, body.encode()).status == 200
    assert cloud.client("s3").get_object(Bucket=old, Key="new")["Body"].read() == b"mine"
    cloud.client("s3").delete_object(Bucket=old, Key="new")


@pytest.mark.parametrize("stated", ["UNSIGNED-PAYLOAD", UNSIGNED])
def test_half_an_upload_is_none(cloud: LocalCloud, door: Door, old: str, stated: str) -> None:
    """No digest was signed here, so nothing but the end of the connection says that it is half."""
    signed = streaming(door, f"/{old}/k", stated, b"x" * 100000)
    lines = [f"{name}: {value}" for name, value in (signed | {"Content-Length": "100020"}).items()]
    head = "\r\n".join([f"PUT /{old}/k HTTP/1.1", *lines, "", ""]).encode()
    host, port = door.host.split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(head + b"186a0\r\n" + b"x" * 50000)
    s3 = cloud.client("s3")
    for _ in range(5):
        assert s3.get_object(Bucket=old, Key="k")["Body"].read() == b"old"


def test_who_may_not_upload_need_not_send(door: Door, old: str) -> None:
    """The signature is checked before the body is asked for: 100 Continue is for those who may."""
    lines = f"Host: {door.host}\r\nContent-Length: {1 << 40}\r\nExpect: 100-continue\r\nConnection: close\r\n"
    received = door.raw(f"PUT /{old}/k HTTP/1.1\r\n{lines}\r\n".encode())
    assert received.startswith(b"HTTP/1.1 403 ")
    assert b"100 Continue" not in received


def test_a_copy_needs_a_signed_source(cloud: LocalCloud, door: Door, old: str) -> None:
    signed = door.sign("PUT", f"/{old}/new", body=b"")
    reply = door.ask("PUT", f"/{old}/new", signed | {"x-amz-copy-source": f"/{old}/k"})
    assert (reply.status, "x-amz-copy-source" in reply.text) == (403, True)
    reply = door.ask("PUT", f"/{old}/new?x-amz-copy-source=/{old}/k", signed)
    assert reply.status == 403


def test_a_form_is_no_upload(door: Door, old: str) -> None:
    """S3's POST policies are signed in the form itself: nobody here needs them."""
    form = b'--b\r\nContent-Disposition: form-data; name="key"\r\n\r\nk\r\n--b--\r\n'
    reply = door.ask("POST", f"/{old}", {"Content-Type": "multipart/form-data; boundary=b"}, form)
    assert (reply.status, "not signed" in reply.text) == (403, True)


def test_a_compressed_request_is_bounded(door: Door) -> None:
    """64 MiB of zeros in 64 KiB: refused before they are there."""
    packer = zlib.compressobj(9, wbits=31)
    bomb = packer.compress(bytes(64 << 20)) + packer.flush()
    headers = {"Content-Encoding": "gzip", "X-Amz-Target": "Logs_20140328.PutLogEvents"}
    for body, why in ((bomb, "no whole gzip of up to"), (bomb[:100], "no whole gzip"), (b"none", "not gzip")):
        reply = door.call("POST", "/", headers, body=body, service="logs")
        assert (reply.status, why in reply.text) == (400, True)
