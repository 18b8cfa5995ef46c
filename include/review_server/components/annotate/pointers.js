/**
 * Mouse, pen and fingers on a stage. One pointer does what a subclass says; the middle button, the space bar or a
 * second finger moves the image; two fingers zoom, and so does the wheel.
 */

const DRAG_FROM = 4;

export class Pointers {
  /** @param {any} element one that works on an image */
  constructor(element) {
    this.element = element;
    /** Pointers that are down. @type {Map<number, {x: number, y: number}>} */
    this.down = new Map();
    /** What the first pointer is doing. @type {any} */
    this.act = null;
    const stage = element.stage;
    stage.addEventListener("pointerdown", (event) => this.press(event));
    stage.addEventListener("pointermove", (event) => this.move(event));
    stage.addEventListener("pointerup", (event) => this.release(event));
    stage.addEventListener("pointercancel", (event) => this.cancel(event));
    stage.addEventListener("pointerleave", () => element.hover(null));
    stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    stage.addEventListener("auxclick", (event) => event.preventDefault());
  }

  /** What a press is the beginning of: `{type, …start}`. @param {any} _event @param {any} _place @param {any} _start */
  begin(_event, _place, _start) {
    return null;
  }

  /** The pointer has moved on. @param {any} _act @param {any} _place */
  drag(_act, _place) {}

  /** It is up. @param {any} _act @param {any} _place */
  end(_act, _place) {}

  /** It was not meant: a second finger came, or the pointer is lost. @param {any} _act */
  abandon(_act) {}

  /** The pointer moves and is not down. @param {any} _event @param {any} _place */
  look(_event, _place) {}

  /** Where an event is: on the stage, and in the image. */
  place(event) {
    const { stage, view } = this.element;
    const frame = stage.getBoundingClientRect();
    const x = event.clientX - frame.left - stage.clientLeft;
    const y = event.clientY - frame.top - stage.clientTop;
    return { x, y, at: view.toImage(x, y) };
  }

  press(event) {
    const { element } = this;
    if (event.target.closest?.("button") || !element.size) return;
    const place = this.place(event);
    this.down.set(event.pointerId, place);
    try {
      element.stage.setPointerCapture(event.pointerId);
    } catch {
      // The pointer is gone already; the gesture ends by itself.
    }
    element.focusStage();
    event.preventDefault();
    if (this.down.size === 2) {
      // A second finger: the first one did not mean to draw.
      if (this.act) this.abandon(this.act);
      this.act = { type: "pinch", ...this.pinch() };
    } else if (this.down.size === 1) {
      const start = { x: place.x, y: place.y, from: place.at, dragged: false };
      if (event.button === 1 || element.spaceHeld) this.act = { type: "pan", ...start };
      else this.act = event.button === 0 ? this.begin(event, place, start) : null;
    }
  }

  move(event) {
    const { element } = this;
    const place = this.place(event);
    if (!this.down.has(event.pointerId)) {
      if (element.size) this.look(event, place);
      return;
    }
    this.down.set(event.pointerId, place);
    const act = this.act;
    if (!act) return;
    if (act.type === "pinch") {
      const now = this.pinch();
      element.view.pan(now.x - act.x, now.y - act.y);
      element.view.zoom(now.span / act.span, now.x, now.y);
      Object.assign(act, now);
      element.redraw();
      return;
    }
    if (!act.dragged && Math.hypot(place.x - act.x, place.y - act.y) < (act.dragFrom ?? DRAG_FROM)) return;
    act.dragged = true;
    if (act.type === "pan") {
      element.view.pan(place.x - (act.lastX ?? act.x), place.y - (act.lastY ?? act.y));
      act.lastX = place.x;
      act.lastY = place.y;
      element.redraw();
    } else {
      this.drag(act, place);
    }
  }

  release(event) {
    if (!this.down.delete(event.pointerId)) return;
    const act = this.act;
    if (this.down.size) return;
    this.act = null;
    if (act && act.type !== "pinch" && act.type !== "pan") this.end(act, this.place(event));
  }

  cancel(event) {
    this.down.delete(event.pointerId);
    if (this.act) this.abandon(this.act);
    this.act = null;
  }

  pinch() {
    const [a, b] = [...this.down.values()];
    return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, span: Math.max(Math.hypot(a.x - b.x, a.y - b.y), 1) };
  }

  wheel(event) {
    const { element } = this;
    if (!element.size) return;
    event.preventDefault();
    const place = this.place(event);
    const step = event.deltaMode === 1 ? 24 : 1;
    if (event.shiftKey) element.view.pan(-event.deltaY * step, 0);
    else element.view.zoom(Math.exp((-event.deltaY * step) / 400), place.x, place.y);
    element.redraw();
  }
}
