"""What kind of file some bytes are, told from the first of them: no decoder is started for that.

Takes the bytes, gives ``JPEG``, ``PNG``, another format's name, or None. Read are JPEG and PNG only: the two
that SageMaker's object detection documents (image/jpeg, image/png), every browser shows and Pillow decodes.
WebP, GIF, AVIF and BMP are left out because the built-in algorithm does not promise them, TIFF and JPEG 2000
because browsers do not show them. The photographs that telephones call MPO are JPEG files with more behind
their end.
"""

from __future__ import annotations

READ = ("JPEG", "PNG")

_STARTS: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"II\xbc", "JPEG XR"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"BM", "BMP"),
    (b"%!PS", "PostScript"),
    (b"\xc5\xd0\xd3\xc6", "PostScript"),
    (b"%PDF", "PDF"),
    (b"8BPS", "Photoshop"),
    (b"\0\0\1\0", "ICO"),
    (b"\x76\x2f\x31\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"SIMPLE  =", "FITS"),
    (b"DDS ", "DDS"),
    (b"qoif", "QOI"),
    (b"\x8aMNG", "MNG"),
    (b"\x8bJNG", "JNG"),
    (b"PK\3\4", "ZIP"),
    (b"\x1f\x8b", "gzip"),
    *((b"P%d" % kind + blank, "PPM") for kind in range(1, 8) for blank in (b"\n", b" ", b"\r", b"\t", b"#")),
)
_BRANDS = {b"avif": "AVIF", b"avis": "AVIF"} | dict.fromkeys(
    (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"), "HEIC"
)


def name(body: bytes) -> str | None:
    """The format's name; None when the first bytes are no known ones."""
    for start, format in _STARTS:
        if body.startswith(start):
            return format
    if body.startswith(b"RIFF") and body[8:12] == b"WEBP":
        return "WebP"
    if body[4:8] == b"ftyp":
        # HEIC and AVIF may both call themselves "mif1" first, and say more in the list behind it.
        brands = [body[at : at + 4] for at in (8, *range(16, 64, 4))]
        known = [_BRANDS[brand] for brand in brands if brand in _BRANDS]
        return "AVIF" if "AVIF" in known else known[0] if known else "MP4"
    if body[128:132] == b"DICM":
        return "DICOM"
    text = body[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<svg", b"<?xml")) and b"<svg" in text:
        return "SVG"
    return "HTML" if text.startswith((b"<!doctype html", b"<html")) else None
