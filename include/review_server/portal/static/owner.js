/**
 * An owner's page of one queue: asks every few seconds whether something has changed, and then changes only that,
 * so that focus, what is typed, and opened details stay. It rests while nobody sees the page.
 */

import { others, tellTimes } from "./portal.js";

const LOOK_AGAIN = 4_000;
const live = document.getElementById("live");
const fresh = document.getElementById("fresh");
let mark = "";
let timer = 0;

async function look() {
  clearTimeout(timer);
  if (document.hidden) return;
  try {
    const reply = await fetch(live.dataset.live, { headers: mark ? { "if-none-match": mark } : {}, redirect: "manual" });
    if (reply.type === "opaqueredirect") return location.reload(); // signed out: the server leads to the sign-in
    if (reply.status === 200) {
      mark = reply.headers.get("etag") ?? "";
      const parsed = new DOMParser().parseFromString(await reply.text(), "text/html");
      tellTimes(parsed.body);
      children(live, parsed.body);
    }
    const works = reply.status === 200 || reply.status === 304;
    tell(works ? "This page keeps itself up to date." : `The server says ${reply.status}: what is shown may be old.`);
    if (reply.status === 403 || reply.status === 404) return;
  } catch {
    tell("The server cannot be reached: what is shown may be old.");
  }
  clearTimeout(timer);
  timer = setTimeout(look, LOOK_AGAIN);
}

function tell(text) {
  if (fresh.textContent !== text) fresh.textContent = text;
}

/** Make the children of one node like another's, with as few changes as can be. @param {Node} from @param {Node} to */
function children(from, to) {
  const kept = new Map();
  for (const child of from.childNodes) if (keyOf(child)) kept.set(keyOf(child), child);
  let place = from.firstChild;
  for (const wanted of [...to.childNodes]) {
    const key = keyOf(wanted);
    const same = key ? kept.get(key) : place && !keyOf(place) && alike(place, wanted) ? place : null;
    if (!same) {
      from.insertBefore(document.importNode(wanted, true), place);
      continue;
    }
    // What is in its place is not moved: moving takes the focus away. What stands before it has gone or comes later.
    while (key && place && place !== same && !stays(place, to)) place = gone(place);
    if (place === same) place = place.nextSibling;
    else from.insertBefore(same, place);
    node(same, wanted);
  }
  while (place) place = gone(place);
}

function node(from, to) {
  if (from.nodeType !== Node.ELEMENT_NODE) {
    if (from.nodeValue !== to.nodeValue) from.nodeValue = to.nodeValue;
    return;
  }
  for (const { name } of [...from.attributes]) if (!to.hasAttribute(name) && name !== "open") from.removeAttribute(name);
  for (const { name, value } of [...to.attributes]) if (from.getAttribute(name) !== value) from.setAttribute(name, value);
  children(from, to);
}

function keyOf(child) {
  if (!(child instanceof Element || child.nodeType === Node.ELEMENT_NODE)) return "";
  return child.getAttribute("data-key") || child.id ? `${child.nodeName} ${child.getAttribute("data-key") || child.id}` : "";
}

const alike = (one, other) => one.nodeName === other.nodeName;

function stays(child, parent) {
  const key = keyOf(child);
  return Boolean(key) && [...parent.childNodes].some((wanted) => keyOf(wanted) === key);
}

function gone(child) {
  const next = child.nextSibling;
  child.remove();
  return next;
}

// Said once: a reload shall not say it again.
if (location.search.includes("done=")) history.replaceState(null, "", location.pathname);
document.addEventListener("visibilitychange", look);
others.addEventListener("message", ({ data }) => {
  if (data.kind === "signed out") location.assign("/sign-in");
});
timer = setTimeout(look, LOOK_AGAIN);
