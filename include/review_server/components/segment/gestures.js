/** Painting by pointer: brush and eraser paint while it is down, a click sets a corner of a polygon. */

import { settled } from "../annotate/kinds.js";
import { Pointers } from "../annotate/pointers.js";

/** @param {import("./segmentation.js").Segmentation} element */
export function listenToStrokes(element) {
  new Strokes(element);
}

class Strokes extends Pointers {
  begin(_event, place, start) {
    const { element } = this;
    element.cursor = null;
    if (element.tool === "polygon") return { type: "point", ...start };
    element.stroke(place.at, place.at);
    return { type: "stroke", last: place.at, dragFrom: 0, ...start };
  }

  drag(act, place) {
    if (act.type === "stroke") {
      this.element.stroke(act.last, place.at);
      act.last = place.at;
    }
    this.element.hover(place);
  }

  end(act, place) {
    if (act.type === "stroke") this.element.settle();
    else this.element.polygon.place(settled(place.at, this.element.size, 0));
  }

  abandon() {
    this.element.abandon();
  }

  look(event, place) {
    const { element } = this;
    this.cursor("crosshair");
    element.hover(event.pointerType === "touch" ? null : place);
  }
}
