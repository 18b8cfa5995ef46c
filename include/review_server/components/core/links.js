/**
 * Links of a template. The frame's sandbox opens no tabs and lets nothing leave, so a link that a person follows is
 * handed to the page around the frame, which opens it in a tab of its own. What a script clicks is left alone.
 */

import { tell } from "./bridge.js";

/** Hand links on from now on. */
export function handOnLinks() {
  // Last of all: a template that does something else with a click has prevented it by then.
  window.addEventListener("click", (event) => {
    if (!event.isTrusted || event.defaultPrevented) return;
    const link = event.composedPath().find((node) => node instanceof HTMLAnchorElement || node instanceof HTMLAreaElement);
    if (!(link instanceof HTMLAnchorElement || link instanceof HTMLAreaElement)) return;
    if (link.protocol !== "https:" && link.protocol !== "http:") return;
    if (link.href.split("#")[0] === location.href.split("#")[0]) return; // a place in this page
    event.preventDefault();
    tell("open", { url: link.href });
  });
}
