/** crowd-semantic-segmentation: a value is a class. */

import { firstClass } from "../annotate/carried.js";
import { maskColours } from "./colours.js";
import { Segmentation } from "./segmentation.js";

// A byte a pixel: 0 is nobody's.
const MOST_CLASSES = 255;
// What Ground Truth's label maps call nobody's pixels.
const BACKGROUND = "BACKGROUND";

export class CrowdSemanticSegmentation extends Segmentation {
  /** Classes by their value in the mask, less one. It only grows: values keep their meaning. @type {string[]} */
  classes = [];
  /** @type {Map<string, string>} */
  colours = new Map();

  update() {
    const mapped = this.mapped(this.preset ? this.initialValue : null);
    this.know([...mapped.map(([label]) => label), ...this.labels]);
    const given = mapped.filter(([, colour]) => /^#[0-9a-f]{6}$/.test(colour));
    this.colours = new Map(/** @type {[string, string][]} */ (given));
    this.know([]);
    super.update();
  }

  /** The classes that a mask names, with their colours as they are written. @returns {[string, string][]} */
  mapped(answer) {
    return Object.entries(answer?.labelMappings ?? {}).filter(([label]) => !this.isBackground(label))
      .map(([label, at]) => [label, String(at?.color ?? "").toLowerCase()]);
  }

  isBackground(label) {
    return label === BACKGROUND && !this.labels.includes(BACKGROUND);
  }

  /** Give each class a value in the mask and a colour. @param {string[]} labels */
  know(labels) {
    this.classes.push(...new Set(labels.filter((label) => !this.classes.includes(label))));
    if (this.classes.length > MOST_CLASSES) this.complain(`labels of ${this.localName}: at most ${MOST_CLASSES} are possible`);
    const rest = this.classes.filter((label) => !this.colours.has(label));
    maskColours(rest.length, this.colours.values()).forEach((colour, index) => this.colours.set(rest[index], colour));
  }

  get palette() {
    return this.classes.map((label) => this.colour(label));
  }

  adopt(answer) {
    const mapped = this.mapped(answer);
    this.know(mapped.map(([label]) => label));
    const background = answer.labelMappings?.[BACKGROUND];
    return [...mapped.map(([label, colour]) => /** @type {[string, number]} */ ([colour, this.classes.indexOf(label) + 1])),
      ...(background && this.isBackground(BACKGROUND) ? [/** @type {[string, number]} */ ([String(background.color), 0])] : [])];
  }

  explained() {
    const used = this.classes.filter((label, index) => this.labels.includes(label) || this.mask?.counts[index + 1]);
    return { labelMappings: Object.fromEntries(used.map((label) => [label, { color: this.colour(label) }])) };
  }

  chosen() {
    return this.classes.indexOf(this.label) + 1;
  }

  labelOf(value) {
    return this.classes[value - 1];
  }

  chooseLabel(label) {
    const before = this.isUnknown(this.label) ? this.chosen() : 0;
    super.chooseLabel(label);
    this.give(before);
    return true;
  }

  delete(value) {
    if (this.chosen() === value) this.label = firstClass(this.labels);
    super.delete(value);
  }

  colour(label) {
    return this.colours.get(label) ?? "#ffffff";
  }

  /** The classes to choose from, and others that a mask to correct has; what each has of the image. */
  choices() {
    const { mask, labels } = this;
    const others = this.classes.filter((label, index) => !labels.includes(label) && mask?.counts[index + 1]);
    return [...labels, ...others].map((label) => {
      const share = mask ? this.shareOf(this.classes.indexOf(label) + 1) : "";
      return { label, count: share, counted: `${share} of the image` };
    });
  }
}
