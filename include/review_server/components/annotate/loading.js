/**
 * Shapes on their way to the stage, from an initial value or a kept answer: read at once, fitted to the image as soon
 * as it is there, and told to the person where something could not be kept (prelabels.js).
 */

import { fitAll, readAll, wordsOf } from "./prelabels.js";

export class Loading {
  /** @param {import("./annotator.js").Annotator} annotator */
  constructor(annotator) {
    this.annotator = annotator;
    /** Shapes that have not been fitted to the image yet: it is not there. @type {any} */
    this.incoming = null;
    /** The size of the image to which they were fitted. */
    this.fittedTo = "";
  }

  /** Begin with the shapes of a list, or of an answer. @param {any} value @param {string} what as a complaint names it */
  load(value, what) {
    const { annotator } = this;
    const items = Array.isArray(value) ? value : value?.[annotator.collection];
    const nothing = value === null || value === undefined || JSON.stringify(value) === "{}";
    const broken = !Array.isArray(items) && !nothing;
    if (broken) annotator.complain(`${what} is no list of ${annotator.kind.plural}`);
    const list = Array.isArray(items) ? items : [];
    const incoming = { what, broken, total: list.length, ...readAll(list, (item) => annotator.read(item)) };
    this.incoming = incoming;
    annotator.shapes.load(incoming.shapes);
    this.fit();
    return incoming;
  }

  /** The image has been loaded, perhaps another one below the same shapes: they are fitted to it as well. */
  imageCame() {
    const { size, shapes: { items }, kind, localName } = this.annotator;
    const image = `${size.width} × ${size.height}`;
    if (!this.incoming && this.fittedTo !== image) {
      this.incoming = { what: `The ${kind.plural} of ${localName}`, unreadable: [], excess: 0, total: items.length,
        shapes: items.map((shape, index) => ({ ...shape, number: index + 1 })) };
    }
    this.fittedTo = image;
    this.fit();
  }

  /** Fit what was loaded to the image, as soon as both are there, and tell what became of it. */
  fit() {
    const { incoming, annotator } = this;
    const { size, kind, shapes } = annotator;
    if (!incoming || !size) return;
    this.incoming = null;
    const { kept, ...numbers } = fitAll(incoming.shapes, kind, size);
    if (kept.some((shape, index) => shape !== incoming.shapes[index]) || kept.length < incoming.shapes.length) shapes.load(kept);
    const unknown = kept.filter((shape) => annotator.isUnknown(shape.label));
    for (const words of wordsOf(incoming.what, kind, { ...incoming, ...numbers, unknown })) annotator.complain(words);
  }
}
