/**
 * What a page has to say: what happened (with "Undo" for an answer that is not final yet), and what went wrong. Some of
 * it is said by the page that comes next.
 */

const NEXT = "nightloop-message";

/** The answer that can still be taken back. @type {{task: string, until: number} | null} */
let undoable = null;
let timer = 0;

/** Say what happened (politely). @param {string} text */
export function say(text, passing = false) {
  const status = document.getElementById("status");
  status.classList.toggle("passing", passing);
  status.textContent = text;
  arrange();
}

/** Say what went wrong, and what to do. @param {string} text */
export function complain(text) {
  const alert = document.getElementById("alert");
  alert.querySelector("span").textContent = text;
  alert.hidden = !text;
}

/** For the page that comes next. @param {string} text @param {{task: string, until: number} | null} [undo] */
export function sayNext(text, undo = undoable) {
  sessionStorage.setItem(NEXT, JSON.stringify({ text, undo }));
}

/** What somebody was told for the last page goes away at the first thing they do. */
export function goOn() {
  if (document.getElementById("status").classList.contains("passing")) say("");
}

/** Offer to take an answer back. @param {{task: string, until: number} | null} answer until when, by this clock */
export function offerUndo(answer) {
  clearTimeout(timer);
  undoable = answer && answer.until > Date.now() ? answer : null;
  // Longer than a timer can count is for as long as the page is open.
  if (undoable) timer = window.setTimeout(() => offerUndo(null), Math.min(undoable.until - Date.now(), 2 ** 31 - 1));
  arrange();
}

/** @returns {string | null} the task whose answer can be taken back */
export const undoableTask = () => undoable?.task ?? null;

function arrange() {
  const status = document.getElementById("status");
  const undo = document.getElementById("undo");
  status.hidden = !status.textContent;
  undo.hidden = !undoable;
  const news = document.getElementById("news");
  news.hidden = status.hidden && undo.hidden;
  // What is said anew is seen anew.
  news.classList.remove("fading");
  void news.offsetWidth;
  news.classList.toggle("fading", undo.hidden);
}

/** What the last page left to be said. A moment later, or a screen reader does not take it for news. */
export function goesOn() {
  document.querySelector("#alert button").addEventListener("click", () => complain(""));
  const message = sessionStorage.getItem(NEXT);
  if (!message) return;
  sessionStorage.removeItem(NEXT);
  const { text, undo } = JSON.parse(message);
  setTimeout(() => say(text, true), 150);
  offerUndo(undo);
}
