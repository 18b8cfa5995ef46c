/** Stopping: come back later, give the task back, or decline it with a reason. And the comment that goes with an answer. */

import { call, complain, others, sayNext } from "./portal.js";
import { inWords } from "./clock.js";

const stopping = /** @type {HTMLDialogElement} */ (document.getElementById("stopping"));
const declining = /** @type {HTMLFormElement} */ (document.getElementById("declining"));
const words = /** @type {HTMLTextAreaElement} */ (document.getElementById("decline-words"));
const commenting = /** @type {HTMLDialogElement} */ (document.getElementById("commenting"));
const comment = /** @type {HTMLTextAreaElement} */ (document.getElementById("comment-words"));
const commentButton = document.getElementById("comment");

/** @typedef {import("./desk.js").Sheet} Sheet */

export class Stopping {
  /**
   * @param {import("./desk.js").Desk} desk @param {import("./keeping.js").Keeping} keeping
   * @param {{left: () => number, go: (address: string) => void, lost: (sheet: Sheet) => void}} page
   */
  constructor(desk, keeping, page) {
    this.desk = desk;
    this.keeping = keeping;
    this.page = page;
    document.getElementById("stop").addEventListener("click", () => this.open());
    stopping.querySelector("[data-stop=later]").addEventListener("click", () => this.trying(() => this.later()));
    stopping.querySelector("[data-stop=return]").addEventListener("click", () => this.trying(() => this.end("return")));
    stopping.querySelector("[data-stop=decline]").addEventListener("click", () => this.reasons());
    declining.addEventListener("submit", (event) => {
      event.preventDefault();
      const reason = new FormData(declining).get("reason");
      const said = words.value.trim();
      this.trying(() => this.end("decline", { reason, ...(said ? { comment: said } : {}) }));
    });
    declining.addEventListener("change", () => (words.required = new FormData(declining).get("reason") === "Other"));
    commentButton.addEventListener("click", () => {
      if (this.desk.isPeeking) return;
      comment.value = this.keeping.comment;
      commenting.showModal();
    });
    commenting.addEventListener("close", () => this.comment());
    onCtrlEnter(comment, () => commenting.close());
    onCtrlEnter(words, () => declining.requestSubmit());
  }

  open() {
    // What is seen is not in hand yet, and what is in hand is being answered.
    if (this.desk.isPeeking) return;
    document.getElementById("until").textContent = `for ${inWords(this.page.left())}`;
    declining.hidden = true;
    declining.reset();
    stopping.showModal();
  }

  reasons() {
    declining.hidden = false;
    declining.querySelector("input").focus();
    declining.scrollIntoView({ block: "nearest" });
  }

  comment() {
    this.keeping.comment = comment.value.trim();
    this.show();
    this.keeping.note(this.desk.current);
    this.desk.current.element.focus();
  }

  /** Whether there is a comment is seen on its button. */
  show() {
    commentButton.setAttribute("aria-label", this.keeping.comment ? "Comment (written)" : "Comment");
    commentButton.classList.toggle("written", Boolean(this.keeping.comment));
  }

  async later() {
    await this.keeping.toServer(this.desk.current, true);
    sayNext("The task is still yours, with what you did: resume it before its time is up.");
    this.page.go("/");
  }

  /** @param {string} how @param {object} body */
  async end(how, body = {}) {
    const sheet = this.desk.current;
    await call("POST", `/worker/tasks/${sheet.task.task_id}/${how}`, body);
    sheet.over = true;
    this.keeping.forget(sheet.task.task_id);
    sayNext(how === "return" ? "The task is back in the list." : "You declined the task. Somebody else will be asked.");
    others.postMessage({ kind: "ended", task: sheet.task.task_id, how });
    this.page.go("/");
  }

  async trying(act) {
    try {
      await act();
    } catch (error) {
      stopping.close();
      if (error.status === 409) return this.page.lost(this.desk.current);
      complain(`That did not work: ${error.message} Try again.`);
    }
    return undefined;
  }
}

/** What sends an answer ends a text as well. @param {HTMLElement} field @param {() => void} act */
function onCtrlEnter(field, act) {
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    act();
  });
}
