/** Keys that are pressed while the focus is in the bar: Ctrl+Enter submits, the others are the task's. */

import { chordOf } from "../../components/core/key-name.js";
import { isCovered } from "./cover.js";
import { isField } from "./portal.js";

// The browser's own keys, and those that press what has the focus, stay with the bar.
const STAY = ["Enter", " ", "Tab", "Shift", "Control", "Alt", "Meta", "CapsLock", "F5", "F11", "F12"];
const WITH_CTRL = ["Ctrl+z", "Ctrl+y", "Ctrl+Shift+z"];

/** @param {import("./desk.js").Desk} desk @param {{submit: () => void, active: import("./clock.js").ActiveTime}} page */
export function listenToKeys(desk, { submit, active }) {
  document.addEventListener("keydown", (event) => {
    active.note();
    if (event.defaultPrevented || isCovered() || desk.isPeeking) return;
    if (document.querySelector("dialog[open]") || isField(event.target)) return;
    const { code, key, ctrlKey: ctrl, altKey: alt, shiftKey: shift, metaKey: meta } = event;
    if (key === "Enter" && (ctrl || meta)) {
      event.preventDefault();
      // Held down, a key repeats: it submitted once.
      if (!event.repeat) submit();
      return;
    }
    if (STAY.includes(key) || alt || ((ctrl || meta) && !WITH_CTRL.includes(chordOf(event)))) return;
    event.preventDefault();
    desk.current.tell("key", { code, key, ctrl, alt, shift, meta });
  });
}
