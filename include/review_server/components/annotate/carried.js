/**
 * What goes along from one image to the next: the class that was chosen last, and the view while images have the same
 * size. Both are settings of the person (settings.js); nothing is carried over what somebody did on this image.
 */

import { keepSetting, onSettings, setting } from "../core/settings.js";

const MOST_COUNTED = 200; // classes whose use is counted

/** @param {import("./image-stage.js").ImageStage} element */
export function carry(element) {
  onSettings(() => {
    if (!element.classChosen && element.labels.length) {
      element.label = firstClass(element.labels);
      // The classes stand there already, in the order of somebody who has used none.
      element.panel.reorder?.();
    }
    showView(element);
    element.changed();
  });
  element.addEventListener("load", () => showView(element));
}

/** The class to begin with. @param {string[]} labels */
export function firstClass(labels) {
  const kept = setting("class", "");
  return labels.includes(kept) ? kept : labels[0] ?? "";
}

/** @param {import("./image-stage.js").ImageStage} element @param {string} label */
export function chosen(element, label) {
  element.classChosen = true;
  keepSetting("class", label);
}

/** A class has been used: those that are used most come first. @param {string} label */
export function used(label) {
  const counts = usedSoFar();
  keepSetting("used", Object.fromEntries([[label, (counts[label] ?? 0) + 1],
    ...Object.entries(counts).filter(([name]) => name !== label)].slice(0, MOST_COUNTED)));
}

/** @returns {Record<string, number>} how often each class was used */
export function usedSoFar() {
  const counts = setting("used", {});
  return Object.fromEntries(Object.entries(counts ?? {}).filter(([, count]) => Number.isInteger(count)));
}

function showView(element) {
  const { view, size } = element;
  const kept = setting("view", null);
  if (!size || !view.fitted || kept?.width !== size.width || kept.height !== size.height) return;
  if (![kept.x, kept.y, kept.scale].every(Number.isFinite) || kept.scale <= 0) return;
  view.zoom(kept.scale / view.scale);
  const middle = view.toStage({ x: kept.x, y: kept.y });
  view.pan(view.stage.width / 2 - middle.x, view.stage.height / 2 - middle.y);
  element.redraw();
}

/** Keep where the image lies, as the pixel in the middle and the scale. @param {import("./image-stage.js").ImageStage} element */
export function keepView(element) {
  const { view, size } = element;
  // A view that nobody has changed here forgets nothing.
  if (!size || (view.fitted && !element.viewKept)) return;
  element.viewKept = !view.fitted;
  const { x, y } = view.toImage(view.stage.width / 2, view.stage.height / 2);
  keepSetting("view", view.fitted ? undefined : { ...size, x: Math.round(x), y: Math.round(y), scale: view.scale });
}
