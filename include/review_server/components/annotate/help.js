/** The list of keys, made of the tables that the keyboard reads; here a person gives an act another key. */

import { h } from "../core/dom.js";
import { chordOf, chordText } from "../core/key-name.js";

/**
 * @param {import("../core/keymap.js").Keymap} keymap
 * @param {string[][]} fixed what cannot be changed: keys, what they do
 * @param {() => void} left called when it is closed
 */
export function keysDialog(keymap, fixed, left) {
  /** The act that waits for its new key. @type {string | null} */
  let waiting = null;
  const said = h("p", { class: "said", style: "margin: 0", role: "status", "aria-live": "polite" });
  const rows = h("tbody");
  const close = h("button", { type: "button", class: "button", onclick: () => dialog.close() }, "Close");
  const dialog = h("dialog", { "aria-label": "Keys of the task", onclose: left },
    h("h2", { style: "margin-top: 0" }, "Keys of the task"),
    said,
    h("table", { class: "keys" }, rows),
    h("div", { class: "ends" },
      close,
      h("button", { type: "button", class: "button plain", onclick: reset }, "Reset all keys")));
  dialog.addEventListener("keydown", take);

  function show() {
    rows.replaceChildren(...fixed.map(([keys, text]) => row(keys, text)), ...keymap.acts.map((act) =>
      row(keymap.keysOf(act).map(chordText).join(", "), act.text, h("button", {
        type: "button", class: "button plain change", "aria-pressed": String(waiting === act.id), "data-act": act.id,
        "aria-label": `Change the key for: ${act.text}`, onclick: () => ask(act.id),
      }, waiting === act.id ? "Press a key…" : "Change"))));
  }

  function ask(id) {
    waiting = id;
    said.textContent = "Press the new key, or Escape to leave it as it is.";
    show();
    rows.querySelector(`[data-act="${id}"]`).focus();
  }

  function take(event) {
    if (!waiting) return;
    const chord = chordOf(event);
    if (!chord || /(?:^|\+)(?:Shift|Control|Alt|Meta|AltGraph)$/.test(chord)) return;
    event.preventDefault();
    event.stopPropagation();
    const id = waiting;
    if (chord === "Escape") {
      waiting = null;
      said.textContent = "";
    } else {
      const refused = keymap.assign(id, chord);
      said.textContent = refused ? `${chordText(chord)} ${refused}` : `${chordText(chord)} it is.`;
      if (!refused) waiting = null;
    }
    show();
    rows.querySelector(`[data-act="${id}"]`).focus();
  }

  function reset() {
    keymap.reset();
    waiting = null;
    said.textContent = "All keys are what they were at first.";
    show();
  }

  return {
    dialog,
    open() {
      waiting = null;
      said.textContent = "";
      show();
      dialog.showModal();
      // Else the first "Change", which may be out of sight.
      close.focus();
    },
  };
}

function row(keys, text, change = null) {
  return h("tr", {}, h("th", { scope: "row" }, h("kbd", {}, keys)), h("td", {}, text), h("td", {}, change));
}
