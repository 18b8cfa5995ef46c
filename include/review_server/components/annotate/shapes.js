/**
 * What has been drawn, what is selected, and how to undo. Shapes are never changed in place: an edit makes a new
 * list, so that a step of history is one reference.
 */

/** @typedef {{x: number, y: number}} Point */
/** @typedef {{id: number, label: string, points: Point[]}} Shape */

const MOST_STEPS = 500;

export class Shapes {
  /**
   * @param {() => void} changed called after every change of shapes or selection
   * @param {() => void} [moving] called instead for each step of an edit that is still going on
   */
  constructor(changed, moving = changed) {
    this.changed = changed;
    this.moving = moving;
    /** @type {Shape[]} */
    this.items = [];
    this.past = [];
    this.future = [];
    /** @type {number | null} */
    this.selectedId = null;
    /** Which point of the selected shape the keyboard moves; null: all. @type {number | null} */
    this.vertex = null;
    this.lastId = 0;
    /** The shapes before an edit that is still going on. @type {Shape[] | null} */
    this.before = null;
  }

  /** The shapes without what is only going on. */
  get settled() {
    return this.before ?? this.items;
  }

  /** Begin with these shapes; nothing before them can be undone to. */
  load(items) {
    this.before = null;
    this.items = items.map(({ label, points }) => ({ id: ++this.lastId, label, points }));
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
    this.step([...this.settled, shape]);
    this.select(shape.id);
    return shape;
  }

  remove(id) {
    this.step(this.settled.filter((shape) => shape.id !== id));
    this.select(null);
  }

  /**
   * Replace members of one shape. Edits of the same `burst` (arrow keys held down) are one step of history.
   * @param {string} [burst]
   */
  edit(id, members, burst) {
    const items = this.with(this.settled, id, members);
    if (burst && burst === this.burst && !this.before) this.items = items;
    else this.step(items);
    this.burst = burst ?? null;
    this.changed();
  }

  /** Show an edit that is still going on; `settle` makes it a step. */
  preview(id, members) {
    this.before ??= this.items;
    this.items = this.with(this.before, id, members);
    this.moving();
  }

  settle() {
    if (!this.before) return;
    this.step(this.items);
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
    to.push(this.settled);
    this.before = null;
    this.items = items;
    this.select(items.some((shape) => shape.id === this.selectedId) ? this.selectedId : null);
    return true;
  }

  /** @private An edit that is still going on ends here: it is in `items`, or it is dropped. */
  step(items) {
    this.past.push(this.settled);
    this.before = null;
    if (this.past.length > MOST_STEPS) this.past.shift();
    this.future = [];
    this.items = items;
    this.burst = null;
  }

  /** @private */
  with(items, id, members) {
    return items.map((shape) => (shape.id === id ? { ...shape, ...members } : shape));
  }
}
