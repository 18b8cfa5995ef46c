"""The headers that confine a template's page: what it may load, and that nothing leaves it.

Takes the addresses it may load from, gives the headers without which it must not be sent. The portal's
frames and the bench of the command line share them. Content-Security-Policy says what is loaded by which
element; Connection-Allowlist, where the browser knows it, holds for everything that opens a connection,
WebRTC, hints and navigation included.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

# No popups: the frame hands a link that a person followed to the page around it (core/links.js).
SANDBOX_WORDS = "allow-scripts allow-forms"
SANDBOX = f"sandbox {SANDBOX_WORDS}"


# Nothing of the machine and nothing of the person.
_NO_DEVICES = ", ".join(
    f"{feature}=()"
    for feature in (
        "accelerometer", "camera", "clipboard-read", "display-capture", "geolocation",
        "gyroscope", "hid", "idle-detection", "local-fonts", "magnetometer", "microphone", "midi", "payment",
        "publickey-credentials-get", "screen-wake-lock", "serial", "storage-access", "usb",
        "xr-spatial-tracking",
    )
)  # fmt: skip


def frame_headers(components: str, granted: Sequence[str], hosts: Sequence[str] = ()) -> dict[str, str]:
    """For a page that loads from the folder ``components`` and the addresses ``granted``, and nowhere else.

    A path must match exactly unless it ends with a slash, so the neighbours of a granted object stay out of
    reach. From ``hosts``, which an owner has allowed, come images, scripts, styles and their fonts as well;
    nothing else, and no requests of scripts.
    """
    addresses = dict.fromkeys(granted)
    media = " ".join(addresses) or "'none'"
    allowed = [f"https://{host}" for host in hosts]
    also = "".join(f" {host}" for host in allowed)
    return _headers(
        [
            f"script-src {components} 'unsafe-inline'{also}",
            f"style-src {components} 'unsafe-inline'{also}",
            f"img-src {' '.join(addresses)} data: blob:{also}",
            *([f"font-src{also}"] if also else []),
            f"media-src {media}",
            f"connect-src {media}",
            # Without it, workers would be judged by script-src.
            "worker-src 'none'",
        ],
        [components, *addresses, *allowed],
    )


def message_headers() -> dict[str, str]:
    """For a page that runs nothing and loads nothing."""
    return _headers([], [])


def _headers(sources: list[str], addresses: list[str]) -> dict[str, str]:
    policy = [
        SANDBOX,
        "default-src 'none'",
        *sources,
        "form-action 'none'",
        "base-uri 'none'",
        # The page's own origin: the sandbox makes the document's opaque, not that of its address.
        "frame-ancestors 'self'",
        # In the standard, and in no browser yet (Chromium 156 names it unknown in the console).
        "webrtc 'block'",
    ]
    origins = dict.fromkeys(f'"{_origin(address)}"' for address in addresses)
    return {
        "Content-Security-Policy": "; ".join(policy),
        "Connection-Allowlist": f"({' '.join(origins)})",
        "Permissions-Policy": _NO_DEVICES,
        "X-DNS-Prefetch-Control": "off",
        "X-Content-Type-Options": "nosniff",
        # Signed URLs and tickets stay out of everybody's logs.
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"
