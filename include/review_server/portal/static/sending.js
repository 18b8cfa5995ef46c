/**
 * Sending an answer and going on. One request answers and takes the next task; when its frame was loaded ahead, that
 * is shown in its place. An answer that could not be sent is kept, and sent again by itself when the server is back.
 */

import { Refused, call, complain, others, person, say, sayNext, whoIsHere } from "./portal.js";
import { ask, isCovered, uncover } from "./cover.js";
import { offerUndo } from "./news.js";

const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 20_000;
// So often it is tried before somebody is asked to look at it.
const QUIET_TRIES = 4;
const SAY_SENDING_AFTER = 1000;
// The next task is seen before the server has said that it is given, but not for ever.
const PEEK_MOST = 10_000;

/** @typedef {import("./desk.js").Sheet} Sheet */

export class Sending {
  /**
   * @param {import("./desk.js").Desk} desk @param {import("./keeping.js").Keeping} keeping
   * @param {{active: import("./clock.js").ActiveTime, turned: (task: any) => void, lost: (sheet: Sheet) => void,
   *   go: (address: string) => void}} page
   */
  constructor(desk, keeping, page) {
    this.desk = desk;
    this.keeping = keeping;
    this.page = page;
    this.isSending = false;
    /** An answer that the server has not accepted yet. @type {{sheet: Sheet, content: any} | null} */
    this.kept = null;
    this.wake = () => {};
    window.addEventListener("online", () => this.wake());
  }

  /** @param {Sheet} sheet @param {any} content */
  async send(sheet, content) {
    if (this.isSending) return;
    this.isSending = true;
    this.kept = { sheet, content };
    this.desk.peek();
    const slow = setTimeout(() => say("Sending…"), SAY_SENDING_AFTER);
    const tooSlow = setTimeout(() => this.desk.unpeek(), PEEK_MOST);
    try {
      const reply = await this.post(sheet, content);
      this.kept = null;
      this.accepted(sheet, reply);
    } catch (error) {
      this.desk.unpeek();
      this.refused(error, sheet);
    } finally {
      clearTimeout(slow);
      clearTimeout(tooSlow);
      this.isSending = false;
    }
  }

  /** Try until the server says yes or no. */
  async post(sheet, content) {
    for (let tries = 0; ; tries++) {
      try {
        return await call("POST", `/worker/tasks/${sheet.task.task_id}/answer`, {
          answer_content: content,
          active_seconds: this.page.active.seconds,
          seen_seconds: Math.round(sheet.seen.seconds * 1000) / 1000,
          ...(this.keeping.comment ? { comment: this.keeping.comment } : {}),
          next: { queue: sheet.task.queue, ...(this.desk.ahead ? { prefer: this.desk.ahead.hint } : {}) },
        });
      } catch (error) {
        if (!(error instanceof Refused) || (error.status !== 0 && error.status < 500)) throw error;
        this.desk.unpeek();
        this.keeping.store(sheet, content);
        this.waiting(error, tries);
        await this.until(Math.min(FIRST_PAUSE * 2 ** tries, LONGEST_PAUSE));
      }
    }
  }

  waiting(error, tries) {
    if (tries < QUIET_TRIES) return say("The answer is not sent yet: trying again.");
    if (isCovered()) return undefined;
    return ask("Not sent yet", `${error.message} Your work is kept in this browser. It is sent by itself as soon as that is possible.`, [
      ["Send again", () => this.wake(), "stay"],
    ]);
  }

  /** Until the time is over, the network is back, or somebody asks for it. */
  until(milliseconds) {
    return new Promise((resolve) => {
      this.wake = () => resolve();
      setTimeout(resolve, milliseconds);
    });
  }

  /** @param {Sheet} sheet */
  accepted(sheet, reply) {
    uncover();
    sheet.over = true;
    this.keeping.forget(sheet.task.task_id);
    others.postMessage({ kind: "ended", task: sheet.task.task_id, how: "answered" });
    const until = reply.undo_until ? Date.now() + Date.parse(reply.undo_until) - Date.parse(reply.server_time) : 0;
    this.on(reply.next, "Saved. Here is the next one.", { task: sheet.task.task_id, until });
  }

  /** Go on with a task; to the list when there is none. @param {import("./desk.js").Task | null} task */
  on(task, message, undo = null) {
    if (task && this.desk.has(task)) {
      this.page.turned(task);
      say(message, true);
      offerUndo(undo);
      return;
    }
    this.desk.unpeek();
    sayNext(task ? message : "Saved. That was the last one for now: thank you.", undo);
    this.page.go(task ? `/work/${task.task_id}` : "/");
  }

  /** Take the next one without an answer. @param {string} queue */
  async next(queue) {
    const task = await call("POST", "/worker/tasks", { queue }).catch(() => null);
    if (task) this.on(task, "Here is the next one.");
    else this.page.go("/");
  }

  /** @param {Sheet} sheet */
  async refused(error, sheet) {
    if (error.status === 401 || error.status === 403) return this.whose(error);
    if (error.status === 409) return this.page.lost(sheet);
    this.kept = null;
    return complain(`The answer was not accepted: ${error.message} Change it and submit again, or choose Stop.`);
  }

  /** The session has ended, or is somebody else's now: nothing is sent but by the one whose work it is. */
  async whose(error) {
    const session = await whoIsHere().catch(() => ({ is: "out", name: "", renewed: false }));
    // Anew since it was refused: perhaps somebody asked for it meanwhile.
    if (session.is === "here" && (session.renewed || error?.isOld)) return this.again();
    if (session.is === "here") return complain(`The answer was not accepted: ${error?.message ?? "send it again."}`);
    if (session.is === "other") return stranger(session.name, [["Send", () => this.again()]]);
    return ask("You are signed out", "Your work is still on this page. Sign in in a new tab, then send it.", [
      ["Sign in (new tab)", () => window.open("/sign-in?next=/", "_blank", "noopener"), "stay"],
      ["Send", () => this.again()],
    ]);
  }

  /** Send what was kept, once its person is signed in. */
  async again() {
    const session = await whoIsHere().catch(() => null);
    if (session && session.is !== "here") return this.whose(null);
    if (this.kept) return this.send(this.kept.sheet, this.kept.content);
    return undefined;
  }
}

/** Somebody else is signed in in this browser. @param {string} name @param {import("./cover.js").Action[]} more */
export function stranger(name, more) {
  const text = `This work is ${person.name}'s: nothing of it is sent as ${name}. In a new tab, sign ${name} out and ` +
    `${person.name} in, then go on here.`;
  ask(`You are signed in as ${name} now`, text, [["Open the list (new tab)", () => window.open("/", "_blank", "noopener"), "stay"], ...more]);
}
