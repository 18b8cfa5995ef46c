/**
 * How bright an image is shown: brightness, contrast and gamma, by sliders and keys, kept from image to image. It is a
 * filter on what is seen; pixels and answers stay as they are.
 */

import { clamp, h, svg } from "../core/dom.js";
import { keepSetting, onSettings, setting } from "../core/settings.js";
import { toolStyle } from "./stage-style.js";

// Each is a factor of 2 to the power of what its slider says.
const MOST = 3;
const KEY_STEP = 0.25;
const NAMES = { brightness: "Brightness", contrast: "Contrast", gamma: "Gamma (shadows)" };
const NEUTRAL = { brightness: 0, contrast: 0, gamma: 0 };
let count = 0;

/**
 * @param {HTMLImageElement} image @param {ShadowRoot} root where the image is
 * @param {(text: string) => void} say @param {() => void} done when a slider is let go
 */
export function lightOf(image, root, say, done) {
  root.adoptedStyleSheets = [toolStyle, ...root.adoptedStyleSheets];
  const id = `light-${++count}`;
  const gamma = ["feFuncR", "feFuncG", "feFuncB"].map((name) => svg(name, { type: "gamma", offset: 0 }));
  const linear = ["feFuncR", "feFuncG", "feFuncB"].map((name) => svg(name, { type: "linear" }));
  // Bare of size: display: none would take the filter away.
  root.append(svg("svg", { width: 0, height: 0, style: "position: absolute", "aria-hidden": "true" },
    svg("filter", { id, x: "0", y: "0", width: "100%", height: "100%", "color-interpolation-filters": "sRGB" },
      svg("feComponentTransfer", {}, ...gamma), svg("feComponentTransfer", {}, ...linear))));
  const sliders = Object.fromEntries(Object.keys(NAMES).map((name) => [name, h("input", {
    type: "range", min: -MOST, max: MOST, step: 0.05, "aria-label": NAMES[name],
    oninput: () => set({ ...now, [name]: sliders[name].valueAsNumber }), onchange: done,
  })]));
  const reset = () => (set(NEUTRAL), say("The image's own light"), true);
  const button = h("button", {
    type: "button", class: "tool", title: "Light: brightness, contrast, gamma (I, C, Y)", "aria-label": "Light",
    "aria-expanded": "false", onclick: () => open(panel.hidden),
  }, "Light");
  const panel = h("div", { class: "light", hidden: true, role: "group", "aria-label": "Light" },
    ...Object.keys(NAMES).map((name) => h("label", {}, h("span", {}, NAMES[name]), sliders[name])),
    h("button", { type: "button", class: "tool", onclick: reset }, "Reset"));
  panel.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    open(false);
    done();
  });
  /** @type {Record<string, number>} */
  let now = NEUTRAL;

  function open(shown) {
    panel.hidden = !shown;
    button.setAttribute("aria-expanded", String(shown));
  }

  function set(light) {
    show(light);
    keepSetting("light", isNeutral(now) ? undefined : now);
  }

  function show(light) {
    now = Object.fromEntries(Object.keys(NAMES).map((name) => [name, read(light?.[name])]));
    const [brightness, contrast, lift] = Object.keys(NAMES).map((name) => 2 ** now[name]);
    for (const part of gamma) {
      part.setAttribute("amplitude", String(brightness));
      part.setAttribute("exponent", String(1 / lift));
    }
    for (const part of linear) {
      part.setAttribute("slope", String(contrast));
      part.setAttribute("intercept", String(0.5 - 0.5 * contrast));
    }
    for (const [name, slider] of Object.entries(sliders)) slider.value = String(now[name]);
    image.style.filter = isNeutral(now) ? "" : `url("#${id}")`;
    button.setAttribute("aria-pressed", String(!isNeutral(now)));
  }

  show(setting("light", NEUTRAL));
  onSettings(() => show(setting("light", NEUTRAL)));
  return {
    button, panel, reset,
    /** Some steps more of something. @param {keyof typeof NAMES} name @param {number} steps */
    step(name, steps) {
      set({ ...now, [name]: now[name] + steps * KEY_STEP });
      say(`${NAMES[name]} ${Math.round(2 ** now[name] * 100)} %`);
      return true;
    },
  };
}

function read(value) {
  return typeof value === "number" && Number.isFinite(value) ? clamp(value, -MOST, MOST) : 0;
}

function isNeutral(light) {
  return Object.values(light).every((value) => value === 0);
}
