/**
 * What is wrong with a task, for its worker and its owner: each fault once, a bounded number of them, in the page around
 * this one. Faults of the template's own program count as well: exceptions, and what could not be loaded.
 */

import { tell } from "./bridge.js";
import { didNotRun, inWords, mayLackScript } from "./causes.js";

const MOST = 20;
const LONGEST = 400;
// An image that the policy blocks fails as well: the policy's word comes first, and says more.
const AFTER_POLICY = 250;

/** @type {Set<string>} */
const complaints = new Set();
/** Hosts from which something was blocked. @type {Set<string>} */
const blocked = new Set();
let announced = false;

/** Say that something is wrong. @param {string} message */
export function complain(message) {
  const text = message.length > LONGEST ? `${message.slice(0, LONGEST - 1)}…` : message;
  if (complaints.has(text) || complaints.size >= MOST) return;
  complaints.add(text);
  if (announced) tell("error", { message: text });
}

/** Tell all of it to the page around, which listens now. */
export function announce() {
  announced = true;
  for (const message of complaints) tell("error", { message });
}

/** The hosts from which something was blocked so far. */
export function blockedHosts() {
  return [...blocked].sort();
}

/**
 * Why an element's own image is missing, once the policy had its word.
 * @param {string} address
 */
export async function whyMissing(address) {
  await new Promise((resolve) => setTimeout(resolve, AFTER_POLICY));
  const host = hostOf(address);
  if (blocked.has(host)) {
    return `The image is not shown because its host, ${host}, is not allowed here. The template's owner can allow it, or use `
      + "grant_read_access with an address in a bucket. Choose Stop…, then Decline it";
  }
  return "The image could not be loaded. Its address may have expired: load the page again. If it stays away, it may be no "
    + "image, or its bucket does not allow reading by CORS: choose Stop…, then Decline it.";
}

/** Watch the template's program, from what was caught before this script ran (confine.js) on. */
export function watch() {
  const early = /** @type {any} */ (window).nightloopFaults;
  // A page of an earlier version, from before the server was replaced, caught nothing.
  early?.take(read);
}

/** @param {Event | {frame: string}} event */
function read(event) {
  if ("frame" in event) return tellBlocked("frame-src", event.frame);
  if (event instanceof ErrorEvent) return readException(event);
  if (event instanceof PromiseRejectionEvent) {
    return tellFailure(event);
  }
  if (event instanceof SecurityPolicyViolationEvent) return readViolation(event);
  setTimeout(() => readResource(event.target), AFTER_POLICY);
}

/** @param {ErrorEvent} event */
function readException(event) {
  // The browser's own word for a loop that it has broken by itself: nothing is lost.
  if (!/ResizeObserver loop/.test(event.message)) tellFailure(event);
}

/** @param {ErrorEvent | PromiseRejectionEvent} event */
function tellFailure(event) {
  const say = () => complain(`A script of this task failed: ${inWords(event)}`);
  // The policy's word on a script may come after the exception of the one that needs it.
  if (mayLackScript(event)) setTimeout(say, AFTER_POLICY);
  else say();
}

/** @param {SecurityPolicyViolationEvent} event */
function readViolation({ blockedURI, effectiveDirective, disposition }) {
  if (disposition === "report") return;
  tellBlocked(effectiveDirective.replace(/-(elem|attr)$/, ""), blockedURI);
}

/** @param {string} directive of the policy @param {string} address */
function tellBlocked(directive, address) {
  const what = WHAT[directive] ?? "something";
  const host = hostOf(address);
  if (!host) return complain(`This task's template uses ${what} (${address}) that is not allowed here (${directive})`);
  blocked.add(host);
  if (directive === "script-src") didNotRun(address, "blocked here");
  const remedy = REMEDY[directive] ?? `${/^https:/i.test(address) ? ALLOW : HTTPS}${INSTEAD[directive] ?? ""}`;
  complain(`This task's template loads ${what} from ${host}, which is blocked here. ${remedy}`);
}

const ALLOW = "The owner can allow that host under Template bench → hosts";
const HTTPS = "Only an address that begins with https can be allowed";
const WRITTEN = ", or write its text into the template";
const INSTEAD = {
  "script-src": WRITTEN, "style-src": WRITTEN,
  "img-src": ", or put the file into a bucket and use grant_read_access",
};
const BUCKET = "Put the file into a bucket and use grant_read_access";
// What an owner's word cannot allow.
const REMEDY = {
  "media-src": BUCKET, "object-src": BUCKET, "connect-src": `${BUCKET}, or write the data into the task's input`,
  "frame-src": 'A task shows no other page: link to it, with <a target="_blank">, or show the file itself from a bucket',
  "form-action": "Name the fields of the crowd-form: their answers are sent with it",
};

const WHAT = {
  "script-src": "a script", "style-src": "a style", "img-src": "an image", "media-src": "sound or video",
  "font-src": "a font", "connect-src": "data", "frame-src": "a page in a frame", "object-src": "a document",
  "form-action": "a form to send",
};

/** @param {EventTarget | null} target an element that could not load its file */
function readResource(target) {
  if (!(target instanceof HTMLElement)) return;
  const file = /** @type {any} */ (target);
  const address = String(file.currentSrc || file.src || file.href || file.data || "");
  if (address && blocked.has(hostOf(address))) return;
  if (address && target.localName === "script") didNotRun(address, "could not be loaded");
  complain(`A file of this task could not be loaded: <${target.localName}> ${briefly(address) || "without an address"}`);
}

function hostOf(address) {
  try {
    return new URL(address, document.baseURI).host;
  } catch {
    return "";
  }
}

/** An address without what signs it. */
function briefly(address) {
  return address.startsWith("data:") ? "data:…" : address.split(/[?#]/)[0];
}
