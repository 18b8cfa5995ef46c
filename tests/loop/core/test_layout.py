from __future__ import annotations

import inspect

from include.loop.core import layout


def test_every_kind_of_file_has_a_key_of_its_own() -> None:
    """Two kinds at one key would overwrite each other."""
    kinds = [
        function
        for name, function in inspect.getmembers(layout, inspect.isfunction)
        if not name.startswith(("_", "is_", "named_", "folder_of", "batch_folders"))
        and function.__module__ == layout.__name__
    ]
    keys = [
        kind(*(3 if p == "number" else "x" for p in inspect.signature(kind).parameters)) for kind in kinds
    ]
    assert len(set(keys)) == len(keys) > 30
