/**
 * Whether the task has been drawn, and how long it was in sight since: nothing is submitted that nobody has looked at.
 * A frame that is loaded ahead, out of sight, is drawn once it comes into sight.
 */

import { complain } from "./complaints.js";
import { tell } from "./bridge.js";

const LONGEST_LEAST = 60;
// A picture of the template that has not come by then holds nobody up any longer. An element's own image does.
const PATIENCE = 30_000;

export class Seen {
  constructor() {
    this.painted = false;
    this.least = 0;
    this.paused = false;
    this.inView = false;
    /** Milliseconds in sight, without the present stretch; when that began. @type {number | null} */
    this.before = 0;
    this.since = null;
    new IntersectionObserver((entries) => {
      this.inView = entries.at(-1).isIntersecting;
      this.turn();
    }).observe(document.documentElement);
    document.addEventListener("visibilitychange", () => this.turn());
  }

  /** Wait until everything is drawn; tell it. */
  async watch() {
    await Promise.all(pictures().map((image) => come(image)));
    await drawn();
    this.painted = true;
    this.turn();
    tell("painted");
  }

  /** From now on it must be in sight so long. @param {any} seconds */
  demand(seconds) {
    this.least = Math.min(Math.max(Number(seconds) || 0, 0), LONGEST_LEAST);
    this.before = 0;
    this.since = null;
    this.turn();
  }

  /** @param {boolean} paused */
  pause(paused) {
    this.paused = paused;
    this.turn();
  }

  /** Something changed of what makes it seen. */
  turn() {
    const now = performance.now();
    if (this.since !== null) this.before += now - this.since;
    this.since = this.painted && this.inView && !this.paused && !document.hidden ? now : null;
  }

  /** Why nothing can be submitted yet, or null. */
  lacking() {
    this.turn();
    if (!this.painted) return "The task is not shown completely yet: wait for its image, then submit";
    if (this.before < this.least * 1000) return "You have only just begun to see this task: look at it, then submit again";
    return null;
  }
}

/** Every picture of the template, and those inside of elements. @returns {HTMLImageElement[]} */
function pictures() {
  // Not by the root's own method: that one complains of templates that look for what is not there (element.js).
  const find = ShadowRoot.prototype.querySelectorAll;
  const inside = [...document.querySelectorAll("*")].flatMap((element) =>
    /** @type {HTMLImageElement[]} */ (element.shadowRoot ? [...find.call(element.shadowRoot, "img")] : []));
  return [...document.images, ...inside].filter((image) => image.getAttribute("src") && image.loading !== "lazy");
}

/** When a picture is decoded, or cannot be. @param {HTMLImageElement} image */
async function come(image) {
  const own = image.getRootNode() !== document;
  await Promise.race([
    new Promise((resolve) => {
      if (image.complete) resolve(null);
      for (const type of ["load", "error"]) image.addEventListener(type, resolve, { once: true });
    }),
    // An element says by itself that its image is missing, and holds the answer back.
    new Promise((resolve) => own || setTimeout(resolve, PATIENCE)),
  ]);
  if (!image.complete) complain(`A picture of this task has not come within ${PATIENCE / 1000} seconds: ${image.src.split("?")[0]}`);
  else if (image.naturalWidth) await image.decode().catch(() => null);
}

/** After the browser has drawn twice, which it does in sight alone. */
function drawn() {
  return new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
}
