"""Where notices arrive in tests: a mail server, Slack's webhook and SNS, each on a port of its own."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs

PUBLISHED = b"""<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult>
<MessageId>0</MessageId></PublishResult><ResponseMetadata><RequestId>0</RequestId></ResponseMetadata>
</PublishResponse>"""


class Listener(socketserver.ThreadingTCPServer):
    """Keeps what arrives."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, handler: type[socketserver.BaseRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.mails: list[Message] = []
        self.posts: list[str] = []

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def slack_connection(self) -> str:
        """An Airflow connection to a webhook here, as an environment variable's value."""
        return json.dumps({"conn_type": "slackwebhook", "password": f"{self.url}/services/T0/B0/secret"})

    def smtp_connection(self) -> str:
        extra = {"disable_ssl": True, "disable_tls": True, "from_email": "nightloop@example.com"}
        return json.dumps({"conn_type": "smtp", "host": "127.0.0.1", "port": self.port, "extra": extra})

    def slack_texts(self) -> list[str]:
        return [json.loads(post)["text"] for post in self.posts]

    def sns_messages(self) -> list[dict[str, list[str]]]:
        return [parse_qs(post) for post in self.posts]


class Mailbox(socketserver.StreamRequestHandler):
    """As much SMTP as a mail needs (RFC 5321)."""

    server: Listener

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            verb = line[:4].upper()
            if verb == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                body = b"".join(iter(self.rfile.readline, b".\r\n"))
                self.server.mails.append(message_from_bytes(body))
            self.wfile.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 fine\r\n")
            if verb == b"QUIT":
                return


class Webhook(BaseHTTPRequestHandler):
    """Answers Slack's webhook and SNS alike: each client reads its own part."""

    server: Any

    def do_POST(self) -> None:
        self.server.posts.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
        body = b"ok" if self.path.startswith("/services/") else PUBLISHED
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def listening(handler: type[socketserver.BaseRequestHandler]) -> Iterator[Listener]:
    with Listener(handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()
