/**
 * One task at work, and the next ones after it: puts the parts of the page together, and does what follows when a task
 * is shown, when its time is up, and when it ended elsewhere.
 *
 * Nothing that the worker did is thrown away by this page, and nothing is sent that nobody meant: an answer counts from
 * the frame in sight alone, once its image has been seen, and a key that is held down sends nothing again.
 */

import { ActiveTime, Countdown, inWords } from "./clock.js";
import { beforeSignOut, call, complain, onAlt, others, person, pressed, say, whoIsHere } from "./portal.js";
import { isCovered } from "./cover.js";
import { listenToKeys } from "./bar-keys.js";
import { goOn } from "./news.js";
import { Desk } from "./desk.js";
import { Ending } from "./ending.js";
import { Keeping } from "./keeping.js";
import { showProgress } from "./progress.js";
import { Sending, stranger } from "./sending.js";
import { Stopping } from "./stopping.js";
import { undoing } from "./undo.js";

/** @typedef {import("./desk.js").Sheet} Sheet */
/** @typedef {import("./desk.js").Task} Task */

const first = /** @type {HTMLIFrameElement} */ (document.getElementById("frame"));
const { worker, least, comment } = document.getElementById("frames").dataset;
const leastSeconds = Number(least);
const time = document.getElementById("time");
const left = document.getElementById("left");
const spoken = document.getElementById("spoken");
const submitButton = document.getElementById("submit");

// The signed addresses of a frame's images hold for a quarter of an hour.
const AHEAD_IS_GOOD = 600_000;
const LOOK_AHEAD_EVERY = 15_000;
const GUARD_EVERY = 200;
const COMPLAINTS = 20;
const BEHIND = 0.1;
const SHOWN_OF_MESSAGE = 300;

let leaving = false;
let asking = false; // for what to load ahead
/** @type {Set<string>} */
const complained = new Set();

const task = /** @type {Task} */ (/** @type {unknown} */ ({
  task_id: first.dataset.task, queue: first.dataset.queue, title: document.querySelector("h1").textContent,
}));
const active = new ActiveTime();
const keeping = new Keeping(worker, () => (sending.isSending || leaving || isCovered() ? null : desk.current));
// An answer that was taken back had one.
keeping.comment = comment;
// Asked for while the frame loads: a draft that came later would replace what had been begun.
let keptDraft = keeping.ask(task.task_id);

const desk = new Desk(first, task, { greeted, painted, activity, answer, key, error, held, settings });
const sending = new Sending(desk, keeping, { active, turned, lost: (sheet) => ending.lost(sheet), go });
const ending = new Ending(desk, keeping, sending, { active, countdown: () => countdown, go });
const stopping = new Stopping(desk, keeping, { left: () => countdown.left, go, lost: (sheet) => ending.lost(sheet) });
const undo = undoing(keepBegun, go);
beforeSignOut.add(keepBegun);
document.addEventListener("nightloop-signed-out", () => {
  keeping.mayStore = false;
  leaving = true;
});

const countdown = new Countdown(first.dataset.now, first.dataset.expires, {
  tick: (seconds) => {
    time.textContent = inWords(seconds);
    showWhetherEarly();
    left.classList.toggle("soon", seconds <= 60);
  },
  warn: (seconds) => {
    spoken.textContent = `${inWords(seconds)} left for this task.`;
    if (seconds <= 60) say("Less than a minute is left: submit what you have, or the task goes back to the list.");
  },
  end: () => !sending.isSending && !leaving && ending.timeIsUp(),
});
showProgress(task.queue);

/* What the frames say */

/** @param {Sheet} sheet */
async function greeted(sheet, { unsupported }) {
  keeping.giveSettings(sheet);
  if (unsupported?.length) {
    sheet.complaints.push(`This task uses parts that this portal does not have (${unsupported.map(String).join(", ")}). ` +
      "If you cannot answer without them, choose Stop, then Decline.");
  }
  if (sheet.shown) await begin(sheet);
}

/** A sheet is in sight and ready: its draft, and what it had to complain of. @param {Sheet} sheet */
async function begin(sheet) {
  sheet.tell("least", { seconds: leastSeconds });
  if (!isCovered()) sheet.element.focus();
  for (const message of sheet.complaints.splice(0)) error(sheet, { message });
  await keeping.restore(sheet, keptDraft);
  keeping.begin(sheet);
  stopping.show();
  sheet.element.dataset.ready = "yes";
  lookAhead();
}

/** @param {Sheet} sheet */
function painted(sheet) {
  sheet.look();
}

function activity(sheet, { changed = true }) {
  goOn();
  active.note();
  sheet.changed = Boolean(changed);
  keeping.note(sheet);
}

function answer(sheet, { content }) {
  if (sending.isSending || leaving || sheet.over || isEarly(sheet)) return;
  if (content && typeof content === "object" && !Array.isArray(content)) sending.send(sheet, content);
}

/** The bar's button is pale until it would be heard; the frame's own clock may be a little behind. */
function showWhetherEarly() {
  const { painted: isPainted, seen } = desk.current;
  submitButton.setAttribute("aria-disabled", String(desk.isPeeking || !isPainted || seen.seconds < leastSeconds + BEHIND));
}

/** Whether it is too early to submit, and if so, say so. @param {Sheet} sheet */
function isEarly(sheet) {
  if (!sheet.painted) {
    say("Not sent: the image is not there yet. Look at it, then submit.");
    return true;
  }
  if (sheet.seen.seconds >= leastSeconds) return false;
  say("Not sent: that was too early. Look at the image, then submit.");
  return true;
}

function key(_sheet, { chord }) {
  pressed(chord);
}

function held(_sheet, { reason }) {
  say(`Not sent: ${String(reason).slice(0, SHOWN_OF_MESSAGE)}`);
}

function settings(sheet, message) {
  keeping.keepSettings(sheet, message.settings);
}

/** What is wrong with the task's template: told once to the worker, and to its owner. @param {Sheet} sheet */
function error(sheet, { message }) {
  const text = String(message).slice(0, 1000);
  if (complained.has(text) || complained.size >= COMPLAINTS) return;
  complained.add(text);
  complain(text.startsWith("This task uses") ? text : `The task's page reports: ${text.slice(0, SHOWN_OF_MESSAGE)}`);
  call("POST", `/worker/tasks/${sheet.task.task_id}/complaint`, { message: text }).catch(() => {});
}

/* The next task */

/** Load the frame of the task that will probably come next, when there is none or it has become old. */
async function lookAhead() {
  const { current, ahead } = desk;
  const isFresh = ahead?.isSound && performance.now() - ahead.madeAt < AHEAD_IS_GOOD;
  if (asking || isFresh || leaving || sending.isSending || document.hidden || !current.greeted) return;
  asking = true;
  try {
    const next = await call("POST", "/worker/tasks/ahead", { queue: current.task.queue, task_id: current.task.task_id });
    if (desk.current !== current || desk.isPeeking) return;
    if (next?.frame) desk.load(next.frame, next.item_hint);
    else desk.clear();
  } catch {
    // It is loaded when its turn comes, then.
  } finally {
    asking = false;
  }
}
setInterval(lookAhead, LOOK_AHEAD_EVERY);
setInterval(() => desk.guard(), GUARD_EVERY);

/** Work at a task whose frame was loaded ahead. @param {Task} next */
function turned(next) {
  keptDraft = keeping.ask(next.task_id);
  const sheet = desk.turn(next);
  history.pushState(null, "", `/work/${next.task_id}`);
  document.title = `${next.title} · Nightloop`;
  document.querySelector("h1").textContent = next.title;
  document.querySelector(".what p").textContent = next.description;
  const hosts = document.getElementById("hosts");
  hosts.hidden = !next.hosts?.length;
  hosts.querySelector("span").textContent = next.hosts?.join(", ") ?? "";
  countdown.restart(next.server_time, next.expires_at);
  active.restart();
  complained.clear();
  complain("");
  // Light, classes and keys may have changed since the frame was loaded.
  keeping.giveSettings(sheet);
  if (sheet.greeted) begin(sheet);
  others.postMessage({ kind: "opened", task: next.task_id });
  showProgress(next.queue);
}

// The page of a task that ended is another page; what is begun here is kept.
window.addEventListener("popstate", async () => {
  if (location.pathname === `/work/${desk.current.task.task_id}`) return;
  await keeping.toServer(desk.current, true).catch(() => {});
  leaving = true;
  location.reload();
});

/* Other tabs */

/** Before the page is left. What the server refuses, of a task that has ended, keeps nobody; that it is away does. */
async function keepBegun() {
  if (sending.isSending) throw new Error("the answer is on its way.");
  await keeping.toServer(desk.current, true).catch((error) => {
    if (error.status === 0 || error.status >= 500) throw error;
  });
}

/** Other tabs: one says when it ends a task, who signed in, and asks whether somebody else has the task open. */
others.addEventListener("message", async ({ data }) => {
  const mine = data.task === desk.current.task.task_id;
  if (mine && data.kind === "opened") others.postMessage({ kind: "open here too", task: data.task });
  if (mine && (data.kind === "opened" || data.kind === "open here too")) {
    say("This task is open in another tab too. Only one answer counts: close one of the two.");
  }
  if (mine && data.kind === "ended" && !leaving && !sending.isSending) ending.lost(desk.current);
  if (data.kind === "signed out" && data.worker === person.id) keeping.mayStore = false;
  if (data.kind !== "signed in") return;
  const session = await whoIsHere().catch(() => null);
  if (session?.is === "here") keeping.mayStore = true;
  if (session?.is === "other") stranger(session.name, [["Go on", goOnAs]]);
});
others.postMessage({ kind: "opened", task: task.task_id });

/** Go on once this page's person is signed in again. */
async function goOnAs() {
  const session = await whoIsHere().catch(() => null);
  if (session?.is === "other") return stranger(session.name, [["Go on", goOnAs]]);
  if (sending.kept) return sending.again();
  return desk.current.element.focus();
}

/* Keys, time at work, leaving */

onAlt("s", () => document.getElementById("stop").click());
onAlt("t", () => {
  spoken.textContent = "";
  setTimeout(() => (spoken.textContent = `${inWords(countdown.left)} left for this task.`), 50);
});
onAlt("w", () => desk.isPeeking || desk.current.element.focus());
onAlt("c", () => document.getElementById("comment").click());
onAlt("z", undo);

function submit() {
  if (sending.isSending || leaving || isCovered() || isEarly(desk.current)) return;
  desk.current.tell("submit");
}
submitButton.addEventListener("click", submit);

listenToKeys(desk, { submit, active });
document.addEventListener("pointermove", () => active.note());
document.addEventListener("visibilitychange", async () => {
  const sheet = desk.current;
  sheet.tell("pause", { paused: document.hidden });
  if (document.hidden) {
    active.pause();
    if (!sending.isSending && !leaving) keeping.toServer(sheet, true).catch(() => {});
    return;
  }
  active.note();
  // A computer that slept has stopped this page's clock, not the server's.
  const now = await call("GET", `/worker/tasks/${sheet.task.task_id}`).catch(() => null);
  if (sheet !== desk.current || leaving) return;
  if (now?.status === "InHand") countdown.restart(now.server_time, now.expires_at);
  else if (now && !sending.isSending && !isCovered()) ending.lost(sheet);
});
window.addEventListener("beforeunload", (event) => {
  if (((desk.current.changed && !desk.current.over) || sending.isSending) && !leaving) event.preventDefault();
});
window.addEventListener("pagehide", () => sending.isSending || keeping.atLast(desk.current));
window.addEventListener("pageshow", (event) => event.persisted && location.reload());

function go(address) {
  leaving = true;
  location.assign(address);
}
