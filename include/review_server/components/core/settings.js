/**
 * What a person set for this kind of task (light, class, view, own keys), kept from image to image. The page around
 * the frame keeps it, when it does: it sends the settings with a message and is told of each change. Without such a page
 * they last as long as the frame. What comes in is somebody else's: who reads a setting checks it.
 */

import { listen, tell } from "./bridge.js";

const MOST_TEXT = 20_000; // of all settings, as JSON
const TELL_AFTER = 200; // ms: a slider changes with each pixel

/** @type {Record<string, any>} */
let settings = {};
/** Names of what was set in this frame: it is newer than what the page sends. @type {Set<string>} */
const changed = new Set();
/** @type {Set<() => void>} */
const listeners = new Set();
let telling = 0;

listen((message) => {
  if (message.nightloop !== "settings") return;
  const { settings: kept } = message;
  if (typeof kept !== "object" || kept === null || Array.isArray(kept) || JSON.stringify(kept).length > MOST_TEXT) return;
  const older = Object.entries(kept).filter(([name]) => !changed.has(name));
  settings = { ...settings, ...Object.fromEntries(older) };
  for (const listener of listeners) listener();
});

/** @param {string} name @param {any} otherwise */
export function setting(name, otherwise) {
  return Object.hasOwn(settings, name) ? settings[name] : otherwise;
}

/** Keep a value; undefined forgets it. @param {string} name @param {any} value of JSON */
export function keepSetting(name, value) {
  const { [name]: before, ...rest } = settings;
  const now = value === undefined ? rest : { ...rest, [name]: value };
  if (JSON.stringify(before) === JSON.stringify(value) || JSON.stringify(now).length > MOST_TEXT) return;
  settings = now;
  changed.add(name);
  clearTimeout(telling);
  telling = setTimeout(send, TELL_AFTER);
}

/** Call `act` whenever the page has sent settings. @param {() => void} act */
export function onSettings(act) {
  listeners.add(act);
}

function send() {
  if (!telling) return;
  clearTimeout(telling);
  telling = 0;
  tell("settings", { settings });
}

// A change of the last moment goes before the answer, which ends the frame.
document.addEventListener("submit", send, { capture: true });
