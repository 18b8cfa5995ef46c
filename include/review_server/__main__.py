"""``python -m include.review_server``: run the review server alone, or manage the people who answer."""

from __future__ import annotations

import argparse
import json
import logging
import os
import socket
import sys
from pathlib import Path

from include.review_server import private_files
from include.review_server.api.api_keys import ApiKeys
from include.review_server.app import create_review
from include.review_server.clock import utc_now
from include.review_server.db.database import Database
from include.review_server.errors import DatabaseAway
from include.review_server.people.accounts import INVITATION_HOURS, Accounts
from include.review_server.settings import READ_PREFIXES, ReviewSettings, read_prefixes
from include.review_server.templates.bench import add_commands
from include.wire import listening


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except DatabaseAway as away:
        print(f"error: the database {away.why}", file=sys.stderr)
        return 1
    except (LookupError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m include.review_server",
        description="Amazon Augmented AI's API for boto3 clients, and the people who answer.",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="run the server", description="Run the server.")
    _data_options(serve)
    serve.add_argument("--port", type=int, default=4567, help="0: any free port (default: %(default)s)")
    serve.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on; anything but this machine belongs behind TLS (default: %(default)s)",
    )
    serve.add_argument("--public-url", help="where browsers reach the server (default: host and port)")
    serve.add_argument(
        "--s3-endpoint-url", metavar="URL", help="an S3 other than Amazon's (default: real S3)"
    )
    serve.add_argument("--region", default="us-east-1", help="Region in ARNs and signatures (%(default)s)")
    serve.add_argument("--account-id", default="000000000000", help="account in ARNs (%(default)s)")
    serve.add_argument(
        "--api-keys",
        type=Path,
        metavar="FILE",
        help="keys that API callers sign with, as an AWS credentials file of mode 0600 (default: "
        "DIR/api-keys, made with one random key when it is missing)",
    )
    serve.add_argument(
        "--events-to",
        metavar="TARGET",
        help="tell of every loop's end: the URL of an SQS queue, which gets A2I's documented event, or the "
        "name or ARN of an event bus, where its source is nightloop.sagemaker (default: nobody)",
    )
    serve.add_argument(
        "--events-endpoint-url", metavar="URL", help="where that bus is (default: AWS's own EventBridge)"
    )
    serve.add_argument(
        "--trusted-proxies",
        default="127.0.0.1,::1",
        metavar="LIST",
        help="addresses and networks of proxies, with commas between: only what these say in X-Forwarded-For "
        "and X-Forwarded-Proto is believed; '' for none (default: %(default)s)",
    )
    serve.add_argument(
        "--read-prefix",
        action="append",
        default=[],
        metavar="S3-URI",
        help="s3://bucket/prefix/ below which any template may show objects, besides what its own loop names "
        f"and where its flow definition writes; may be repeated (also by the variable {READ_PREFIXES})",
    )
    serve.set_defaults(run=_serve)

    add_commands(commands)
    members = commands.add_parser("members", help="add, list, reset and remove the people who answer")
    actions = members.add_subparsers(title="actions", required=True, metavar="ACTION")
    add = actions.add_parser("add", help="put a person in a work team; a new one gets a password, shown once")
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
    for action in (add, invite):
        action.add_argument("--team", help="name of the work team; it may be created later")
        action.add_argument("--owner", action="store_true", help="may also see how the work goes")
    reset = actions.add_parser("reset", help="give a member a new password, shown once")
    for action in (add, reset):
        action.add_argument("name", help="what the person signs in with")
        action.add_argument(
            "--credentials",
            type=Path,
            metavar="FILE",
            help="write the password to this JSON file (mode 0600) instead of showing it",
        )
    remove = actions.add_parser("remove", help="take a person out of a team, or out of all")
    remove.add_argument("name")
    which = remove.add_mutually_exclusive_group()
    which.add_argument("--team", help="only out of this team")
    which.add_argument("--owner", action="store_true", help="only out of the owners")
    listing = actions.add_parser("list", help="who is in which team")
    listing.add_argument("--json", action="store_true", help="for machines")
    for action, run in (
        (add, _add),
        (invite, _invite),
        (reset, _reset),
        (remove, _remove),
        (listing, _list),
    ):
        _data_options(action)
        action.set_defaults(run=run)
    _api_keys_options(commands.add_parser("api-keys", help="list, add and revoke the keys of API callers"))
    return parser


def _api_keys_options(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="names and ids, no secrets")
    add = actions.add_parser("add", help="make a key for a caller; it goes into the file only")
    add.add_argument("name", help="the caller; also the profile's name in the file")
    revoke = actions.add_parser("revoke", help="take a key away, also from a server that is running")
    revoke.add_argument("name", help="name or access key id")
    for action, run in ((listing, _list_keys), (add, _add_key), (revoke, _revoke_key)):
        _data_options(action)
        action.add_argument("--api-keys", type=Path, metavar="FILE", help="default: DIR/api-keys")
        action.set_defaults(run=run)


def _data_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", type=Path, default=Path("review-data"), metavar="DIR", help="data directory (%(default)s)"
    )
    parser.add_argument(
        "--database",
        metavar="URL",
        default=os.environ.get("NIGHTLOOP_REVIEW_DATABASE"),
        help="SQLAlchemy URL, for instance postgresql+psycopg://… (default: DIR/review.db; also by the "
        "variable NIGHTLOOP_REVIEW_DATABASE, which keeps a password out of the process list)",
    )


def _serve(options: argparse.Namespace) -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for chatty in ("alembic", "botocore"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((options.host, options.port))
        address = f"http://{options.host}:{listener.getsockname()[1]}"
        review = create_review(
            ReviewSettings(
                data_dir=options.data,
                database_url=options.database,
                s3_endpoint_url=options.s3_endpoint_url,
                region=options.region,
                account_id=options.account_id,
                public_url=options.public_url or address,
                api_keys=options.api_keys,
                events_to=options.events_to,
                events_endpoint_url=options.events_endpoint_url,
                trusted_proxies=tuple(part.strip() for part in options.trusted_proxies.split(",") if part),
                read_prefixes=(*options.read_prefix, *read_prefixes(os.environ)),
            )
        )
        review.start()
        listener.listen(512)
        print(f"review server ready: {address}", flush=True)
        listening.Server(review.asgi, review.settings.trusted_proxies).run(sockets=[listener])
    return 0


def _add(options: argparse.Namespace) -> int:
    member, password = _accounts(options).add(options.name, options.team, options.owner)
    if password is None and options.credentials and member.name not in _kept(options.credentials):
        raise ValueError(
            f"{member.name} is a member already, and {options.credentials} does not have the password: "
            "make a new one with `members reset`"
        )
    if password is None:
        print(f"{member.name} was a member already and keeps the password; teams: {', '.join(member.teams)}")
    else:
        _hand_over(member.name, password, options.credentials)
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


if __name__ == "__main__":
    # Whatever is made, answers and keys are in it: for nobody else on this machine.
    os.umask(0o077)
    sys.exit(main())
