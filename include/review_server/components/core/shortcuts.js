/** The key of each class. Shared by the palette of the annotation elements and by the classifiers. */

/**
 * The first ten get 1…9, 0. Classes that are themselves digits get their own digit: "3" must mean 3.
 * @param {string[]} names
 * @returns {string[]} one key per name, "" for none
 */
export function keysFor(names) {
  if (names.length && names.every((name) => /^[0-9]$/.test(name)) && new Set(names).size === names.length) return names;
  return names.map((_, index) => (index < 9 ? String(index + 1) : index === 9 ? "0" : ""));
}
