"""``python -m include.review_server api-keys``: list, add and revoke the keys of API callers."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from include.review_server.api.api_keys import ApiKeys
from include.review_server.settings import ReviewSettings


def add_commands(commands: Any, data_options: Callable[[argparse.ArgumentParser], None]) -> None:
    """Put ``api-keys`` among the commands of a parser. ``data_options`` adds --data and --database."""
    parser = commands.add_parser("api-keys", help="list, add and revoke the keys of API callers")
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="names and ids, no secrets")
    adding = actions.add_parser("add", help="make a key for a caller; it goes into the file only")
    adding.add_argument("name", help="the caller; also the profile's name in the file")
    revoke = actions.add_parser("revoke", help="take a key away, also from a server that is running")
    revoke.add_argument("name", help="name or access key id")
    for action, run in ((listing, _list_keys), (adding, _add_key), (revoke, _revoke_key)):
        data_options(action)
        action.add_argument("--api-keys", type=Path, metavar="FILE", help="default: DIR/api-keys")
        action.set_defaults(run=run)


def _list_keys(options: argparse.Namespace) -> int:
    for key in _api_keys(options).all():
        print(f"{key.name}\t{key.id}")
    return 0


def _add_key(options: argparse.Namespace) -> int:
    keys = _api_keys(options)
    key = keys.add(options.name)
    print(f"{key.name}: {key.id}; use it with AWS_SHARED_CREDENTIALS_FILE={keys.path} AWS_PROFILE={key.name}")
    return 0


def _revoke_key(options: argparse.Namespace) -> int:
    key = _api_keys(options).revoke(options.name)
    print(f"{key.name}: {key.id} is revoked")
    return 0


def _api_keys(options: argparse.Namespace) -> ApiKeys:
    return ApiKeys(ReviewSettings(data_dir=options.data, api_keys=options.api_keys).api_keys_file)
