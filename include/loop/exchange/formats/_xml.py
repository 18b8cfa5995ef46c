"""XML of strangers: without entities, DTDs from elsewhere, or more bytes than allowed; and XML for them."""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element, ParseError

import defusedxml.ElementTree as safe
from defusedxml import DefusedXmlException

from include.loop.core.errors import BadRecord
from include.loop.exchange.formats._values import shown

# What XML 1.0 has no way to write.
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
XML_ERRORS = (ParseError, DefusedXmlException, ValueError, LookupError)


def parse_xml(body: bytes) -> Element:
    """The root. BadRecord when it is not well formed or declares entities (they can unfold without end)."""
    try:
        root: Element = safe.fromstring(body)
        return root
    except XML_ERRORS as error:  # ValueError and LookupError: encodings that nobody has
        raise BadRecord(xml_reason(error)) from None


def xml_reason(error: Exception) -> str:
    if isinstance(error, DefusedXmlException):
        return "XML declares entities or refers to other files, which are not read"
    return f"not well-formed XML: {error}"


def xml_text(text: str) -> str:
    """The text, if XML can hold it. BadRecord otherwise."""
    if found := _UNWRITABLE.search(text):
        raise BadRecord(f"{shown(text)} has {found[0]!r} in it, which XML cannot hold")
    return text
