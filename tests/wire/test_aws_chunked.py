"""The chunked form of S3's uploads, by AWS's own published example and by everything that is not it."""

from __future__ import annotations

import pytest

from include.wire import AwsError
from include.wire.aws_chunked import SIGNED, SIGNED_TRAILER, UNSIGNED, Decoder, Seal
from include.wire.sigv4 import Signature

# The examples of the S3 API reference: 65 KiB of "a" in two chunks, without and with a trailing checksum.
_DATA = (b"a" * 65536, b"a" * 1024, b"")
_PLAIN = (
    "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
    "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
    "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
    "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
)
_WITH_TRAILER = (
    "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
    "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
    "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
    "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
)
_TRAILER = (
    b"x-amz-checksum-crc32c:sOO8/Q==\r\n"
    b"x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n"
)


def decoder(form: str, seed: str = "0" * 64, announced: str = "") -> Decoder:
    signature = Signature(
        "AKIAIOSFODNN7EXAMPLE", "20130524", "us-east-1", "s3", ("host",), seed, "20130524T000000Z"
    )
    seal = Seal(signature, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    return Decoder(form, frozenset(filter(None, [announced])), seal)


def sealed(signatures: tuple[str, ...], trailer: bytes = b"") -> bytes:
    chunks = zip(_DATA, signatures[1:], strict=True)
    framed = (
        b"%x;chunk-signature=%s\r\n%s" % (len(d), s.encode(), d + b"\r\n" * (d != b"")) for d, s in chunks
    )
    return b"".join(framed) + trailer + b"\r\n"


@pytest.mark.parametrize("size", [1, 7, 65536, 10**6])
def test_the_published_examples_are_read_in_pieces_of_any_size(size: int) -> None:
    for form, signatures, trailer, announced in (
        (SIGNED, _PLAIN, b"", ""),
        (SIGNED_TRAILER, _WITH_TRAILER, _TRAILER, "x-amz-checksum-crc32c"),
    ):
        reader, body = decoder(form, signatures[0], announced), sealed(signatures, trailer)
        assert b"".join(reader.feed(body[i : i + size]) for i in range(0, len(body), size)) == b"".join(_DATA)
        assert reader.is_done
        assert reader.trailers == ({announced: "sOO8/Q=="} if announced else {})


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        (b"aaaa\r\n400;", b"aaab\r\n400;"),
        (_PLAIN[2].encode(), _PLAIN[1].encode()),
        (b"400;chunk-signature=" + _PLAIN[2].encode(), b"400"),
    ],
    ids=["another byte", "another chunk's signature", "no signature"],
)
def test_a_chunk_that_is_not_the_signed_one_is_refused(was: bytes, becomes: bytes) -> None:
    body = sealed(_PLAIN)
    assert was in body
    with pytest.raises(AwsError, match="SignatureDoesNotMatch"):
        decoder(SIGNED, _PLAIN[0]).feed(body.replace(was, becomes, 1))


def test_a_trailing_checksum_that_is_not_the_signed_one_is_refused() -> None:
    for trailer in (_TRAILER.replace(b"sOO8", b"sOO9"), _TRAILER.split(b"\r\n")[0] + b"\r\n"):
        with pytest.raises(AwsError, match="SignatureDoesNotMatch"):
            decoder(SIGNED_TRAILER, _WITH_TRAILER[0], "x-amz-checksum-crc32c").feed(
                sealed(_WITH_TRAILER, trailer)
            )


@pytest.mark.parametrize(
    "body",
    [
        b"5\r\nabcdef\r\n0\r\n\r\n",  # longer than it says
        b"-5\r\nabcde\r\n0\r\n\r\n",
        b"\r\n",
        b"5;x=y\r\nabcde\r\n0\r\n\r\n",
        "٥\r\nabcde\r\n0\r\n\r\n".encode(),
        b"f" * 13 + b"\r\n",
        b"0" * 2000,
        b"0\r\nno colon\r\n\r\n",
        b"0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n",  # not announced
        b"0\r\n\r\nmore",
        b"0\r\n" + b"".join(b"x%d:y\r\n" % i for i in range(20)) + b"\r\n",
    ],
)
def test_framing_that_is_none_is_refused(body: bytes) -> None:
    with pytest.raises(AwsError, match="malformed"):
        decoder(UNSIGNED).feed(body)


def test_only_checksums_may_trail() -> None:
    """A trailing header is not signed: as any other header it would decide what the request does."""
    with pytest.raises(AwsError, match="only checksums"):
        decoder(UNSIGNED, announced="x-amz-copy-source").feed(b"0\r\nx-amz-copy-source:/b/secret\r\n\r\n")


def test_a_body_that_ends_early_is_not_done() -> None:
    reader = decoder(UNSIGNED)
    assert reader.feed(b"5\r\nabcde\r\n0\r\n") == b"abcde"
    assert not reader.is_done
