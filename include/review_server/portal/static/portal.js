/**
 * What every page of the portal does: calls with the CSRF token, messages, keys, theme, sign-out, local times.
 * Other pages' scripts import from here.
 */

import { complain, goesOn, sayNext } from "./news.js";
import { forgetDrafts } from "./store.js";

export { complain, say, sayNext } from "./news.js";

/** @returns {HTMLMetaElement | null} */
const metaOfToken = () => document.querySelector("meta[name=csrf-token]");
const token = () => metaOfToken()?.content ?? "";
export const others = new BroadcastChannel("nightloop");

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
 * @returns {Promise<any>} the reply; null when there is none
 */
export async function call(method, path, body) {
  let reply;
  const sentAs = token();
  try {
    reply = await fetch(path, {
      method,
      headers: { "x-csrf-token": sentAs, ...(body ? { "content-type": "application/json" } : {}) },
      body: body && JSON.stringify(body),
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

/** Run `act` when Alt and the key are pressed. @param {string} code @param {() => void} act */
export function onAlt(code, act) {
  keys.set(code, act);
}

/** A key, from this page or from the frame. @returns {boolean} whether it meant something */
export function pressed({ code, key, alt, ctrl }) {
  if (key === "?" && !alt && !ctrl) {
    help();
    return true;
  }
  if (!alt || ctrl || !keys.has(code)) return false;
  if (!document.querySelector("dialog[open]")) keys.get(code)();
  return true;
}

const keys = new Map([["KeyQ", () => /** @type {HTMLElement} */ (document.querySelector(".brand")).click()]]);

function help() {
  const dialog = /** @type {HTMLDialogElement} */ (document.getElementById("help"));
  if (!document.querySelector("dialog[open]")) dialog.showModal();
}

/** Whether what is typed there is text. */
export function isField(target) {
  return target instanceof HTMLElement && target.matches("input, textarea, select");
}

document.addEventListener("keydown", (event) => {
  if (event.key === "?" && isField(event.target)) return;
  const meant = pressed({ code: event.code, key: event.key, alt: event.altKey, ctrl: event.ctrlKey || event.metaKey });
  if (meant) event.preventDefault();
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
