/**
 * What the page and its parent tell each other, by messages. The page runs on an opaque origin and cannot know
 * its parent's, so it sends to "*" (frame-ancestors names the only possible parent) and listens to it alone.
 *
 * page → parent: {nightloop: "ready" | "painted" | "answer" | "held" | "draft" | "size" | "activity" | "settings" | "key"
 *   | "error" | "open", …}
 * parent → page: {nightloop: "hello" | "submit" | "keep" | "restore" | "pause" | "theme" | "settings" | "least" | "key", …}
 */

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

/** Tell the parent how high the page is, whenever that changes. */
export function reportSize() {
  new ResizeObserver(() => {
    tell("size", { height: Math.ceil(document.documentElement.getBoundingClientRect().height) });
  }).observe(document.body);
}
