/** Small helpers for building elements. Text always goes in as text: nothing here reads HTML. */

/**
 * An HTML element with attributes, listeners (`onclick`) and children.
 * @param {string} name
 * @param {Record<string, any>} [attributes] null, undefined and false leave an attribute out
 * @param {...(Node | string | null | undefined)} children
 * @returns {any}
 */
export function h(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** The same for SVG. @param {string} name @returns {any} */
export function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Put `value` between `least` and `most`. */
export function clamp(value, least, most) {
  return Math.max(least, Math.min(most, value));
}

/** Whether keys typed here are text, and must not be taken for commands. @param {Event} event */
export function isTyping(event) {
  const target = event.composedPath()[0];
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target.matches("textarea, select, audio, video")) return true;
  return target instanceof HTMLInputElement && !["button", "submit", "reset", "checkbox"].includes(target.type);
}

/**
 * The stored size of a loaded image, in pixels; null while it is not laid out (a closed tab). `naturalWidth` would
 * be the size after the turn that EXIF asks for, so the size is taken from the layout, where no turn is made.
 * @param {HTMLImageElement} image with `image-orientation: none` in its style
 * @returns {{width: number, height: number} | null}
 */
export function storedSize(image) {
  const style = image.getAttribute("style") ?? "";
  const bare = "position: absolute; width: auto; height: auto; min-width: 0; min-height: 0; max-width: none; max-height: none";
  image.setAttribute("style", `image-orientation: none; ${bare}`);
  const size = { width: image.offsetWidth, height: image.offsetHeight };
  image.setAttribute("style", style);
  return size.width && size.height ? size : null;
}
