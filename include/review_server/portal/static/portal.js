/**
 * What every page of the portal does: calls with the CSRF token, messages, keys, theme, sign-out, local times.
 * Other pages' scripts import from here.
 */

import { chordOf } from "../../components/core/key-name.js";
import { complain, goesOn, sayNext } from "./news.js";
import { forgetDrafts } from "./store.js";

export { complain, say, sayNext } from "./news.js";

/** @returns {HTMLMetaElement | null} */
const metaOfToken = () => document.querySelector("meta[name=csrf-token]");
const token = () => metaOfToken()?.content ?? "";
export const others = new BroadcastChannel("nightloop");
// Of requests that outlive their page, a browser takes 64 KiB at a time, and refuses more.
const OUTLIVES = 60_000;

/** What the server refused, or that it could not be reached (status 0). */
export class Refused extends Error {
  constructor(status, message, code = "", sentAs = token()) {
    super(message);
    this.status = status;
    this.code = code;
    this.sentAs = sentAs;
  }

  /** Whether it was asked with the token of a session that has been renewed since. */
  get isOld() {
    return this.sentAs !== token();
  }
}

/**
 * Call the server's interface for workers.
 * @param {string} method @param {string} path @param {object} [body]
 * @param {boolean} [outlives] whether it is sent to its end when this page is gone, unless it is too large for that
 * @returns {Promise<any>} the reply; null when there is none
 */
export async function call(method, path, body, outlives = false) {
  let reply;
  const text = body && JSON.stringify(body);
  const sentAs = token();
  try {
    reply = await fetch(path, {
      method,
      headers: { "x-csrf-token": sentAs, ...(body ? { "content-type": "application/json" } : {}) },
      body: text,
      keepalive: outlives && new Blob([text]).size < OUTLIVES,
      credentials: "same-origin",
    });
  } catch {
    throw new Refused(0, "The server cannot be reached.");
  }
  if (reply.status === 204) return null;
  const value = await reply.json().catch(() => ({}));
  if (!reply.ok) throw new Refused(reply.status, value.error?.message ?? `The server says ${reply.status}.`, value.error?.code, sentAs);
  return value;
}

/** Whose page this is: the id and the name; empty on pages of nobody's. */
export const person = { id: metaOfToken()?.dataset.worker ?? "", name: metaOfToken()?.dataset.name ?? "" };

/**
 * Whether this page's person is signed in, perhaps anew in another tab: then the page has the new session's token.
 * With somebody else's session the token stays as it is, and the server takes nothing with it.
 * @returns {Promise<{is: "here" | "out" | "other", name: string, renewed: boolean}>}
 */
export async function whoIsHere() {
  try {
    const session = await call("GET", "/worker/session");
    if (session.worker_id !== person.id) return { is: "other", name: session.name, renewed: false };
    const renewed = token() !== session.csrf_token;
    metaOfToken().content = session.csrf_token;
    return { is: "here", name: session.name, renewed };
  } catch (error) {
    if (error.status === 401) return { is: "out", name: "", renewed: false };
    throw error;
  }
}

/** Run `act` when Alt and the letter are pressed. @param {string} letter @param {() => void} act */
export function onAlt(letter, act) {
  keys.set(`Alt+${letter}`, act);
}

/** Keys of this page or of the frame, as key-name.js names them. @param {string} chord @returns {boolean} whether they mean something */
export function pressed(chord) {
  if (chord === "?") {
    help();
    return true;
  }
  if (!keys.has(chord)) return false;
  if (!document.querySelector("dialog[open]")) keys.get(chord)();
  return true;
}

const keys = new Map([["Alt+q", () => /** @type {HTMLElement} */ (document.querySelector(".brand")).click()]]);

function help() {
  const dialog = /** @type {HTMLDialogElement} */ (document.getElementById("help"));
  if (!document.querySelector("dialog[open]")) dialog.showModal();
}

/** Whether what is typed there is text. */
export function isField(target) {
  return target instanceof HTMLElement && target.matches("input, textarea, select");
}

document.addEventListener("keydown", (event) => {
  const chord = chordOf(event);
  if (chord === "?" && isField(event.target)) return;
  if (pressed(chord)) event.preventDefault();
});

document.querySelector("[data-help]").addEventListener("click", help);

const toggle = document.querySelector("[data-theme-toggle]");
const system = matchMedia("(prefers-color-scheme: dark)");
/** @returns {boolean} */
export const isDark = () =>
  document.documentElement.dataset.theme ? document.documentElement.dataset.theme === "dark" : system.matches;

function nameToggle() {
  toggle.textContent = isDark() ? "Light" : "Dark";
  toggle.setAttribute("aria-label", isDark() ? "Light colours" : "Dark colours");
  document.dispatchEvent(new Event("nightloop-theme"));
}
toggle.addEventListener("click", () => {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  try {
    localStorage.setItem("nightloop-theme", document.documentElement.dataset.theme);
  } catch {
    // It holds for this page then.
  }
  nameToggle();
});
system.addEventListener("change", nameToggle);
nameToggle();

/** What is to be done before somebody signs out, or nobody does. @type {Set<() => Promise<any>>} */
export const beforeSignOut = new Set();

document.querySelector("[data-sign-out]")?.addEventListener("click", async () => {
  try {
    for (const act of beforeSignOut) await act();
    await call("DELETE", "/worker/session");
  } catch (error) {
    if (error.status !== 401) return complain(`You are still signed in: ${error.message} Try again.`);
  }
  // The computer may be others' too.
  document.dispatchEvent(new Event("nightloop-signed-out"));
  forgetDrafts(person.id);
  others.postMessage({ kind: "signed out", worker: person.id });
  sayNext("You are signed out.");
  location.assign("/sign-in");
});

const clock = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const hour = new Intl.DateTimeFormat(undefined, { weekday: "short", hour: "numeric", minute: "2-digit" });

/** Write the times below an element in the reader's own time zone. @param {HTMLElement} root */
export function tellTimes(root) {
  /** @type {NodeListOf<HTMLTimeElement>} */
  const times = root.querySelectorAll("time[data-local], time[data-hour]");
  for (const time of times) {
    time.textContent = ("hour" in time.dataset ? hour : clock).format(new Date(time.dateTime));
  }
}
tellTimes(document.body);

goesOn();
