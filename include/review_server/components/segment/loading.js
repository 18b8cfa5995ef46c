/**
 * Masks on their way to the stage: the one to correct, then the one that was kept, read one after the other. While one
 * of them is not there, no answer can be given.
 */

import { same } from "./mask.js";
import { valuesOf } from "./reading.js";

export class Loading {
  /** @param {import("./segmentation.js").Segmentation} element */
  constructor(element) {
    this.element = element;
    /** What keeps the answer from being given: a mask to correct that is not there. */
    this.missing = "";
    /** The masks that are being read, one after the other. */
    this.reading = Promise.resolve();
    /** A mask that was kept, until it is read. @type {{source: string, answer: any} | null} */
    this.kept = null;
    /** The mask to correct, as it was. @type {Uint8Array | null} */
    this.initial = null;
    /** Kept masks that were loaded. */
    this.loads = 0;
  }

  /** Begin (again) with the initial value, in a mask that is there. */
  begin() {
    const { mask, initialValue } = this.element;
    const nothing = new Uint8Array(mask.pixels.length);
    mask.load(nothing);
    this.initial = initialValue?.src ? null : nothing;
    this.reading = this.readInitial().then(() => this.readKept());
  }

  /** Show a kept answer as soon as that is possible. @param {string} source the address of its mask @param {any} answer */
  restore(source, answer) {
    this.kept = { source, answer };
    if (this.element.mask) this.reading = this.reading.then(() => this.readKept());
  }

  /** Whether the mask is another than the initial value. */
  get isModified() {
    return !this.initial || !same(this.initial, this.element.mask.pixels);
  }

  async readInitial() {
    const { element } = this;
    const initial = element.initialValue;
    if (initial?.src) this.initial = await this.read(initial.src, element.adopt(initial));
  }

  async readKept() {
    const { kept } = this;
    this.kept = null;
    if (!kept) return;
    await this.read(kept.source, this.element.adopt(kept.answer));
    this.loads += 1;
  }

  /**
   * Begin with a mask from a file.
   * @param {string} source its address @param {[string, number][]} values its colours, and the value of each
   * @returns {Promise<Uint8Array | null>} its values; null when it cannot be had, which is said
   */
  async read(source, values) {
    const { element } = this;
    const { mask } = element;
    this.missing = "The mask to begin with is still being loaded";
    element.panel.waiting(`${this.missing}…`);
    try {
      const pixels = await valuesOf(source, mask, values);
      if (mask !== element.mask) return null;
      mask.load(pixels);
      this.missing = "";
      element.show();
      element.changed();
      return pixels;
    } catch (error) {
      this.missing = `The mask to begin with could not be read: ${error.message}`;
      element.complain(this.missing);
      return null;
    } finally {
      element.panel.waiting("");
    }
  }
}
