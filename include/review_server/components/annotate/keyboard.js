/**
 * The keyboard does everything the mouse does. Keys work wherever the focus is in the annotator or nowhere in
 * particular, but never while somebody types text.
 */

import { isTyping } from "../core/dom.js";
import { moved, settled } from "./kinds.js";

export const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
export const FAST = 10;
const ZOOM = 1.25;

/** The keys, as the help shows them. @param {any} kind */
export function keyHelp(kind) {
  const draws = kind.drawing === "drag"
    ? [["N", `new ${kind.noun} in the middle, to move and resize by keys`]]
    : [["N", `draw by keys: arrows move the cross, Enter sets a point${kind.most ? "" : ", Enter again on it finishes"}`]];
  const bends = kind.drawing === "drag"
    ? [["Shift + arrows", "resize by its right and lower side"], ["Ctrl + Shift + arrows", "resize by its left and upper side"]]
    : kind.most === 1 ? [] : [["V", "choose a single point of it; arrows then move that point"]];
  return [
    ["1 … 9, 0", `choose the class of the next ${kind.noun}, and of the selected one`], ...draws,
    ["Tab, Shift + Tab", `next, previous ${kind.noun}`], ["Arrows", "move the selection by 1 pixel (Alt: by 10); without one, move the image"],
    ...bends, ["Delete, Backspace", "delete the selection"], ["Ctrl + Z, Ctrl + Y", "undo, redo"],
    ["Ctrl or Alt + drag", `draw a new ${kind.noun} where another is`], ["Click again", `the next ${kind.noun} below`],
    ["+, −, wheel, pinch", "zoom"], ["Swipe sideways", "move the image"], ["F", "show the whole image"], ["Space + drag, middle button", "move the image"],
    ["H", `hide or show all ${kind.plural}`], ["L", "labels on or off"], ["Escape", "stop drawing; select nothing"],
    ["Ctrl + Enter", "submit"],
  ];
}

/**
 * Hand keys to `press` while they are for the element.
 * @param {any} element
 * @param {(element: any, event: KeyboardEvent) => boolean} press whether the key meant anything
 */
export function listenToKeys(element, press) {
  document.addEventListener("keydown", (event) => {
    if (!element.isConnected || event.defaultPrevented || isTyping(event) || !element.hasKeys()) return;
    if (element.shadowRoot.querySelector("dialog[open]")) return;
    if (press(element, event)) event.preventDefault();
  });
}

/** What keys do on every stage. @param {any} element @returns {Record<string, () => boolean>} */
export function stageActs(element) {
  const { view } = element;
  const zoom = (factor) => () => (view.zoom(factor), element.redraw(), true);
  return {
    h: () => element.toggleHidden(),
    f: () => (view.fit(), element.redraw(), true),
    "+": zoom(ZOOM),
    "=": zoom(ZOOM),
    "-": zoom(1 / ZOOM),
    "?": () => element.help(),
    "[": () => element.stepLabel(-1),
    "]": () => element.stepLabel(1),
  };
}

/** Act on a key. @returns {boolean} whether it meant anything */
export function press(annotator, event) {
  const command = event.ctrlKey || event.metaKey;
  const onStage = annotator.shadowRoot.activeElement === annotator.stage;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (command && key === "z") return event.shiftKey ? annotator.redo() : annotator.undo();
  if (command && key === "y") return annotator.redo();
  if (ARROWS[key]) return arrow(annotator, ARROWS[key], event, onStage);
  if (command || event.altKey) return false;
  if (key === "Tab") return onStage && annotator.cycle(event.shiftKey ? -1 : 1);
  if (key === "Enter") return onStage && annotator.placeCursor();
  const at = annotator.keys.indexOf(key);
  if (at >= 0) return annotator.chooseLabel(annotator.labels[at]);
  const acts = {
    Delete: () => annotator.deleteSelected(),
    Backspace: () => annotator.draft?.points.length ? annotator.dropPoint() : annotator.deleteSelected(),
    Escape: () => annotator.escape(),
    n: () => annotator.drawByKeys(),
    v: () => annotator.nextVertex(),
    l: () => annotator.toggleLabels(),
    ...stageActs(annotator),
  };
  return acts[key]?.() ?? false;
}

function arrow(annotator, [right, down], event, onStage) {
  const { shapes, kind, size, view, cursor } = annotator;
  if (!size) return false;
  const step = event.altKey ? FAST : 1;
  const [dx, dy] = [right * step, down * step];
  if (cursor) return annotator.moveCursor(settled({ x: cursor.x + dx, y: cursor.y + dy }, size, kind.room));
  const shape = shapes.selected;
  if (!shape) {
    if (!onStage) return false;
    view.pan(-right * 40, -down * 40);
    annotator.redraw();
    return true;
  }
  let { points } = shape;
  if (kind.drawing === "drag" && event.shiftKey) {
    const corner = event.ctrlKey ? 0 : 1;
    const to = settled({ x: points[corner].x + dx, y: points[corner].y + dy }, size, kind.room);
    points = points.map((point, at) => (at === corner ? to : point));
    if (points[1].x <= points[0].x || points[1].y <= points[0].y) return true;
  } else if (shapes.vertex !== null) {
    const point = points[shapes.vertex];
    points = kind.withHandle(points, shapes.vertex, settled({ x: point.x + dx, y: point.y + dy }, size, kind.room));
  } else {
    points = moved(points, dx, dy, size, kind.room);
  }
  annotator.nudge(shape.id, points);
  return true;
}
