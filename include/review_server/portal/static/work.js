/**
 * One task at work: the frame's messages, the time that is left, submitting, stopping, and what can go wrong.
 *
 * Nothing that the worker did is thrown away by this page: while an answer could not be sent it is kept and sent
 * again, after signing in again, or after taking the task again when its time had run out.
 */

import { ActiveTime, Countdown, inWords } from "./clock.js";
import { call, complain, isDark, onAlt, others, pressed, renewToken, say, sayNext } from "./portal.js";

const frame = /** @type {HTMLIFrameElement} */ (document.getElementById("frame"));
const time = document.getElementById("time");
const left = document.getElementById("left");
const spoken = document.getElementById("spoken");
const stopping = /** @type {HTMLDialogElement} */ (document.getElementById("stopping"));
const cover = document.getElementById("cover");
const queue = frame.dataset.queue;
const status = document.getElementById("status");

let task = frame.dataset.task;
// Asked for while the frame loads: a draft that came later would replace what had been begun.
const keptDraft = call("GET", `/worker/tasks/${task}/draft`).catch(() => null);
let greeted = false;
let touched = false;
let leaving = false;
let sending = false;
let kept = null; // an answer that the server has not accepted yet
let unsaved = false; // whether something was done since the draft was kept
let takeDraft = null; // who waits for the frame's draft
let keeping = Promise.resolve(); // the draft that is on its way to the server

const active = new ActiveTime();
const countdown = new Countdown(frame.dataset.now, frame.dataset.expires, {
  tick: (seconds) => {
    time.textContent = inWords(seconds);
    left.classList.toggle("soon", seconds <= 60);
  },
  warn: (seconds) => {
    spoken.textContent = `${inWords(seconds)} left for this task.`;
    if (seconds <= 60) say("Less than a minute is left: submit what you have, or the task goes back to the list.");
  },
  end: timeIsUp,
});

/* The frame */

window.addEventListener("message", ({ source, data }) => {
  if (source !== frame.contentWindow || typeof data?.nightloop !== "string") return;
  messages[data.nightloop]?.(data);
});

const messages = {
  async ready({ unsupported }) {
    if (greeted) return;
    greeted = true;
    theme();
    frame.focus();
    if (unsupported?.length) {
      complain(`This task uses parts that this portal does not have (${unsupported.map(String).join(", ")}). ` +
        "If you cannot answer without them, choose Stop, then Decline.");
    }
    const draft = await keptDraft;
    if (draft) {
      tell("restore", { content: draft.answer_content });
      // It answers messages in their order: after this, the draft is shown.
      await drawn().catch(() => null);
      say("Here is what you had done.");
    }
    frame.dataset.ready = "yes";
  },
  draft({ content }) {
    takeDraft?.(content);
  },
  activity() {
    touched = unsaved = true;
    // What the page before had to say is read at a glance.
    if (status.classList.contains("passing")) say("");
    active.note();
  },
  answer({ content }) {
    if (!sending && !leaving) send(content);
  },
  key({ code, key, alt, ctrl }) {
    pressed({ code, key: key ?? (code === "Slash" ? "?" : ""), alt, ctrl });
  },
  error({ message }) {
    complain(`The task's page reports: ${String(message).slice(0, 300)}`);
  },
};

function tell(kind, content = {}) {
  frame.contentWindow.postMessage({ nightloop: kind, ...content }, "*");
}

const theme = () => tell("theme", { dark: isDark() });
document.addEventListener("nightloop-theme", theme);

// A frame from the browser's cache can be ready before this script runs: let it say so again.
tell("hello");

/* Submitting */

async function send(content, tries = 0) {
  sending = true;
  kept = content;
  try {
    await call("POST", `/worker/tasks/${task}/answer`, { answer_content: content, active_seconds: active.seconds });
    kept = null;
    ended("answered");
    await next();
  } catch (error) {
    await notSent(error, content, tries);
  } finally {
    sending = false;
  }
}

async function notSent(error, content, tries) {
  if (error.status === 0 || error.status >= 500) {
    if (tries < 4) {
      say("The answer is not sent yet: trying again.");
      await new Promise((resolve) => setTimeout(resolve, 500 * 2 ** tries));
      return send(content, tries + 1);
    }
    return ask("Not sent yet", `${error.message} Your work is still on this page.`, [["Send again", () => send(content)]]);
  }
  if (error.status === 401 || error.status === 403) {
    return ask("You are signed out", "Your work is still on this page. Sign in in a new tab, then send it.", [
      ["Sign in (new tab)", () => window.open("/sign-in?next=/", "_blank", "noopener"), "stay"],
      ["Send", async () => ((await renewToken()) ? send(content) : notSent(error, content, tries))],
    ]);
  }
  if (error.status === 409) return lost();
  complain(`The answer was not accepted: ${error.message} Change it and submit again, or choose Stop.`);
}

/** Go on with the next task of the same kind; to the list when none waits. */
async function next(message = "Saved. Here is the next one.") {
  let address = "/";
  try {
    const taken = await call("POST", "/worker/tasks", { queue });
    sayNext(taken ? message : "Saved. That was the last one for now: thank you.");
    if (taken) address = `/work/${taken.task_id}`;
  } catch {
    sayNext("Saved.");
  }
  go(address);
}

/* What became of the task elsewhere, or by the clock */

/** The task is not in hand any more: find out why, and offer what can still be done. */
async function lost() {
  const status = (await call("GET", `/worker/tasks/${task}`).catch(() => ({}))).status;
  // A lease that has just run out may still be called InHand: taking it again settles that.
  if (status === "InHand" || status === "Expired" || status === "Returned") return again();
  const [heading, text] = {
    Answered: ["This task is done", "It was submitted before, perhaps in another tab; that answer counts."],
    Declined: ["You declined this task", "Somebody else will be asked."],
    Withdrawn: ["This task was withdrawn", "The answer is not needed any more."],
  }[status] ?? ["This task has ended", "It cannot be answered any more."];
  kept = null;
  ask(heading, text, [["Next task", () => next("Here is the next one.")], ["To the list", () => go("/")]]);
}

function timeIsUp() {
  if (sending || leaving) return;
  active.pause();
  tell("pause", { paused: true });
  ask("The time for this task is up", "What you did is still on this page. If nobody else has the task yet, you can take it again.", [
    ["Take it again and go on", again],
    ["To the list", () => go("/")],
  ]);
}

/** Take the very same task once more, and send what could not be sent. */
async function again() {
  try {
    const taken = await call("POST", `/worker/tasks/${task}/again`, {});
    task = taken.task_id;
    history.replaceState(null, "", `/work/${task}`);
    countdown.restart(taken.server_time, taken.expires_at);
    active.restart();
    tell("pause", { paused: false });
    uncover();
    if (kept) return send(kept);
    say("The task is yours again; your work is as it was.");
    frame.focus();
  } catch (error) {
    if (error.status === 401) return notSent(error, kept, 0);
    if (error.status === 0) return ask("Not reached", error.message, [["Try again", again]]);
    kept = null;
    ask("The time ran out", "Somebody else has this task now, or it has ended, so this work cannot be used. Sorry.", [
      ["Next task", () => next("Here is the next one.")],
      ["To the list", () => go("/")],
    ]);
  }
}

/** Other tabs: one says when it ends a task, and asks whether somebody else has it open. */
others.addEventListener("message", ({ data }) => {
  if (data.kind === "opened" && data.task === task) {
    others.postMessage({ kind: "open here too", task });
    say("This task is open in another tab too. Only one answer counts: close one of the two.");
  }
  if (data.kind === "open here too" && data.task === task) {
    say("This task is open in another tab too. Only one answer counts: close one of the two.");
  }
  if (data.kind === "ended" && data.task === task && !leaving && !sending) lost();
  if (data.kind === "signed in") renewToken().catch(() => {});
});
others.postMessage({ kind: "opened", task });

/* Stopping, and what is kept until somebody comes back */

const KEEP_EVERY = 30_000;
const FRAME_ANSWERS = 20_000;

/** The answer in the frame as it stands; null when it has none. Throws when the frame does not say. */
function drawn() {
  return new Promise((resolve, reject) => {
    takeDraft = resolve;
    tell("keep");
    setTimeout(() => reject(new Error("The task's page does not answer.")), FRAME_ANSWERS);
  });
}

/** Have the server keep what is on the page, once it has what it was given before. Throws what the server refuses. */
function keepDraft() {
  keeping = keeping.catch(() => {}).then(keepNow);
  return keeping;
}

async function keepNow() {
  if (!unsaved) return;
  unsaved = false;
  try {
    const content = await drawn();
    if (content) await call("PUT", `/worker/tasks/${task}/draft`, { answer_content: content });
  } catch (error) {
    unsaved = true;
    throw error;
  }
}

// A browser that goes down takes half a minute of work with it, no more. What fails is tried again.
setInterval(() => !sending && !leaving && cover.hidden && keepDraft().catch(() => {}), KEEP_EVERY);

document.getElementById("stop").addEventListener("click", () => {
  document.getElementById("until").textContent = `for ${inWords(countdown.left)}`;
  stopping.showModal();
});
/** @type {NodeListOf<HTMLButtonElement>} */
const ways = stopping.querySelectorAll("[data-stop]");
for (const button of ways) {
  button.addEventListener("click", async () => {
    const how = button.dataset.stop;
    try {
      if (how === "later") {
        // The frame tells of activity once a second: there may be more than was told.
        unsaved ||= touched;
        await keepDraft();
        sayNext("The task is still yours, with what you did: resume it before its time is up.");
        return go("/");
      }
      await call("POST", `/worker/tasks/${task}/${how}`, {});
      sayNext(how === "return" ? "The task is back in the list." : "You declined the task. Somebody else will be asked.");
      ended(how);
      go("/");
    } catch (error) {
      stopping.close();
      if (error.status === 409) return lost();
      complain(`That did not work: ${error.message} Try again.`);
    }
  });
}

/* Keys, time at work, leaving */

onAlt("KeyS", () => document.getElementById("stop").click());
onAlt("KeyT", () => {
  spoken.textContent = "";
  setTimeout(() => (spoken.textContent = `${inWords(countdown.left)} left for this task.`), 50);
});
onAlt("KeyW", () => frame.focus());
document.addEventListener("keydown", (event) => {
  active.note();
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !document.querySelector("dialog[open]")) tell("submit");
});
document.addEventListener("pointermove", () => active.note());
document.addEventListener("visibilitychange", async () => {
  if (document.hidden) active.pause();
  else {
    active.note();
    // A computer that slept has stopped this page's clock, not the server's.
    const now = await call("GET", `/worker/tasks/${task}`).catch(() => null);
    if (now?.status === "InHand") countdown.restart(now.server_time, now.expires_at);
    else if (now && !sending && !leaving && cover.hidden) lost();
  }
  tell("pause", { paused: document.hidden });
});
window.addEventListener("beforeunload", (event) => {
  if (touched && !leaving) event.preventDefault();
});
window.addEventListener("pageshow", (event) => event.persisted && location.reload());

function ended(how) {
  leaving = true;
  others.postMessage({ kind: "ended", task, how });
}

function go(address) {
  leaving = true;
  location.assign(address);
}

/** Cover the frame with a question; the work below stays. @param {[string, () => void, string?][]} actions */
function ask(heading, text, actions) {
  stopping.close();
  document.getElementById("cover-heading").textContent = heading;
  document.getElementById("cover-text").textContent = text;
  document.getElementById("cover-actions").replaceChildren(
    ...actions.map(([label, act, stay], index) => {
      const button = document.createElement("button");
      button.textContent = label;
      if (index === 0) button.className = "primary";
      button.addEventListener("click", () => {
        if (!stay) uncover();
        act();
      });
      return button;
    }),
  );
  cover.hidden = false;
  frame.inert = true;
  say("");
  cover.querySelector("button").focus();
}

function uncover() {
  cover.hidden = true;
  frame.inert = false;
}
