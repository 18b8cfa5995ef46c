/** A mask from an image file: which class each pixel has, by its colour. */

// Of each channel: colour profiles and protection against fingerprints move what a page reads by a little.
const TOLERANCE = 6;

/**
 * @param {string} source the file's address @param {{width: number, height: number}} size that it must have
 * @param {[string, number][]} values colours as #rrggbb, and the value of each in the mask
 * @returns {Promise<Uint8Array>} a value per pixel; 0 for transparent ones, and for colours that are not listed
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
  const pixels = new Uint8Array(width * height);
  for (let index = 0, at = 0; index < pixels.length; index += 1, at += 4) {
    if (data[at + 3] < 128) continue;
    const colour = (data[at] << 16) | (data[at + 1] << 8) | data[at + 2];
    if (!found.has(colour)) found.set(colour, nearest(known, data[at], data[at + 1], data[at + 2]));
    pixels[index] = found.get(colour);
  }
  return pixels;
}

function nearest(known, red, green, blue) {
  let [least, value] = [TOLERANCE + 1, 0];
  for (const [r, g, b, at] of known) {
    const distance = Math.max(Math.abs(r - red), Math.abs(g - green), Math.abs(b - blue));
    if (distance < least) [least, value] = [distance, at];
  }
  return value;
}
