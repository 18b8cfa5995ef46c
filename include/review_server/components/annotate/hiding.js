/** Shapes that are hidden, all of them or by class, to see what is under them. Nothing is done to what is hidden. */

export class Hiding {
  /** @param {import("./annotator.js").Annotator} annotator */
  constructor(annotator) {
    this.annotator = annotator;
    /** Classes whose shapes are hidden. @type {Set<string>} */
    this.labels = new Set();
  }

  isHidden(shape) {
    return this.annotator.hides || this.labels.has(shape.label);
  }

  /** Whether nothing may be done to a shape because it is hidden; says so. */
  refuses(shape) {
    if (!this.isHidden(shape)) return false;
    this.annotator.say(`${this.annotator.titleOf(shape)} is hidden: show it first`);
    return true;
  }

  /** Hide or show all shapes. */
  toggle() {
    const { annotator } = this;
    annotator.hides = !annotator.hides;
    this.changed();
    annotator.say(`${annotator.kind.plural} ${annotator.hides ? "hidden" : "shown"}`);
    return true;
  }

  /** Hide or show a class: that of what is selected, else the one that is chosen. */
  toggleLabel(label = this.annotator.shapes.selected?.label ?? this.annotator.label) {
    if (!this.labels.delete(label)) this.labels.add(label);
    this.changed();
    this.annotator.say(`${label} ${this.labels.has(label) ? "hidden" : "shown"}`);
    return true;
  }

  /** What cannot be seen is not selected. */
  changed() {
    const { shapes } = this.annotator;
    if (shapes.selected && this.isHidden(shapes.selected)) shapes.select(null);
    this.annotator.changed();
  }

  /** Show what is about to be changed. @param {string[]} labels */
  showAgain(labels) {
    this.annotator.hides = false;
    for (const label of labels) this.labels.delete(label);
  }
}
