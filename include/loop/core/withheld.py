"""An image that is there and that S3 does not give: archived, or closed to whoever asks.

Takes the location of an image that others have written, gives its bytes, or a BadRecord whose reason says
what to do. S3 says both in GetObject's error (API reference, GetObject): ``InvalidObjectState`` is the state
of this one object. ``AccessDenied`` is the object's own matter (of another account, under a key of KMS that
is not ours to use), or that of the permissions, and then it is said of every object: one answer does not
tell which, and whoever reads many has to (nightly/looks.py).
"""

from __future__ import annotations

from botocore.exceptions import ClientError

from include.loop.core.errors import BadRecord
from include.loop.core.storage import Storage, error_code

ARCHIVED = "InvalidObjectState"
DENIED = "AccessDenied"
# KMS.DisabledException and its like: the object's key is disabled, is to be deleted, or is none for this.
OF_KMS = "KMS."
# But for those of a moment: S3 hands on that KMS has too much to do, or did not answer. Trying again helps.
OF_A_MOMENT = ("Throttl", "RateExceeded", "Timeout", "Internal", "Unavailable")


class Denied(BadRecord):
    """Whoever asks may not read the image."""


def find_image(storage: Storage, image: str, most: int) -> tuple[bytes, str] | None:
    """Bytes and ETag, or None when there is no such object. BadRecord for what is archived or has more than
    ``most`` bytes, ``Denied`` for what may not be read.
    """
    try:
        return storage.find(image, most=most)
    except ClientError as error:
        raise (why_withheld(error) or error) from None


def why_withheld(error: ClientError) -> BadRecord | None:
    """What an error of GetObject says of the object; None for an error that says nothing of it."""
    code, told = error_code(error), str(error.response.get("Error", {}).get("Message", ""))
    if code == ARCHIVED:
        kind = error.response.get("StorageClass") or error.response.get("Error", {}).get("StorageClass")
        return BadRecord(
            f"the object is archived{f' ({kind})' if kind else ''}: nobody can read it before it is restored "
            "(aws s3api restore-object)"
        )
    if code.startswith(OF_KMS) and not any(word in code for word in OF_A_MOMENT):
        return Denied(f"the key that the object is encrypted with cannot be used ({code}: {told})")
    if code != DENIED:
        return None
    if "kms:" in told or "ciphertext" in told:  # as S3 says it now, and as it said it before
        return Denied(
            "the object is encrypted with a key that may not be used here: allow kms:Decrypt on that key "
            f"({code}: {told})"
        )
    return Denied(f"the object may not be read here ({code}): allow s3:GetObject on it")
