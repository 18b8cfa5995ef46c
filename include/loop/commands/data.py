"""``data``: what people have as labels, and what becomes of it. Its commands are those of ``PARTS``."""

from __future__ import annotations

from typing import Any

from include.loop.commands import exchange, manifests, packing, splitting

# In the order in which --help tells them.
PARTS = (exchange, packing, manifests, splitting)


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "data",
        help="bring labels in and out; look into, check and divide them",
        description="Labels of other tools, in and out; what a manifest holds, whether a pipeline can learn "
        "it, and its division into one to learn from and one to measure with.",
    )
    inner = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for module in PARTS:
        module.add(inner)
