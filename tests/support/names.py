"""Names that people and machines give to objects: S3 takes any text of up to 1,024 bytes."""

from __future__ import annotations

import unicodedata

# Each pair or group would be one name if somebody tidied it, cut it or compared its end alone.
MEETING: tuple[str, ...] = ("sub/x", "sub//x", "/sub/x", "a/1", "b/a/1", "x.out", "x.out/y")
MEETING += tuple(unicodedata.normalize(form, "é") for form in ("NFC", "NFD"))
# Ends of lines, of lists and of addresses; what HTML, a shell, a path or a log would take for something.
ODD = (
    *("a\nb", "a\rb", "a\r\nb", "a\tb", "a\vb\fc\x1cd", "a\u2028b\u2029c\x85d", "\x01\x1f\x7f"),
    *(
        " ",
        " a ",
        "\"'`",
        "#?a=b&c;d",
        "%2F%00",
        "+p+",
        "<script>",
        "{{ x }}",
        "$(id);*",
        "~",
        "a\\b",
        "a:b|c",
    ),
    *("😀👩‍👩‍👧", "\u202egpj", "x" * 252),
)
# Parts that browsers take out of an address.
DOTTED = ("./x", "../x", "a/../x")


def long_name(room: int) -> str:
    """A name of so many bytes, in parts."""
    return "y/" * (room // 4) + "z" * (room - 2 * (room // 4))
