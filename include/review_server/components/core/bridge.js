/**
 * What the page and its parent tell each other, by messages. The page runs on an opaque origin and cannot know
 * its parent's, so it sends to "*" (frame-ancestors names the only possible parent) and listens to it alone.
 *
 * page → parent: {nightloop: "ready" | "answer" | "draft" | "size" | "activity" | "key" | "error", …}
 * parent → page: {nightloop: "hello" | "submit" | "keep" | "restore" | "pause" | "theme", …}
 */

const ACTIVITY_EVERY = 1000;
let lastActivity = -ACTIVITY_EVERY;

/** @param {string} kind @param {Record<string, any>} [content] */
export function tell(kind, content = {}) {
  window.parent.postMessage({ nightloop: kind, ...content }, "*");
}

/** Call `receive` with each message from the parent. @param {(message: any) => void} receive */
export function listen(receive) {
  window.addEventListener("message", (event) => {
    if (event.source === window.parent && typeof event.data?.nightloop === "string") receive(event.data);
  });
}

/** Tell the parent that somebody is at work (at most once a second), and how high the page is. */
export function report() {
  const active = (event) => {
    if (!event.isTrusted || event.timeStamp - lastActivity < ACTIVITY_EVERY) return;
    lastActivity = event.timeStamp;
    tell("activity");
  };
  for (const type of ["pointerdown", "pointermove", "keydown", "wheel", "input"]) {
    window.addEventListener(type, active, { capture: true, passive: true });
  }
  new ResizeObserver(() => {
    tell("size", { height: Math.ceil(document.documentElement.getBoundingClientRect().height) });
  }).observe(document.body);
}
