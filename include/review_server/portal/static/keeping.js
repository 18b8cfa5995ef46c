/**
 * Drafts: what somebody has done of a task, kept in this browser a moment after each change, with the comment, and on
 * the server every half minute and when the page is hidden or left, until the task ends. And the settings of the frames
 * (light, class, keys): one for each kind of task.
 */

import { call, say } from "./portal.js";
import { Store } from "./store.js";

const TO_SERVER_EVERY = 30_000;
const TO_BROWSER_AFTER = 1500;
// Asking a frame for a large answer takes its time: it is asked for so seldom that this stays below a twentieth.
const SHARE = 20;
const DRAFTS = { most: 20, characters: 1_000_000 };
const SETTINGS = { most: 50, characters: 20_000 };

/** @typedef {import("./desk.js").Sheet} Sheet */

export class Keeping {
  /** @param {string} worker @param {() => Sheet | null} current what is to be kept now and then */
  constructor(worker, current) {
    this.drafts = new Store("draft", worker, DRAFTS);
    this.settings = new Store("settings", worker, SETTINGS);
    this.comment = "";
    /** Whether the browser may keep drafts: not those of somebody who signed out. */
    this.mayStore = true;
    this.pause = TO_BROWSER_AFTER;
    this.last = Promise.resolve();
    setInterval(() => {
      const sheet = current();
      if (sheet) this.toServer(sheet).catch(() => {});
    }, TO_SERVER_EVERY);
  }

  /** Begin with a task: ask now for what was kept, before the frame is ready. @param {string} task */
  ask(task) {
    return call("GET", `/worker/tasks/${task}/draft`).then((draft) => draft?.answer_content ?? null, () => null);
  }

  /**
   * Show what was kept of the sheet's task, if anything was and nobody has begun anew.
   * @param {Sheet} sheet @param {Promise<any>} asked @returns {Promise<boolean>} whether it was shown
   */
  async restore(sheet, asked) {
    const here = this.drafts.get(sheet.task.task_id);
    const there = await asked;
    // The browser's is newer, unless somebody has gone on at another machine since: the server's is not from here then.
    const isNewer = here?.content && (!there || here.of?.includes(mark(there)));
    const content = isNewer ? here.content : there;
    this.comment ||= here?.comment ?? "";
    if (!content || sheet.changed) return false;
    sheet.tell("restore", { content });
    // It answers messages in their order: after this, the draft is shown.
    await sheet.drawn().catch(() => null);
    sheet.mark = mark(there);
    // Perhaps sent by the page that was left, and not there yet.
    if (isNewer) sheet.sent = mark(content);
    sheet.changed = sheet.unkept = Boolean(isNewer);
    say("Here is what you had done.");
    return true;
  }

  /** Somebody did something in the sheet, or wrote a comment. @param {Sheet} sheet */
  note(sheet) {
    sheet.unkept = sheet.unstored = true;
    this.timer ??= setTimeout(() => {
      this.timer = null;
      this.toBrowser(sheet).catch(() => {});
    }, this.pause);
  }

  /** @param {Sheet} sheet */
  async toBrowser(sheet) {
    // A task that was only looked at has nothing to keep; one that was changed back has.
    if (!sheet.unstored || !sheet.isLive || !(sheet.changed || sheet.stored || this.comment)) return;
    sheet.unstored = false;
    const begun = performance.now();
    const content = await sheet.drawn().catch(() => null);
    this.pause = Math.max(TO_BROWSER_AFTER, (performance.now() - begun) * SHARE);
    if (content && sheet.isLive) this.store(sheet, content);
  }

  /** @param {Sheet} sheet */
  store(sheet, content) {
    const now = `${mark(content)} ${sheet.mark} ${sheet.sent} ${this.comment}`;
    if (!this.mayStore) return;
    if (now === sheet.stored) return;
    sheet.stored = now;
    sheet.content = content;
    this.drafts.set(sheet.task.task_id, { content, comment: this.comment, of: [sheet.mark, sheet.sent] });
  }

  /** What the sheet would answer before anybody did anything, or as it was kept. @param {Sheet} sheet */
  begin(sheet) {
    sheet.drawn().then((content) => (sheet.begun = mark(content)), () => {});
  }

  /**
   * Have the server keep what is in the sheet, once it has what it was given before. Throws what it refuses.
   * @param {Sheet} sheet @param {boolean} [leaving] a frame tells of what is done once a second: before its page is left
   *   it is asked whatever it has told
   */
  toServer(sheet, leaving = false) {
    this.last = this.last.catch(() => {}).then(() => this.put(sheet, leaving));
    return this.last;
  }

  async put(sheet, leaving) {
    const told = sheet.unkept;
    if (!(told || leaving) || !sheet.isLive) return;
    sheet.unkept = false;
    try {
      const content = await sheet.drawn();
      if (!content || !sheet.isLive || (!told && [sheet.begun, sheet.mark].includes(mark(content)))) return;
      sheet.sent = mark(content);
      this.store(sheet, content);
      await send(sheet, content);
      sheet.mark = mark(content);
      if (sheet.isLive) this.store(sheet, content);
    } catch (error) {
      sheet.unkept = true;
      throw error;
    }
  }

  /**
   * The page is closed or left, and its frame answers nothing any more: what the browser has of it goes to the server.
   * @param {Sheet} sheet
   */
  atLast(sheet) {
    if (!sheet.content || !sheet.isLive || !this.mayStore) return;
    if (mark(sheet.content) !== (sheet.mark ?? sheet.begun)) send(sheet, sheet.content).catch(() => {});
  }

  /** The task has ended: nothing of it is kept. @param {string} task */
  forget(task) {
    this.drafts.remove(task);
    this.comment = "";
  }

  /** What the frame wants kept for tasks of its kind. @param {Sheet} sheet */
  keepSettings(sheet, settings) {
    if (settings && typeof settings === "object" && !Array.isArray(settings)) this.settings.set(kind(sheet), settings);
  }

  /** @param {Sheet} sheet */
  giveSettings(sheet) {
    sheet.tell("settings", { settings: this.settings.get(kind(sheet)) ?? {} });
  }
}

/** @param {Sheet} sheet @param {any} content */
function send(sheet, content) {
  return call("PUT", `/worker/tasks/${sheet.task.task_id}/draft`, { answer_content: content }, true);
}

/** Tasks with the same elements are of a kind. @param {Sheet} sheet */
function kind(sheet) {
  return encodeURIComponent(sheet.elements.join(" ")).slice(0, 300);
}

/** A short mark by which one content is told from another. */
function mark(content) {
  if (!content) return null;
  const text = JSON.stringify(content);
  let sum = 0;
  for (let at = 0; at < text.length; at++) sum = (Math.imul(sum, 31) + text.charCodeAt(at)) | 0;
  return `${text.length}:${sum}`;
}
