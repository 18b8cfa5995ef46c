/** What letters mean for a moment: shapes that show one each (hints.js), or points of a grid (grid.js). */

import { boundsOf } from "./finding.js";
import { Grid } from "./grid.js";
import { Hints } from "./hints.js";
import { boxOf, moved } from "./kinds.js";

export class Letters {
  /** @param {import("./annotator.js").Annotator} annotator */
  constructor(annotator) {
    this.annotator = annotator;
    /** What they mean now; null when nothing is asked for. @type {Hints | Grid | null} */
    this.mode = null;
  }

  /** @param {Hints | Grid} mode */
  begin(mode) {
    const { annotator } = this;
    this.mode = mode;
    annotator.drawing.set(null);
    annotator.focusStage();
    annotator.say(mode.said);
    return true;
  }

  end() {
    if (!this.mode) return;
    this.mode = null;
    this.annotator.changed();
  }

  /** Ask which shape to select. */
  select() {
    return this.annotator.size ? this.begin(new Hints(this.annotator)) : false;
  }

  /** Ask for points: of a new box, of the selected one, or where the selected shape goes. */
  place(what) {
    const { annotator } = this;
    const { size, kind, shapes: { selected: shape } } = annotator;
    if (!size) return false;
    if (!shape && what !== "new") return annotator.say(`Select a ${kind.noun} first`), true;
    return this.begin(new Grid(annotator, what === "move" ? 1 : 2, ([a, b]) => {
      if (what === "move") {
        const { left, top } = boundsOf(shape.points);
        annotator.nudge(shape.id, moved(shape.points, a.x - left, a.y - top, annotator.size, kind.room));
        return;
      }
      const points = boxOf(a, b);
      if (!kind.large(points)) annotator.say("That is no box: its corners are the same");
      else if (what === "new") annotator.addShape(points);
      else annotator.nudge(shape.id, points);
    }));
  }
}
