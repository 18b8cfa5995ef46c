/**
 * Colours of classes: chosen so that people with any colour vision can tell neighbours apart (after the palettes of
 * Okabe and Ito, and of Paul Tol), bright enough to stand on a photograph with a dark halo. After twelve classes the
 * colours come again, with dashes.
 */

const COLOURS = [
  "#56b4e9", "#e69f00", "#f0e442", "#00c08b", "#e377b8", "#ff7043", "#b7a6ff", "#ffffff", "#a5d63f", "#4fd8d8", "#d9b38c", "#ff5c7a",
];

/** @param {number} index @returns {string} a colour as #rrggbb */
export function colourOf(index) {
  return COLOURS[((index % COLOURS.length) + COLOURS.length) % COLOURS.length];
}

/** The dash pattern (SVG) of the class with that index: solid for the first twelve. */
export function dashOf(index) {
  return ["", "8 4", "2 3", "10 3 2 3"][Math.floor(Math.max(index, 0) / COLOURS.length) % 4];
}

/** Black or white, whichever reads better on a colour. @param {string} colour #rrggbb */
export function inkOn(colour) {
  const channels = /^#(..)(..)(..)$/.exec(colour)?.slice(1).map((text) => {
    const part = parseInt(text, 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  if (!channels) return "#000000";
  return 0.2126 * channels[0] + 0.7152 * channels[1] + 0.0722 * channels[2] > 0.18 ? "#000000" : "#ffffff";
}
