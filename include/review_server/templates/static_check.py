"""What is wrong with a template whatever its input, for its owner: told when work with it begins.

Takes a template's text, gives findings. Nothing is rendered: Liquid is read, and the HTML around it.
"""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches

from liquid.exceptions import LiquidError

from include.review_server.templates import elements
from include.review_server.templates.blocked import blocked
from include.review_server.templates.check import foreign_images, not_done, structure
from include.review_server.templates.findings import Finding, Severity, in_order
from include.review_server.templates.liquid import Templates
from include.review_server.templates.marked import marked
from include.review_server.templates.places import Places


def static_check(text: str, hosts: Collection[str] = ()) -> list[Finding]:
    """The errors of a template and what the browser will block of it, by line."""
    templates = Templates(lambda location: location.uri)
    try:
        used, known = templates.filters(text), templates.known_filters
    except LiquidError as error:
        context = error.context()
        return [Finding("liquid", str(error).split("\n")[0], context[0] if context else None)]
    except RecursionError:
        return [Finding("liquid", "the template is nested too deeply")]
    findings = []
    for name, line in used.items():
        if name not in known:
            near = get_close_matches(name.replace("-", "_"), known, 1, 0.7)
            message = f"unknown filter {name!r}: the task cannot be shown"
            findings.append(Finding("liquid", message + (f"; {near[0]!r} is one" if near else ""), line))
    html = Places(marked(text)).html
    found = list(elements.tags(html))
    # Of two branches only one is shown: what stands twice here may stand once there.
    findings += [finding for finding in structure(found) if finding.severity is Severity.ERROR]
    findings += foreign_images(found, hosts)
    findings += not_done(found)
    findings += blocked(found, html, hosts)
    return [finding for finding in in_order(findings) if finding.severity is not Severity.HINT]
