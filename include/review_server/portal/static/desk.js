/**
 * The frames of the work page: the one with the task in hand, and below it the next one, loaded ahead. What a frame
 * says is believed about its own task alone, and only from the window that the frame holds.
 */

import { openLink } from "./links.js";
import { isDark } from "./portal.js";

const FRAME_ANSWERS = 20_000;
// A frame that has loaded and does not say that it is ready within this time has no task to show.
const GREETS_WITHIN = 2000;

const glass = document.getElementById("glass");

/** How long something was really in sight. */
class Seen {
  constructor() {
    this.total = 0;
    this.since = null;
  }

  /** @param {boolean} inSight */
  look(inSight) {
    const now = performance.now();
    if (this.since !== null) this.total += now - this.since;
    this.since = inSight ? now : null;
  }

  get seconds() {
    return (this.total + (this.since === null ? 0 : performance.now() - this.since)) / 1000;
  }
}

/** One frame. Loaded ahead, it has no task yet, and is not shown. */
export class Sheet {
  /** @param {HTMLIFrameElement} element */
  constructor(element) {
    this.element = element;
    /** @type {Task | null} */
    this.task = null;
    /** What the server calls the item of a frame loaded ahead. @type {string | null} */
    this.hint = null;
    this.shown = false;
    /** Its task has ended: nothing of it is kept any more. */
    this.over = false;
    this.greeted = false;
    this.painted = false;
    this.loadedAt = Infinity;
    /** Whether the answer differs from how the template set it, and whether somebody worked since it was kept. */
    this.changed = this.unkept = this.unstored = false;
    this.seen = new Seen();
    /** @type {string[]} */
    this.complaints = [];
    /** @type {string[]} */
    this.elements = [];
    /** @type {Promise<any> | null} */
    this.asked = null;
    this.takeDraft = null;
    /** What of its answer the server has, what it was sent, and what the browser has. @type {string | null} */
    this.mark = null;
    /** @type {string | null} */
    this.sent = null;
    /** @type {string | null} */
    this.stored = null;
    /** Its answer as the browser has it. @type {any} */
    this.content = null;
    /** Its answer before anybody did anything. @type {string | null} */
    this.begun = null;
    this.madeAt = performance.now();
    element.addEventListener("load", () => (this.loadedAt = performance.now()));
  }

  tell(kind, content = {}) {
    this.element.contentWindow?.postMessage({ nightloop: kind, ...content }, "*");
  }

  /** Count the time in sight from here, or stop counting. */
  look() {
    this.seen.look(this.shown && this.painted && !document.hidden);
  }

  /** The answer in the frame as it stands; null when it has none. Throws when the frame does not say. */
  drawn() {
    this.asked ??= new Promise((resolve, reject) => {
      this.takeDraft = resolve;
      this.tell("keep");
      setTimeout(() => reject(new Error("The task's page does not answer.")), FRAME_ANSWERS);
    }).finally(() => (this.asked = null));
    return this.asked;
  }

  /** Whether its task is in hand. */
  get isLive() {
    return this.shown && !this.over;
  }

  /** Whether there is a task in it to show: still loading counts, a page with a refusal does not. */
  get isSound() {
    return this.greeted || performance.now() - this.loadedAt < GREETS_WITHIN;
  }
}

export class Desk {
  /**
   * @param {HTMLIFrameElement} element the frame that the page came with @param {Task} task
   * @param {Record<string, (sheet: Sheet, message: any) => void>} heard what to do with the messages of the task in
   *   hand; `greeted` is told of both frames
   */
  constructor(element, task, heard) {
    this.heard = heard;
    this.current = new Sheet(element);
    this.current.task = task;
    this.current.shown = true;
    /** @type {Sheet | null} */
    this.ahead = null;
    window.addEventListener("message", (event) => this.receive(event));
    document.addEventListener("visibilitychange", () => this.current.look());
    document.addEventListener("nightloop-theme", () => this.each((sheet) => theme(sheet)));
    // A frame from the browser's cache can be ready before this script runs: let it say so again.
    this.current.tell("hello");
  }

  each(act) {
    for (const sheet of [this.current, this.ahead]) if (sheet) act(sheet);
  }

  receive({ source, data }) {
    if (typeof data?.nightloop !== "string") return;
    const sheet = [this.current, this.ahead].find((one) => one && one.element.contentWindow === source);
    if (!sheet) return;
    if (data.nightloop === "ready") this.greet(sheet, data);
    else if (data.nightloop === "painted") this.paint(sheet);
    else if (data.nightloop === "draft") sheet.takeDraft?.(data.content ?? null);
    else if (data.nightloop === "error" && !sheet.shown) sheet.complaints.push(String(data.message));
    else if (data.nightloop === "open" && sheet.shown) openLink(data.url);
    else if (sheet.shown) this.heard[data.nightloop]?.(sheet, data);
    // A click or a key that reached what nobody sees: whatever it did there, nobody meant it.
    else if (data.nightloop === "activity" || data.nightloop === "answer") this.clear();
  }

  greet(sheet, message) {
    if (sheet.greeted) return;
    sheet.greeted = true;
    sheet.elements = Array.isArray(message.elements) ? message.elements.map(String).slice(0, 50) : [];
    theme(sheet);
    this.heard.greeted(sheet, message);
  }

  paint(sheet) {
    sheet.painted = true;
    sheet.element.dataset.painted = "yes";
    sheet.look();
    if (sheet.shown) this.heard.painted(sheet, {});
  }

  /** Load a frame below the one at work. @param {string} address @param {string} hint */
  load(address, hint) {
    this.clear();
    // Not hidden by style: a frame that the browser takes for hidden neither draws nor decodes its image.
    const element = /** @type {HTMLIFrameElement} */ (this.current.element.cloneNode());
    element.removeAttribute("id");
    delete element.dataset.ready;
    delete element.dataset.painted;
    element.className = "ahead";
    element.tabIndex = -1;
    element.setAttribute("aria-hidden", "true");
    element.src = address;
    this.ahead = new Sheet(element);
    this.ahead.hint = hint;
    this.current.element.after(element);
  }

  /** Throw the frame that was loaded ahead away. */
  clear() {
    this.unpeek();
    this.ahead?.element.remove();
    this.ahead = null;
  }

  /**
   * Let the next task be seen while the answer is on its way. The one at work stays the one in hand, and nothing that
   * is done reaches either of the two: a sheet of glass lies over them, and the focus is in neither.
   */
  peek() {
    if (!this.ahead?.painted || !this.ahead.isSound) return;
    this.ahead.element.classList.add("peeked");
    glass.hidden = false;
    if (document.activeElement === this.current.element) this.current.element.blur();
  }

  /** The one at work is seen again. */
  unpeek() {
    if (!this.isPeeking) return;
    this.ahead?.element.classList.remove("peeked");
    glass.hidden = true;
    if (document.activeElement === document.body) this.current.element.focus();
  }

  get isPeeking() {
    return !glass.hidden;
  }

  /** Whether the frame that was loaded ahead is this task's, and fit to be shown. @param {Task} task */
  has(task) {
    return Boolean(this.ahead && task.item_hint && this.ahead.hint === task.item_hint && this.ahead.isSound);
  }

  /** Put the frame that was loaded ahead in the place of the one at work. @param {Task} task @returns {Sheet} */
  turn(task) {
    const [done, sheet] = [this.current, this.ahead];
    sheet.task = task;
    sheet.shown = true;
    this.current = sheet;
    this.ahead = null;
    done.shown = false;
    sheet.element.className = "";
    glass.hidden = true;
    sheet.element.removeAttribute("tabindex");
    sheet.element.removeAttribute("aria-hidden");
    sheet.element.title = `The task: ${task.title}`;
    sheet.element.dataset.task = task.task_id;
    // The old one first: there is one frame with this id at any time.
    done.element.removeAttribute("id");
    sheet.element.id = "frame";
    done.element.remove();
    sheet.look();
    sheet.element.focus();
    return sheet;
  }

  /** Focus that went into the frame below goes back. Browsers tell of no such change, so this is asked for. */
  guard() {
    if (this.isPeeking && document.activeElement === this.current.element) this.current.element.blur();
    else if (this.ahead && document.activeElement === this.ahead.element) this.current.element.focus();
  }
}

/** @param {Sheet} sheet */
function theme(sheet) {
  sheet.tell("theme", { dark: isDark() });
}

/**
 * @typedef {{task_id: string, queue: string, title: string, description: string, item?: string, item_hint?: string,
 *   expires_at: string, server_time: string, hosts?: string[]}} Task
 */
