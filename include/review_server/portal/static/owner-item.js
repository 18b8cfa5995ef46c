/** One item: the size of the picture for what is drawn over it, the names of boxes, and whose boxes are shown. */

const picture = /** @type {HTMLImageElement | null} */ (document.querySelector(".drawn img"));
const overlay = /** @type {SVGSVGElement | null} */ (document.querySelector(".drawn svg"));
const SVG = "http://www.w3.org/2000/svg";

function fit() {
  // An answer says how many pixels the image has; without one, the browser's word is taken.
  if (!overlay.hasAttribute("viewBox")) overlay.setAttribute("viewBox", `0 0 ${picture.naturalWidth} ${picture.naturalHeight}`);
  const { width } = overlay.viewBox.baseVal;
  const size = (14 * width) / Math.max(picture.clientWidth, 1);
  for (const old of overlay.querySelectorAll("text")) old.remove();
  [...overlay.children].forEach((group, line) => {
    for (const box of group.querySelectorAll("rect")) {
      const text = document.createElementNS(SVG, "text");
      text.textContent = box.querySelector("title").textContent;
      text.setAttribute("x", String(box.x.baseVal.value + size / 4));
      // A line for each person: boxes of one thing lie over each other.
      text.setAttribute("y", String(box.y.baseVal.value + size * (line + 1)));
      text.setAttribute("font-size", String(size));
      box.after(text);
    }
  });
}

if (picture) {
  if (picture.complete && picture.naturalWidth) fit();
  picture.addEventListener("load", fit);
  picture.addEventListener("error", () => picture.closest("figure").remove());
  addEventListener("resize", () => picture.naturalWidth && fit());
}

/** @type {NodeListOf<HTMLInputElement>} */
const shows = document.querySelectorAll("[data-show]");
for (const box of shows) {
  box.addEventListener("change", () => {
    const group = overlay.querySelector(`[data-who="${box.dataset.show}"]`);
    group.toggleAttribute("hidden", !box.checked);
  });
}
