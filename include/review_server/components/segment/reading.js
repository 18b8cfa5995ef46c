/** A mask from an image file: which class each pixel has, by its colour. */

// Of each channel: colour profiles and protection against fingerprints move what a page reads by a little.
const TOLERANCE = 6;

/**
 * @param {string} source the file's address @param {{width: number, height: number}} size that it must have
 * @param {[string, number][]} values colours as #rrggbb, and the value of each in the mask
 * @returns {Promise<{pixels: Uint8Array, strange: Map<string, number>}>} a value per pixel, 0 for transparent and white
 *   ones and for colours that are not listed; these colours, each with how many pixels have it
 * @throws {Error} when it cannot be loaded or has another size
 */
export async function valuesOf(source, { width, height }, values) {
  const image = new Image();
  image.crossOrigin = "anonymous";
  image.src = source;
  try {
    await image.decode();
  } catch {
    throw new Error("it could not be loaded (its bucket must allow reading by CORS)");
  }
  if (image.naturalWidth !== width || image.naturalHeight !== height) {
    throw new Error(`it has ${image.naturalWidth} × ${image.naturalHeight} pixels, and the image ${width} × ${height}`);
  }
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  const known = values.map(([colour, value]) => [...[1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)), value]);
  const found = new Map();
  const unlisted = new Map();
  const pixels = new Uint8Array(width * height);
  for (let index = 0, at = 0; index < pixels.length; index += 1, at += 4) {
    if (data[at + 3] < 128) continue;
    const colour = (data[at] << 16) | (data[at + 1] << 8) | data[at + 2];
    if (!found.has(colour)) found.set(colour, nearest(known, data[at], data[at + 1], data[at + 2]));
    const value = found.get(colour);
    if (value === null) unlisted.set(colour, (unlisted.get(colour) ?? 0) + 1);
    else pixels[index] = value;
  }
  const strange = [...unlisted].map(([colour, count]) =>
    /** @type {[string, number]} */ ([`#${colour.toString(16).padStart(6, "0")}`, count]));
  return { pixels, strange: new Map(strange) };
}

// Ground Truth's own label maps have it where nobody painted.
const WHITE = [[255, 255, 255, 0]];

/** @returns {number | null} the value of the colour that is meant; null when none is */
function nearest(known, red, green, blue) {
  let [least, value] = [TOLERANCE + 1, null];
  for (const [r, g, b, at] of known) {
    const distance = Math.max(Math.abs(r - red), Math.abs(g - green), Math.abs(b - blue));
    if (distance < least) [least, value] = [distance, at];
  }
  return value ?? (known === WHITE ? null : nearest(WHITE, red, green, blue));
}
