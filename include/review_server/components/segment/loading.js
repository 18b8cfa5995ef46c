/**
 * Masks on their way to the stage: the one to correct, then the one that was kept, read one after the other. While one
 * of them is not there, no answer can be given. A colour of no class is left out; a class that is not offered stays, as
 * that of a shape does (prelabels.js). Both are told.
 */

import { listed, unknownWords } from "../annotate/prelabels.js";
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
    /** Whether some of the mask to correct could not be shown, and so is not in the answer. */
    this.lacking = false;
    /** Kept masks that were loaded. */
    this.loads = 0;
  }

  /** Begin (again) with the initial value, in a mask that is there. */
  begin() {
    const { mask, initialValue } = this.element;
    const nothing = new Uint8Array(mask.pixels.length);
    mask.load(nothing);
    this.initial = initialValue?.src ? null : nothing;
    this.lacking = false;
    this.reading = this.readInitial().then(() => this.readKept());
  }

  /** Show a kept answer as soon as that is possible. @param {string} source the address of its mask @param {any} answer */
  restore(source, answer) {
    this.kept = { source, answer };
    if (this.element.mask) this.reading = this.reading.then(() => this.readKept());
  }

  /** Whether the mask is another than the initial value. */
  get isModified() {
    return this.lacking || !this.initial || !same(this.initial, this.element.mask.pixels);
  }

  async readInitial() {
    const { element } = this;
    const initial = element.initialValue;
    if (!initial?.src) return;
    const read = await this.read(initial.src, element.adopt(initial), `initial-value of ${element.localName}`);
    this.initial = read?.pixels ?? null;
    this.lacking = Boolean(read?.strange.size);
  }

  async readKept() {
    const { kept } = this;
    this.kept = null;
    if (!kept) return;
    await this.read(kept.source, this.element.adopt(kept.answer), `the kept answer of ${this.element.localName}`);
    this.loads += 1;
  }

  /**
   * Begin with a mask from a file.
   * @param {string} source its address @param {[string, number][]} values its colours, and the value of each
   * @param {string} what as a complaint names it
   * @returns {Promise<Awaited<ReturnType<typeof valuesOf>> | null>} what was read; null when it cannot be had, which is said
   */
  async read(source, values, what) {
    const { element } = this;
    const { mask } = element;
    this.missing = "The mask to begin with is still being loaded";
    element.panel.waiting(`${this.missing}…`);
    try {
      const read = await valuesOf(source, mask, values);
      if (mask !== element.mask) return null;
      mask.load(read.pixels);
      this.missing = "";
      element.show();
      element.changed();
      this.tell(what, read.strange);
      return read;
    } catch (error) {
      this.missing = `The mask to begin with could not be read: ${error.message}`;
      element.complain(this.missing);
      return null;
    } finally {
      element.panel.waiting("");
    }
  }

  /** Say what became of a mask. @param {string} what @param {Map<string, number>} strange its colours of no class */
  tell(what, strange) {
    const { element } = this;
    if (strange.size) {
      const share = element.partOf([...strange.values()].reduce((sum, count) => sum + count));
      const colours = [...strange].sort(([, one], [, other]) => other - one).map(([colour]) => colour);
      const which = strange.size === 1 ? "1 colour of the mask is" : `${strange.size} colours of the mask are`;
      element.complain(`${what}: ${which} of no class that it names (${listed(colours)}): ${share} of the image, which was left out`);
    }
    const areas = element.areas();
    const unknown = areas.map((value, index) => ({ label: element.labelOf(value), number: index + 1 }))
      .filter(({ label }) => element.isUnknown(label));
    for (const words of unknownWords(what, element.kind, areas.length, unknown)) element.complain(words);
  }
}
