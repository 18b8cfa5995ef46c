"""``python -m include.review_server members``: add, invite, list, reset and remove the people who answer.

Works on the server's database, also while the server runs. A password is shown once, or handed over in a file
of mode 0600.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from include.review_server import private_files
from include.review_server.clock import utc_now
from include.review_server.db.database import Database
from include.review_server.people.accounts import INVITATION_HOURS, Accounts
from include.review_server.settings import ReviewSettings


def add_commands(commands: Any, data_options: Callable[[argparse.ArgumentParser], None]) -> None:
    """Put ``members`` among the commands of a parser. ``data_options`` adds --data and --database."""
    members = commands.add_parser("members", help="add, list, reset and remove the people who answer")
    actions = members.add_subparsers(title="actions", required=True, metavar="ACTION")
    joining = actions.add_parser(
        "add", help="put people in a work team; each new one gets a password, shown once"
    )
    joining.add_argument("names", nargs="+", metavar="NAME", help="what each person signs in with")
    invite = actions.add_parser(
        "invite",
        help="put a person in a work team and make a link by which they set their own password, once",
    )
    invite.add_argument("name", help="what the person will sign in with")
    invite.add_argument(
        "--public-url",
        default="http://127.0.0.1:4567",
        help="where browsers reach the server (default: %(default)s)",
    )
    for action in (joining, invite):
        action.add_argument("--team", help="name of the work team; it may be created later")
        action.add_argument("--owner", action="store_true", help="may also see how the work goes")
    reset = actions.add_parser("reset", help="give a member a new password, shown once")
    reset.add_argument("name", help="what the person signs in with")
    for action in (joining, reset):
        action.add_argument(
            "--credentials",
            type=Path,
            metavar="FILE",
            help="write passwords to this JSON file (mode 0600) instead of showing them",
        )
    remove = actions.add_parser("remove", help="take a person out of a team, or out of all")
    remove.add_argument("name")
    which = remove.add_mutually_exclusive_group()
    which.add_argument("--team", help="only out of this team")
    which.add_argument("--owner", action="store_true", help="only out of the owners")
    listing = actions.add_parser("list", help="who is in which team")
    listing.add_argument("--json", action="store_true", help="for machines")
    for action, run in (
        (joining, _add),
        (invite, _invite),
        (reset, _reset),
        (remove, _remove),
        (listing, _list),
    ):
        data_options(action)
        action.set_defaults(run=run)


def _add(options: argparse.Namespace) -> int:
    accounts = _accounts(options)
    for name in options.names:
        member, password = accounts.add(name, options.team, options.owner)
        if password is not None:
            _hand_over(member.name, password, options.credentials)
            continue
        if options.credentials and member.name not in _kept(options.credentials):
            raise ValueError(
                f"{member.name} is a member already, and {options.credentials} does not have the password: "
                "make a new one with `members reset`"
            )
        print(f"{member.name} was a member already and keeps the password; teams: {', '.join(member.teams)}")
    return 0


def _invite(options: argparse.Namespace) -> int:
    member, token = _accounts(options).invite(options.name, options.team, options.owner)
    # In the fragment, which browsers do not send: the secret is in no server's log.
    print(f"{member.name} sets a password here, once, within {INVITATION_HOURS} hours:")
    print(f"{options.public_url.rstrip('/')}/welcome#{token}")
    return 0


def _reset(options: argparse.Namespace) -> int:
    member, password = _accounts(options).reset(options.name)
    _hand_over(member.name, password, options.credentials)
    return 0


def _remove(options: argparse.Namespace) -> int:
    accounts = _accounts(options)
    if options.owner:
        accounts.demote(options.name)
    else:
        accounts.remove(options.name, options.team)
    return 0


def _list(options: argparse.Namespace) -> int:
    members = _accounts(options).members()
    if options.json:
        rows = [
            {"worker_id": m.worker_id, "name": m.name, "teams": list(m.teams), "owner": m.is_owner}
            for m in members
        ]
        print(json.dumps(rows, indent=2))
    else:
        for member in members:
            role = " (owner)" if member.is_owner else ""
            print(f"{member.name}{role}\t{member.worker_id}\t{', '.join(member.teams)}")
    return 0


def _accounts(options: argparse.Namespace) -> Accounts:
    settings = ReviewSettings(data_dir=options.data, database_url=options.database)
    if options.database is None and not (options.data / "review.db").exists():
        told = f"No server has used {options.data} yet: a new database is made there. Is --data the server's?"
        print(told, file=sys.stderr)
    database = Database(settings.database)
    database.upgrade()
    return Accounts(database, utc_now)


def _hand_over(name: str, password: str, file: Path | None) -> None:
    if file is None:
        print(f"{name} signs in with this password, which is not shown again:\n{password}")
        return
    passwords = _kept(file) | {name: password}
    workers = [{"name": name, "password": password} for name, password in passwords.items()]
    private_files.write(file, json.dumps({"workers": workers}, indent=2))
    print(f"{name}: the password is in {file}")


def _kept(file: Path) -> dict[str, str]:
    """The passwords that a credentials file has, by name."""
    workers = json.loads(file.read_text())["workers"] if file.exists() else []
    return {worker["name"]: worker["password"] for worker in workers}
