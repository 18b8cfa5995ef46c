/**
 * What has been drawn, what is selected, and how to undo. Shapes are never changed in place: an edit makes a new
 * list, so that a step of history is one reference.
 */

/** @typedef {{x: number, y: number}} Point */
/** @typedef {{id: number, label: string, points: Point[]}} Shape */

const MOST_STEPS = 500;

export class Shapes {
  /** @param {() => void} changed called after every change of shapes or selection */
  constructor(changed) {
    this.changed = changed;
    /** @type {Shape[]} */
    this.items = [];
    this.past = [];
    this.future = [];
    /** @type {number | null} */
    this.selectedId = null;
    /** Which point of the selected shape the keyboard moves; null: all. @type {number | null} */
    this.vertex = null;
    this.lastId = 0;
  }

  /** Begin with these shapes; nothing before them can be undone to. */
  load(items) {
    this.items = items.map((item) => ({ ...item, id: ++this.lastId }));
    this.past = [];
    this.future = [];
    this.select(null);
  }

  get selected() {
    return this.items.find((shape) => shape.id === this.selectedId) ?? null;
  }

  /** @param {number | null} id */
  select(id) {
    this.selectedId = id;
    this.vertex = null;
    this.burst = null;
    this.changed();
  }

  /** @returns {Shape} */
  add(label, points) {
    const shape = { id: ++this.lastId, label, points };
    this.step([...this.items, shape]);
    this.select(shape.id);
    return shape;
  }

  remove(id) {
    this.step(this.items.filter((shape) => shape.id !== id));
    this.select(null);
  }

  /**
   * Replace members of one shape. Edits of the same `burst` (arrow keys held down) are one step of history.
   * @param {string} [burst]
   */
  edit(id, members, burst) {
    if (burst && burst === this.burst) this.items = this.with(id, members);
    else this.step(this.with(id, members));
    this.burst = burst ?? null;
    this.changed();
  }

  /** Show an edit that is still going on; `settle` makes it a step. */
  preview(id, members) {
    this.before ??= this.items;
    this.items = this.with(id, members);
    this.changed();
  }

  settle() {
    if (!this.before) return;
    const now = this.items;
    this.items = this.before;
    this.before = null;
    this.step(now);
    this.changed();
  }

  /** Drop an edit that is still going on. */
  abandon() {
    if (!this.before) return;
    this.items = this.before;
    this.before = null;
    this.changed();
  }

  undo() {
    return this.travel(this.past, this.future);
  }

  redo() {
    return this.travel(this.future, this.past);
  }

  /** @private */
  travel(from, to) {
    const items = from.pop();
    if (!items) return false;
    to.push(this.items);
    this.items = items;
    this.select(items.some((shape) => shape.id === this.selectedId) ? this.selectedId : null);
    return true;
  }

  /** @private */
  step(items) {
    this.past.push(this.items);
    if (this.past.length > MOST_STEPS) this.past.shift();
    this.future = [];
    this.items = items;
    this.burst = null;
  }

  /** @private */
  with(id, members) {
    return this.items.map((shape) => (shape.id === id ? { ...shape, ...members } : shape));
  }
}
