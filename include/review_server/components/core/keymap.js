/**
 * Which act a key does. Each element has a table of acts with the keys they come with; a person may give an act another
 * key, which is kept as the setting `keys`: {act: chord}. Help and keyboard read the same table.
 */

import { chordOf } from "./key-name.js";
import { keepSetting, setting } from "./settings.js";

const SETTING = "keys";

/**
 * @typedef {{id: string, keys: string[], text: string, run: (event: KeyboardEvent) => boolean}} Act
 *   `keys` are chords (key-name.js); `run` says whether it did anything
 */

export class Keymap {
  /** @param {Act[]} acts @param {string[]} [taken] chords that mean something else and cannot be given to an act */
  constructor(acts, taken = []) {
    this.acts = acts;
    this.taken = new Set([...taken, "Ctrl+Enter", "Escape", "Tab", "Shift+Tab"]);
  }

  /** The chords of an act: its own key in place of all that it came with. @param {Act} act @returns {string[]} */
  keysOf(act) {
    const own = this.own[act.id];
    return typeof own === "string" && own ? [own] : act.keys;
  }

  /** @returns {Record<string, any>} */
  get own() {
    const own = setting(SETTING, {});
    return typeof own === "object" && own !== null ? own : {};
  }

  /** Do what a key means. @param {KeyboardEvent} event @returns {boolean} whether that did anything */
  press(event) {
    const chord = chordOf(event);
    if (!chord) return false;
    // A key that somebody gave to an act of every element may be one that this element came with.
    const act = this.acts.find(({ id }) => this.own[id] === chord) ?? this.acts.find((one) => this.keysOf(one).includes(chord));
    return act?.run(event) ?? false;
  }

  /**
   * Give an act a key.
   * @param {string} id @param {string} chord
   * @returns {string} why not; "" when it is done
   */
  assign(id, chord) {
    const other = this.acts.find((act) => act.id !== id && this.keysOf(act).includes(chord));
    if (other) return `does already: ${other.text}. Choose another key, or change that one first.`;
    if (this.taken.has(chord) || /^(Shift\+)?[0-9]$/.test(chord)) return "has a fixed meaning. Choose another key.";
    keepSetting(SETTING, { ...this.own, [id]: chord });
    return "";
  }

  /** All keys as they came. */
  reset() {
    const ids = new Set(this.acts.map((act) => act.id));
    const rest = Object.fromEntries(Object.entries(this.own).filter(([id]) => !ids.has(id)));
    keepSetting(SETTING, Object.keys(rest).length ? rest : undefined);
  }
}
