/**
 * What the page around this one keeps for the person at work, for all tasks of this template: light, class, view, own
 * keys. It comes with the message `settings` and goes back, whole, whenever something is kept.
 */

import { listen, tell } from "./bridge.js";

const LARGEST = 20_000; // characters of JSON: what the page keeps

/** @type {Record<string, any>} */
let kept = {};
/** @type {(() => void)[]} */
const listeners = [];

listen((message) => {
  const { settings } = message;
  if (message.nightloop !== "settings" || typeof settings !== "object" || settings === null || Array.isArray(settings)) return;
  kept = { ...settings };
  for (const listener of listeners) listener();
});

/** What is kept under a name, or `otherwise`. @param {string} name @param {any} otherwise */
export function setting(name, otherwise) {
  return Object.hasOwn(kept, name) ? kept[name] : otherwise;
}

/** Keep a value (JSON). What would make the settings too large is not kept. @param {string} name @param {any} value */
export function keepSetting(name, value) {
  const next = { ...kept, [name]: value };
  if (JSON.stringify(next).length > LARGEST) return;
  kept = next;
  tell("settings", { settings: kept });
}

/** Call `act` whenever the page has given settings. @param {() => void} act */
export function onSettings(act) {
  listeners.push(act);
}
