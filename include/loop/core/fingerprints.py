"""What an image is, and what it looks like: the two ways in which the loop recognises it again.

Takes an image in S3, gives the SHA-256 of those bytes (the same file) and a perceptual hash of its
stored pixels (the same picture: saved again, resized, brightened). lookalikes.py finds near-duplicates by it.

The hash is ImageHash's ``phash``: the signs of the 16 x 16 lowest frequencies of a grey copy of 64 x 64
pixels, 256 bits. Chosen on 2,300 scenes of the sample, all of them crops of only two photographs. Bits that
differ between

| | least | most |
|---|---|---|
| any two independent scenes (2,643,850 pairs) | 66 | |
| a scene and itself as JPEG of quality 60 (30) | | 8 (10) |
| resized to 50, 90, 110 % | | 6 |
| brighter or darker by 15 %, or by 20 levels of 255 | | 18 |
| darker, resized and of quality 60 at once | | 10 |
| one row and one column of pixels cut off | | 30 |

So up to 24 bits are a copy: far from the closest strangers. ``dhash`` (copies up to 79, strangers from 34),
``whash`` (up to 155, from 2) and a ``phash`` of 64 bits (up to 8, from 6) do not tell the two apart. Two
frames of a fixed camera are strangers (from 68) when other digits are on them, and copies when all that
changed is one object smaller than a twentieth of the side. Copies of very blurred pictures are missed, as
nothing is left to know them by: a miss harms less than a false alarm.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from include.loop.core.errors import BadRecord
from include.loop.core.images import read_image
from include.loop.core.storage import MOST_BYTES, Storage, error_code

HASH_SIDE = 16
HASH_BYTES = HASH_SIDE * HASH_SIDE // 8
NEAR_BITS = 24
DECODED_SIDE = 256  # pixels that are enough for a copy of 64
# Below this spread of grey levels (of 255) a picture has nothing on it to compare: every black frame looks
# like every other one, and still they are no copies.
FLAT = 1.0


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """``sha256`` of the bytes; ``phash`` of the pixels, both in hexadecimal. A flat picture has no phash."""

    sha256: str
    phash: str | None


def fingerprint(body: bytes) -> Fingerprint:
    """The fingerprint of an image's bytes. BadRecord when it cannot be decoded."""
    return look_at(body)[0]


def look_at(body: bytes) -> tuple[Fingerprint, tuple[int, int]]:
    """The same, and the image's width and height."""
    phash, size = see(body)
    return Fingerprint(hashlib.sha256(body).hexdigest(), phash), size


def see(body: bytes) -> tuple[str | None, tuple[int, int]]:
    """The picture's phash, and its width and height in stored pixels; BadRecord as above."""
    picture = read_image(body, "L", DECODED_SIDE)
    return _phash(picture.image), (picture.width, picture.height)


def read_fingerprint(
    storage: Storage, source: str, etag: str | None
) -> tuple[str, Fingerprint, tuple[int, int]]:
    """ETag, fingerprint, and width and height of a labelled image. BadRecord when training could not read it,
    or would read another picture than the one that got the label (which had this ``etag``, if that is known).
    """
    try:
        found = storage.find(source, most=MOST_BYTES)
    except ClientError as error:
        if error_code(error) != "NoSuchBucket":
            raise
        found = None
    if found is None:
        raise BadRecord("the image is gone")
    body, now = found
    if etag is not None and etag != now:
        raise BadRecord("the image was replaced after it was labelled")
    return now, *look_at(body)


def _phash(grey: Any) -> str | None:
    import imagehash
    from PIL import Image, ImageStat

    small = grey.resize((HASH_SIDE * 4, HASH_SIDE * 4), Image.Resampling.LANCZOS)
    if ImageStat.Stat(small).stddev[0] < FLAT:
        return None
    return str(imagehash.phash(small, hash_size=HASH_SIDE))
