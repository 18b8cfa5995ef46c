/**
 * Draws shapes, handles, labels and the crosshair over the image. Everything is in CSS pixels of the stage, so that
 * lines and text keep their size at any zoom. Each outline has a dark halo: it shows on any picture. A shape's nodes
 * are kept, and only touched when what they show has changed: a thousand shapes cost nothing while one is dragged.
 */

import { h, svg } from "../core/dom.js";
import { inkOn } from "../core/colours.js";
import { handlesShown } from "./handles.js";

const LABEL_HEIGHT = 18;
const MARGIN = 20; // around a shape's points, for its lines
const canvas = document.createElement("canvas").getContext("2d");
canvas.font = "600 12px sans-serif";
/** @type {Map<string, number>} */
const widths = new Map();

export class Painting {
  /** @param {import("./annotator.js").Annotator} annotator */
  constructor(annotator) {
    this.annotator = annotator;
    /** By the shape's id. @type {Map<number, any>} */
    this.nodes = new Map();
    this.stamp = "";
    this.shapes = svg("g", { class: "shapes" });
    this.pointed = svg("path", { class: "pointed", fill: "#fff", "fill-opacity": 0.12, stroke: "#fff", "stroke-width": 3, display: "none" });
    this.selected = svg("g", { class: "selected" });
    this.draft = svg("g", { class: "draft" });
    this.cross = [h("div", { class: "cross down", hidden: true }), h("div", { class: "cross across", hidden: true })];
    // A layer of its own: what changes at each step does not have the others painted again.
    this.above = svg("svg", { "aria-hidden": "true" }, this.pointed, this.selected, this.draft);
    annotator.overlay.append(this.shapes);
    annotator.overlay.after(this.above, ...this.cross);
  }

  draw() {
    const { shapes, view, kind, showLabels, tints, overlay, drawing, pointer } = this.annotator;
    const { scale, x, y, stage } = view;
    const stamp = [scale, x, y, stage.width, stage.height, showLabels].join();
    if (stamp !== this.stamp || tints !== this.tints) {
      // A new object each time: whether a node is up to date is one comparison.
      this.now = {};
      this.stamp = stamp;
      this.tints = tints;
      this.annotator.selection.viewed();
    }
    const selected = shapes.selected;
    this.drawShapes(shapes.items, selected);
    this.selected.replaceChildren(...(selected && !this.annotator.hiding.isHidden(selected) ? drawSelected(this.annotator, selected) : []));
    this.draft.replaceChildren(...(drawing.draft ? drawDraft(this.annotator) : []));
    this.drawPointed();
    this.drawCross(pointer);
    overlay.dataset.count = String(shapes.items.length);
    overlay.dataset.kind = kind.noun;
  }

  /** @param {import("./shapes.js").Shape[]} items @param {import("./shapes.js").Shape | null} selected */
  drawShapes(items, selected) {
    const { annotator, nodes } = this;
    if (nodes.size) {
      const ids = new Set(items.map((shape) => shape.id));
      for (const [id, node] of nodes) {
        if (ids.has(id)) continue;
        node.group.remove();
        nodes.delete(id);
      }
    }
    let next = this.shapes.firstChild;
    for (const shape of items) {
      let node = nodes.get(shape.id);
      // Shapes keep their order among each other: what stands here and is not this one comes after it.
      if (node) next = node.group.nextSibling;
      else nodes.set(shape.id, node = this.insert(shape.id, next));
      const seen = shape.id !== selected?.id && !annotator.hiding.isHidden(shape);
      if (node.seen === seen && (!seen || (node.shape === shape && node.now === this.now))) continue;
      if (seen) drawShape(annotator, shape, node);
      else show(node, false);
      Object.assign(node, { seen, shape, now: this.now });
    }
  }

  insert(id, next) {
    const group = svg("g", { class: "shape", "data-id": id });
    this.shapes.insertBefore(group, next);
    return { group };
  }

  /** The box under the mouse, on which keys act, is brighter. */
  drawPointed() {
    const { selection: { pointed }, view, kind } = this.annotator;
    if (!pointed) return void this.pointed.setAttribute("display", "none");
    this.pointed.removeAttribute("display");
    this.pointed.setAttribute("d", pathOf(kind.outline(pointed.points).map((point) => view.toStage(point)), kind.closed));
  }

  /** The shape whose label is at a place of the stage. @param {{x: number, y: number}} place */
  labelAt({ x, y }) {
    for (const node of [...this.nodes.values()].reverse()) {
      const at = node.shown ? node.label?.at : null;
      if (at && x >= at.x && x <= at.x + at.width && y >= at.y && y <= at.y + LABEL_HEIGHT) return node.shape;
    }
    return null;
  }

  drawCross(pointer) {
    const { annotator, cross: [down, across] } = this;
    down.hidden = across.hidden = !pointer;
    if (!pointer) return;
    const colour = annotator.colour(annotator.comingLabel);
    if (colour !== this.crossColour) down.style.color = across.style.color = this.crossColour = colour;
    down.style.transform = `translateX(${pointer.x}px)`;
    across.style.transform = `translateY(${pointer.y}px)`;
  }
}

/** Bring the nodes of a shape that is not selected up to date; they are made when it is first seen. */
function drawShape(annotator, shape, node) {
  const { view, kind } = annotator;
  const { group } = node;
  const places = kind.outline(shape.points).map((point) => view.toStage(point));
  const box = extent(places);
  const far = box.right < -MARGIN || box.bottom < -MARGIN || box.left > view.stage.width + MARGIN || box.top > view.stage.height + MARGIN;
  show(node, !far);
  if (far) return;
  if (!node.parts) {
    node.parts = kind.drawing === "point" ? [svg("circle", { r: 7, stroke: "#000", "stroke-width": 2 }), svg("circle", { r: 1.5, fill: "#000" })]
      : [svg("path", { fill: "none", stroke: "#000", "stroke-opacity": 0.75, "stroke-width": 4 }), svg("path", { fill: "none", "stroke-width": 2 })];
    group.append(...node.parts);
  }
  if (kind.drawing === "point") {
    for (const part of node.parts) set(part, { cx: places[0].x, cy: places[0].y });
  } else {
    const d = pathOf(places, kind.closed);
    for (const part of node.parts) part.setAttribute("d", d);
  }
  colourShape(annotator, shape, node);
  if (!annotator.showLabels) {
    node.label?.group.remove();
    node.label = null;
    return;
  }
  if (!node.label) {
    node.label = makeLabel();
    group.append(node.label.group);
  }
  placeLabel(node.label, annotator, shape, box, kind.drawing === "point" ? 9 : 0);
}

function show(node, shown) {
  if (node.shown === shown) return;
  node.shown = shown;
  node.group.style.display = shown ? "" : "none";
}

/** A shape keeps its colour while the view changes. */
function colourShape(annotator, { label }, node) {
  const [colour, dash] = [annotator.colour(label), annotator.dash(label)];
  if (node.colour === colour && node.dash === dash && node.name === label) return;
  const [first, second] = node.parts;
  if (annotator.kind.drawing === "point") first.setAttribute("fill", colour);
  else set(second, { stroke: colour, "stroke-dasharray": dash });
  node.group.dataset.label = label;
  Object.assign(node, { colour, dash, name: label });
}

/** The selected shape lies over all others, filled, and has handles. */
function drawSelected(annotator, shape) {
  const { view, kind, shapes, reach } = annotator;
  const colour = annotator.colour(shape.label);
  const places = kind.outline(shape.points).map((point) => view.toStage(point));
  const group = svg("g", { class: "shape selected", "data-id": shape.id, "data-label": shape.label });
  const box = extent(places);
  let clearance = 9;
  if (kind.drawing === "point") {
    const [{ x, y }] = places;
    group.append(svg("circle", { cx: x, cy: y, r: 9, fill: colour, stroke: "#000", "stroke-width": 2 }), svg("circle", { cx: x, cy: y, r: 1.5, fill: "#000" }));
  } else {
    const d = pathOf(places, kind.closed);
    group.append(
      svg("path", { d, fill: kind.closed ? colour : "none", "fill-opacity": 0.16, stroke: "#000", "stroke-opacity": 0.75, "stroke-width": 6 }),
      svg("path", { d, fill: "none", stroke: colour, "stroke-width": 3, "stroke-dasharray": annotator.dash(shape.label) }));
    const handles = handlesShown(kind, shape.points, view, reach);
    for (const { index, x, y } of handles) {
      const current = shapes.vertex === index;
      const half = current ? 7 : 5;
      group.append(svg("rect", {
        class: "handle", x: x - half, y: y - half, width: 2 * half, height: 2 * half,
        fill: current ? "#000" : "#fff", stroke: current ? "#fff" : "#000", "stroke-width": 2,
      }));
    }
    clearance = box.top - Math.min(...handles.map(({ y }) => y)) + 7;
  }
  const label = makeLabel();
  placeLabel(label, annotator, shape, box, clearance);
  group.append(label.group);
  return [group];
}

function makeLabel() {
  const back = svg("rect", { height: LABEL_HEIGHT, rx: 3, stroke: "#000", "stroke-width": 1 });
  const text = svg("text", { x: 6, y: 13 });
  return { back, text, at: { x: 0, y: 0, width: 0 }, group: svg("g", { class: "label" }, back, text) };
}

/** @param {number} clearance from the point, or from the handles of what is selected */
function placeLabel(label, annotator, shape, { left, top }, clearance) {
  const name = shape.label || "(no class)";
  const colour = annotator.colour(shape.label);
  if (label.name !== name || label.colour !== colour) {
    Object.assign(label, { name, colour });
    label.at.width = widthOf(name) + 12;
    label.text.textContent = name;
    set(label.back, { width: label.at.width, fill: colour });
    label.text.setAttribute("fill", inkOn(colour));
  }
  const above = top - clearance;
  label.at.x = Math.max(0, Math.min(left - 1, annotator.view.stage.width - label.at.width));
  label.at.y = above - LABEL_HEIGHT < 0 ? Math.max(above, 0) : above - LABEL_HEIGHT;
  label.group.setAttribute("transform", `translate(${tenths(label.at.x)} ${tenths(label.at.y)})`);
}

function widthOf(name) {
  if (!widths.has(name)) widths.set(name, canvas.measureText(name).width);
  return widths.get(name);
}

function drawDraft(annotator) {
  const { drawing: { draft }, view, kind } = annotator;
  const points = draft.tip ? [...draft.points, draft.tip] : draft.points;
  const places = (kind.drawing === "drag" ? kind.outline(points) : points).map((point) => view.toStage(point));
  const d = pathOf(places, kind.drawing === "drag");
  const colour = annotator.colour(annotator.comingLabel);
  const corners = kind.drawing === "path" ? draft.points.map((point) => view.toStage(point)) : [];
  return [
    svg("path", { d, fill: "none", stroke: "#000", "stroke-opacity": 0.75, "stroke-width": 5 }),
    svg("path", { d, fill: "none", stroke: colour, "stroke-width": 2.5, "stroke-dasharray": "6 3" }),
    ...corners.map(({ x, y }) => svg("circle", { cx: x, cy: y, r: 5, fill: "#fff", stroke: "#000", "stroke-width": 2 })),
  ];
}

function extent(places) {
  const box = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity };
  for (const { x, y } of places) {
    if (x < box.left) box.left = x;
    if (x > box.right) box.right = x;
    if (y < box.top) box.top = y;
    if (y > box.bottom) box.bottom = y;
  }
  return box;
}

function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
}

function pathOf(places, closed) {
  const line = places.map(({ x, y }) => `${tenths(x)} ${tenths(y)}`).join("L");
  return `M${line}${closed ? "Z" : ""}`;
}

/** Many times faster than toFixed. @param {number} value */
function tenths(value) {
  return Math.round(value * 10) / 10;
}
