/**
 * Whether somebody is at work, and whether what the task would answer differs from how the template had set it. The
 * answer is only looked at after something that can change it, and the page around is told at most once a second.
 */

import { tell } from "./bridge.js";

const EVERY = 1000;
const CHANGES = ["pointerdown", "pointerup", "keydown", "beforeinput", "input", "change", "wheel"];

export class Activity {
  /** @param {() => string} state what would be answered, as text */
  constructor(state) {
    this.state = state;
    /** The answer as the template had set it. @type {string | null} */
    this.begun = null;
    this.changed = false;
    this.dirty = false;
    this.last = -EVERY;
    this.waiting = 0;
    for (const type of [...CHANGES, "pointermove"]) {
      // Before any listener of an element: what is noted first is what was there before the person did anything.
      window.addEventListener(type, (event) => event.isTrusted && this.note(type), { capture: true, passive: true });
    }
  }

  /** What is there now is how the template set it, when nothing was done yet. */
  begin() {
    this.begun ??= this.state();
  }

  /** @param {string} type of the event */
  note(type) {
    this.begin();
    this.dirty ||= type !== "pointermove";
    const rest = this.last + EVERY - performance.now();
    // What comes within the second is told at its end, so that the last word is true.
    if (!this.waiting) this.waiting = setTimeout(() => this.report(), Math.max(rest, 0));
  }

  report() {
    this.waiting = 0;
    this.last = performance.now();
    if (this.dirty) this.changed = this.state() !== this.begun;
    this.dirty = false;
    tell("activity", { changed: this.changed });
  }
}
