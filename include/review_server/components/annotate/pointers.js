/**
 * Mouse, pen, trackpad and fingers on a stage. One pointer does what a subclass says; the middle button, the space
 * bar or a second finger moves the image; two fingers zoom, and so does the wheel. Whatever takes the pointer away
 * (a time limit, another window, Escape) ends what it was doing, and leaves everything as it was before.
 */

import { listen } from "../core/bridge.js";
import { clamp, isTyping } from "../core/dom.js";

const DRAG_FROM = 4;
/** Events of a wheel that are nearer than this, in ms, are one movement of the fingers. */
const SAME_SWIPE = 250;
const LINE = 24;
/** Of a pinch; a mouse's wheel with Ctrl turns further at once. */
const MOST_PINCH = 40;

export class Pointers {
  /** @param {any} element one that works on an image */
  constructor(element) {
    this.element = element;
    /** Pointers that are down. @type {Map<number, {x: number, y: number}>} */
    this.down = new Map();
    /** What the first pointer is doing. @type {any} */
    this.act = null;
    this.swipe = { at: -Infinity, pans: false };
    const stage = element.stage;
    stage.addEventListener("pointerdown", (event) => this.press(event));
    stage.addEventListener("pointermove", (event) => this.move(event));
    stage.addEventListener("pointerup", (event) => this.release(event));
    for (const lost of ["pointercancel", "lostpointercapture"]) {
      stage.addEventListener(lost, (event) => this.down.has(event.pointerId) && this.drop());
    }
    stage.addEventListener("pointerleave", () => element.hover(null));
    stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    for (const own of ["auxclick", "mousedown"]) {
      stage.addEventListener(own, (event) => event.button === 1 && event.preventDefault());
    }
    // Ctrl + press is a drag here, not the menu that macOS makes of it.
    stage.addEventListener("contextmenu", (event) => event.ctrlKey && event.preventDefault());
    window.addEventListener("blur", () => this.leave());
    document.addEventListener("visibilitychange", () => document.hidden && this.leave());
    listen((message) => message.nightloop === "pause" && message.paused && this.leave());
    // Before any other key: Escape in mid-drag means the drag and nothing else.
    document.addEventListener("keydown", (event) => this.key(event), { capture: true });
    document.addEventListener("keyup", (event) => event.key === " " && this.hold(false));
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
    // The button was let go of where nobody heard it.
    if (event.pointerType === "mouse" && !event.buttons && this.down.has(event.pointerId)) this.drop();
    if (!this.down.has(event.pointerId)) {
      if (element.size) this.look(event, place);
      return;
    }
    this.down.set(event.pointerId, place);
    const act = this.act;
    if (!act) return;
    if (act.type === "pinch") {
      if (this.down.size < 2) return;
      const now = this.pinch();
      element.view.pan(now.x - act.x, now.y - act.y);
      element.view.zoom(now.span / act.span, now.x, now.y);
      Object.assign(act, now);
      element.redrawSoon();
      return;
    }
    if (!act.dragged && Math.hypot(place.x - act.x, place.y - act.y) < (act.dragFrom ?? DRAG_FROM)) return;
    act.dragged = true;
    if (act.type === "pan") {
      element.view.pan(place.x - (act.lastX ?? act.x), place.y - (act.lastY ?? act.y));
      act.lastX = place.x;
      act.lastY = place.y;
      element.redrawSoon();
    } else {
      this.drag(act, place);
    }
  }

  release(event) {
    if (!this.down.delete(event.pointerId)) return;
    const act = this.act;
    if (act?.type === "pinch" && this.down.size === 1) {
      // The finger that is left goes on moving the image.
      const [{ x, y }] = this.down.values();
      this.act = { type: "pan", x, y, dragged: true };
    } else if (act?.type === "pinch" && this.down.size) {
      Object.assign(act, this.pinch());
    }
    if (this.down.size) return;
    this.act = null;
    if (act && act.type !== "pinch" && act.type !== "pan") this.end(act, this.place(event));
  }

  /** Forget all pointers that are down; what they were doing has not happened. */
  drop() {
    const { act } = this;
    const pointers = [...this.down.keys()];
    this.down.clear();
    this.act = null;
    for (const pointer of pointers) {
      if (this.element.stage.hasPointerCapture(pointer)) this.element.stage.releasePointerCapture(pointer);
    }
    if (act && act.type !== "pinch" && act.type !== "pan") this.abandon(act);
  }

  /** The person is elsewhere. */
  leave() {
    this.hold(false);
    this.drop();
  }

  /** Space is for moving the image, wherever the focus is, but never while somebody types. */
  key(event) {
    const { element } = this;
    if (event.key === "Escape" && this.act) {
      this.drop();
      event.preventDefault();
      event.stopPropagation();
    } else if (event.key === " " && !event.ctrlKey && !event.altKey && !event.metaKey && !isTyping(event)) {
      const { stage } = element;
      const within = element.shadowRoot.activeElement === stage || (document.activeElement === document.body && element.hasKeys());
      if (!within && !stage.matches(":hover")) return;
      this.hold(true);
      // A button that has the focus is still pressed by it, unless a drag takes the focus away before.
      const pressed = event.composedPath()[0];
      if (within || !pressed.matches?.("button, summary, input, a, [role]")) event.preventDefault();
    }
  }

  hold(held) {
    const { element } = this;
    if (element.spaceHeld === held) return;
    element.spaceHeld = held;
    this.cursor(held ? "grab" : "crosshair");
  }

  /** The form of the mouse pointer over the stage. @param {string} name */
  cursor(name) {
    const { stage, spaceHeld } = this.element;
    const shown = spaceHeld ? "grab" : name;
    if (stage.style.cursor !== shown) stage.style.cursor = shown;
  }

  pinch() {
    const [a, b] = [...this.down.values()];
    return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, span: Math.max(Math.hypot(a.x - b.x, a.y - b.y), 1) };
  }

  /**
   * The wheel zooms, and so does a pinch on a trackpad, which comes with Ctrl and in smaller steps. Fingers that swipe
   * sideways move the image, and go on to do so until they rest: a swipe is never quite straight.
   */
  wheel(event) {
    const { element } = this;
    if (!element.size) return;
    event.preventDefault();
    const place = this.place(event);
    const unit = event.deltaMode === 1 ? LINE : event.deltaMode === 2 ? element.view.stage.height : 1;
    const [dx, dy] = [event.deltaX * unit, event.deltaY * unit];
    const rested = event.timeStamp - this.swipe.at > SAME_SWIPE;
    const sideways = Math.abs(dx) > Math.abs(dy) / 2;
    this.swipe = { at: event.timeStamp, pans: !event.ctrlKey && (sideways || (this.swipe.pans && !rested)) };
    if (event.ctrlKey) element.view.zoom(Math.exp(-clamp(dy, -MOST_PINCH, MOST_PINCH) / 100), place.x, place.y);
    else if (event.shiftKey) element.view.pan(-(dx || dy), 0);
    else if (this.swipe.pans) element.view.pan(-dx, -dy);
    else element.view.zoom(Math.exp(-dy / 400), place.x, place.y);
    element.redrawSoon();
  }
}
