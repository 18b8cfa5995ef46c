/** What became of a task elsewhere, or by the clock: why it cannot be answered any more, and what can still be done. */

import { call, say } from "./portal.js";
import { ask, uncover } from "./cover.js";

/** @typedef {import("./desk.js").Sheet} Sheet */

export class Ending {
  /**
   * @param {import("./desk.js").Desk} desk @param {import("./keeping.js").Keeping} keeping
   * @param {import("./sending.js").Sending} sending
   * @param {{active: import("./clock.js").ActiveTime, countdown: () => import("./clock.js").Countdown,
   *   go: (address: string) => void}} page
   */
  constructor(desk, keeping, sending, page) {
    this.desk = desk;
    this.keeping = keeping;
    this.sending = sending;
    this.page = page;
  }

  /** The task is not in hand any more: find out why, and offer what can still be done. @param {Sheet} sheet */
  async lost(sheet) {
    const { task_id, queue } = sheet.task;
    const status = (await call("GET", `/worker/tasks/${task_id}`).catch(() => ({}))).status;
    // A lease that has just run out may still be called InHand: taking it again settles that.
    if (status === "InHand" || status === "Expired" || status === "Returned") return this.again();
    const [heading, text] = {
      Answered: ["This task is done", "It was submitted before, perhaps in another tab; that answer counts."],
      Declined: ["You declined this task", "Somebody else will be asked."],
      Withdrawn: ["This task was withdrawn", "An owner took it back, or the answer is not needed any more."],
    }[status] ?? ["This task has ended", "It cannot be answered any more."];
    this.close(sheet);
    return ask(heading, text, [["Next task", () => this.sending.next(queue)], this.toList]);
  }

  /** @returns {import("./cover.js").Action} */
  get toList() {
    return ["To the list", () => this.page.go("/")];
  }

  /** Nothing of it can be used any more. @param {Sheet} sheet */
  close(sheet) {
    sheet.over = true;
    this.sending.kept = null;
    this.keeping.forget(sheet.task.task_id);
  }

  timeIsUp() {
    this.page.active.pause();
    this.desk.current.tell("pause", { paused: true });
    ask("The time for this task is up", "What you did is still on this page. If nobody else has the task yet, you can take it again.", [
      ["Take it again and go on", () => this.again()],
      this.toList,
    ]);
  }

  /** Take the very same task once more, and send what could not be sent. */
  async again() {
    const sheet = this.desk.current;
    try {
      const before = sheet.task.task_id;
      const taken = await call("POST", `/worker/tasks/${before}/again`, {});
      this.resume(sheet, before, taken);
    } catch (error) {
      this.gone(sheet, error);
    }
  }

  /** @param {Sheet} sheet */
  resume(sheet, before, taken) {
    sheet.task = { ...sheet.task, ...taken };
    if (taken.task_id !== before) this.keeping.drafts.remove(before);
    this.keeping.note(sheet);
    history.replaceState(null, "", `/work/${taken.task_id}`);
    this.page.countdown().restart(taken.server_time, taken.expires_at);
    this.page.active.restart();
    sheet.tell("pause", { paused: false });
    uncover();
    if (this.sending.kept) {
      this.sending.send(sheet, this.sending.kept.content);
      return;
    }
    say("The task is yours again; your work is as it was.");
    sheet.element.focus();
  }

  /** @param {Sheet} sheet */
  gone(sheet, error) {
    if (error.status === 401 || error.status === 403) return this.sending.whose(error);
    if (error.status === 0) return ask("Not reached", error.message, [["Try again", () => this.again()]]);
    if (error.code === "AnotherInHand") {
      return ask("You have another task in hand", `In another tab, perhaps. What you did here is still on this page: ${error.message}.`, [
        ["Take it again and go on", () => this.again()],
        this.toList,
      ]);
    }
    const { queue } = sheet.task;
    this.close(sheet);
    return ask("The time ran out", "Somebody else has this task now, or it has ended, so this work cannot be used. Sorry.", [
      ["Next task", () => this.sending.next(queue)],
      this.toList,
    ]);
  }
}
