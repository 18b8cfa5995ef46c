/**
 * What stands around every stage: header, toolbar with zoom, instructions, classes, the spoken status and the help.
 * It reads the element and calls its acts; it keeps no state of its own.
 */

import { h } from "../core/dom.js";
import { instructionsPanel } from "../layout/instructions.js";
import { keysDialog } from "./help.js";
import { lightOf } from "./light.js";

/**
 * Build it, once.
 * @param {import("./image-stage.js").ImageStage} element
 * @param {ShadowRoot} root
 * @param {{fixed: string[][], tools: any[], last?: any[], side?: any[]}} parts the help's rows that cannot be changed (keys,
 *   what they do); tools before and after those of the zoom; what stands below the classes
 */
export function frame(element, root, { fixed, tools, last = [], side = [] }) {
  const header = h("h2", { class: "head" });
  const zoomed = h("output", { class: "zoom", "aria-label": "Zoom" });
  const zoom = (factor) => () => {
    if (factor) element.view.zoom(factor);
    else element.view.fit();
    element.redraw();
  };
  const help = keysDialog(element.keymap, fixed, () => element.focusStage());
  const palette = h("div", { class: "palette", role: "group", "aria-label": "Classes" });
  const status = h("div", { class: "seen-by-readers", role: "status", "aria-live": "polite" });
  const waiting = h("div", { class: "waiting", role: "status" });
  const hint = h("span");
  const position = h("span", { class: "position" });
  const light = lightOf(element.image, root, (text) => element.say(text), () => element.focusStage());
  element.stage.append(waiting);
  root.append(
    header,
    h("div", { class: "columns" },
      h("div", { class: "main" },
        h("div", { class: "tools", role: "toolbar", "aria-label": "Tools" },
          ...tools, gap(), tool("−", "Zoom out (−)", zoom(0.8)), zoomed, tool("+", "Zoom in (+)", zoom(1.25)),
          tool("Fit", "Show the whole image (F)", zoom(0)), gap(), ...last, light.button, h("span", { class: "fill" }),
          tool("Keys ?", "Show all keys (?)", () => help.open())),
        light.panel, element.stage, h("div", { class: "foot" }, hint, position)),
      h("div", { class: "side" }, instructionsPanel(element), h("section", { class: "classes" }, h("h3", {}, "Classes"), palette), ...side)),
    status, help.dialog);

  return {
    palette, light,
    header: (text) => (header.textContent = text),
    waiting: (text) => (waiting.textContent = text),
    hint: (text) => (hint.textContent = text),
    /** @param {number | null} scale null before the image is there */
    zoom: (scale) => show(zoomed, scale ? `${Math.round(scale * 100)} %` : ""),
    position: (at) => show(position, at ? `${Math.floor(at.x)}, ${Math.floor(at.y)}` : ""),
    help: () => help.open(),
    say(text) {
      // The same words twice are only spoken again when the text changes.
      status.textContent = status.textContent === text ? `${text}\u00a0` : text;
    },
  };
}

/** Text that is the same does not have the page laid out again. */
function show(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** A button of the toolbar. */
export function tool(text, title, act) {
  return h("button", { type: "button", class: "tool", title, "aria-label": title, onclick: act }, text);
}

export function gap() {
  return h("span", { class: "gap" });
}

/**
 * The button of a class.
 * @param {any} element
 * @param {{label: string, name?: string, index: number, chosen: boolean, count: string, counted: string}} what `name`:
 *   the label before people; `counted`: `count` as a screen reader says it
 */
export function classButton(element, { label, name = label, index, chosen, count, counted }) {
  return h("button", {
    type: "button", class: "class", "data-key": `class ${label}`, "aria-pressed": String(chosen),
    onclick: () => element.chooseLabel(label),
  },
  h("span", { class: "swatch", style: `background: ${element.colour(label)}` }),
  h("span", { class: "text" }, name),
  count ? h("span", { class: "count", "aria-label": counted }, count) : null,
  element.keys[index] ? h("kbd", { "aria-hidden": "true" }, element.keys[index]) : null);
}

/** Rebuild a list without taking the keyboard's place in it away. */
export function keepingFocus(list, rebuild) {
  const focused = list.getRootNode().activeElement;
  const key = focused && list.contains(focused) ? focused.dataset.key : null;
  rebuild();
  if (key) [...list.querySelectorAll("[data-key]")].find((button) => button.dataset.key === key)?.focus();
}
