/** A question over the frame, which keeps the work below as it is: what went wrong, and what can be done. */

import { say } from "./portal.js";

const cover = document.getElementById("cover");

/** @typedef {[label: string, act: () => void, stay?: "stay"]} Action */

/** @param {string} heading @param {string} text @param {Action[]} actions the first is the likely one */
export function ask(heading, text, actions) {
  for (const dialog of /** @type {NodeListOf<HTMLDialogElement>} */ (document.querySelectorAll("dialog[open]"))) dialog.close();
  document.getElementById("cover-heading").textContent = heading;
  document.getElementById("cover-text").textContent = text;
  document.getElementById("cover-actions").replaceChildren(
    ...actions.map(([label, act, stay], index) => {
      const button = document.createElement("button");
      button.textContent = label;
      if (index === 0) button.className = "primary";
      button.addEventListener("click", () => {
        if (!stay) uncover();
        act();
      });
      return button;
    }),
  );
  cover.hidden = false;
  reachable(false);
  say("");
  cover.querySelector("button").focus();
}

export function uncover() {
  cover.hidden = true;
  reachable(true);
}

export const isCovered = () => !cover.hidden;

/** Not by `inert`: a click into a frame that has just ceased to be inert can miss. The cover itself keeps clicks away. */
function reachable(is) {
  const frame = document.getElementById("frame");
  for (const [name, value] of [["tabindex", "-1"], ["aria-hidden", "true"]]) {
    if (is) frame.removeAttribute(name);
    else frame.setAttribute(name, value);
  }
}
