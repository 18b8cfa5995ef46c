"""Keyboards of other layouts: what a browser is told when a key at a place is pressed."""

from __future__ import annotations

from playwright.sync_api import CDPSession, Page

# What a key sends: its place, and what is printed there, plain and with Shift.
LAYOUTS = {
    layout: dict(key.split(":", 1) for key in keys.split())
    for layout, keys in {
        "US": """Digit1:1! Digit2:2@ Digit3:3# KeyZ:zZ KeyW:wW KeyN:nN
            BracketLeft:[{ BracketRight:]} Equal:=+ Minus:-_ Slash:/?""",
        "French": """Digit1:&1 Digit2:é2 Digit3:"3 KeyW:zZ KeyZ:wW KeyN:nN
            BracketLeft:^¨ BracketRight:$£ Equal:=+ Minus:)° KeyM:,?""",
        "Russian": """Digit1:1! Digit2:2" Digit3:3№ KeyZ:яЯ KeyW:цЦ KeyN:тТ
            BracketLeft:хХ BracketRight:ъЪ Equal:=+ Minus:-_ Digit7:7?""",
    }.items()
}
# What Option makes of the keys of a Mac.
MAC = {"KeyZ": "Ω", "KeyW": "∑", "KeyN": "Dead"}
_MODIFIERS = {"Alt": 1, "Ctrl": 2, "Meta": 4, "Shift": 8}


class Keyboard:
    """A keyboard with a layout, as the operating system tells the browser of it."""

    def __init__(self, page: Page, layout: str, option: bool = False) -> None:
        self._client: CDPSession = page.context.new_cdp_session(page)
        self._layout = LAYOUTS[layout]
        self._option = option

    def press(self, chord: str) -> None:
        """Press the key at a place: `Ctrl+KeyZ`."""
        *held, code = chord.split("+")
        key = self._layout[code]["Shift" in held]
        if self._option and "Alt" in held:
            key = MAC[code]
        if key == "^":
            key = "Dead"
        event = {"code": code, "key": key, "modifiers": sum(_MODIFIERS[name] for name in held)}
        self._client.send("Input.dispatchKeyEvent", {"type": "rawKeyDown", **event})
        self._client.send("Input.dispatchKeyEvent", {"type": "keyUp", **event})
