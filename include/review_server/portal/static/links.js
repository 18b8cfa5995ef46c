/** Links that a person follows in a task's frame: opened in a tab of their own, which has no way back. */

const LONGEST = 4_000;

/**
 * Open an address that a frame handed on. The frame is a stranger: only web addresses, and only while the browser
 * says that a person has just clicked or typed; each click opens one.
 * @param {any} url
 */
export function openLink(url) {
  if (typeof url !== "string" || url.length > LONGEST || !/^https?:\/\//i.test(url)) return;
  if (navigator.userActivation && !navigator.userActivation.isActive) return;
  window.open(url, "_blank", "noopener,noreferrer");
}
