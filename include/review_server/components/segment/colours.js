/**
 * Colours of classes in a mask, where the colour says which class a pixel has: all different, none white or black.
 * The first ten are those that the documentation's answers have (category10 of D3).
 */

const FIRST = [
  "#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf",
];

/** A colour for each of `count` classes, none of them in `taken`. @param {number} count @param {Iterable<string>} [taken] */
export function maskColours(count, taken = []) {
  const used = new Set(taken);
  const colours = [];
  for (let index = 0; colours.length < count; index += 1) {
    const colour = FIRST[index] ?? turned(index);
    if (used.has(colour)) continue;
    used.add(colour);
    colours.push(colour);
  }
  return colours;
}

/** Hues by the golden angle, so that neighbours lie far apart, at three degrees of lightness. */
function turned(index) {
  const hue = (index * 137.508) % 360;
  const light = [0.5, 0.38, 0.65][index % 3];
  const part = (shift) => {
    const at = (shift + hue / 30) % 12;
    const value = light - 0.75 * Math.min(light, 1 - light) * Math.max(-1, Math.min(at - 3, 9 - at, 1));
    return Math.round(value * 255).toString(16).padStart(2, "0");
  };
  return `#${part(0)}${part(8)}${part(4)}`;
}

/**
 * What to show of a mask: nobody's pixels are transparent.
 * @param {Uint8Array} pixels @param {number} width of a row @param {import("./mask.js").Area} area
 * @param {string[]} colours of the values from 1
 */
export function pictureOf(pixels, width, { left, top, right, bottom }, colours) {
  const channels = colours.map((colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)));
  const picture = new ImageData(right - left, bottom - top);
  let at = 0;
  for (let y = top; y < bottom; y += 1) {
    for (let index = y * width + left; index < y * width + right; index += 1, at += 4) {
      const value = pixels[index];
      if (!value) continue;
      const [red, green, blue] = channels[value - 1];
      picture.data[at] = red;
      picture.data[at + 1] = green;
      picture.data[at + 2] = blue;
      picture.data[at + 3] = 255;
    }
  }
  return picture;
}
