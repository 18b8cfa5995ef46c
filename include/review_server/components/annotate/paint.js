/**
 * Draws shapes, handles, labels and the crosshair into the overlay. Everything is in CSS pixels of the stage, so
 * that lines and text keep their size at any zoom. Each outline has a dark halo: it shows on any picture.
 */

import { svg } from "../core/dom.js";
import { dashOf, inkOn } from "../core/colours.js";

const LABEL_HEIGHT = 18;
const canvas = document.createElement("canvas").getContext("2d");

/** @param {import("./annotator.js").Annotator} annotator */
export function paint(annotator) {
  const { shapes, view, kind, hides } = annotator;
  const parts = [];
  if (!hides) {
    const order = [...shapes.items].sort((a, b) => Number(a.id === shapes.selectedId) - Number(b.id === shapes.selectedId));
    for (const shape of order) parts.push(paintShape(annotator, shape));
  }
  if (annotator.draft) parts.push(paintDraft(annotator));
  if (annotator.pointer) parts.push(crosshair(view, annotator.pointer, annotator.colour(annotator.label)));
  annotator.overlay.replaceChildren(...parts);
  annotator.overlay.dataset.count = String(shapes.items.length);
  annotator.overlay.dataset.kind = kind.noun;
}

function paintShape(annotator, shape) {
  const { view, kind, shapes } = annotator;
  const selected = shape.id === shapes.selectedId;
  const colour = annotator.colour(shape.label);
  const places = kind.outline(shape.points).map((point) => view.toStage(point));
  const d = pathOf(places, kind.closed);
  const dash = dashOf(annotator.labels.indexOf(shape.label));
  const group = svg("g", { class: selected ? "shape selected" : "shape", "data-id": shape.id, "data-label": shape.label });
  if (kind.drawing === "point") {
    group.append(
      svg("circle", { cx: places[0].x, cy: places[0].y, r: selected ? 9 : 7, fill: colour, stroke: "#000", "stroke-width": 2 }),
      svg("circle", { cx: places[0].x, cy: places[0].y, r: 1.5, fill: "#000" }),
    );
  } else {
    const fill = kind.closed ? colour : "none";
    group.append(
      svg("path", { d, fill, "fill-opacity": selected ? 0.16 : 0, stroke: "#000", "stroke-opacity": 0.75, "stroke-width": selected ? 6 : 4 }),
      svg("path", { d, fill: "none", stroke: colour, "stroke-width": selected ? 3 : 2, "stroke-dasharray": dash }),
    );
  }
  if (selected && kind.drawing !== "point") {
    kind.handles(shape.points).forEach((point, index) => {
      const { x, y } = view.toStage(point);
      const current = shapes.vertex === index;
      group.append(svg("rect", {
        class: "handle", x: x - (current ? 7 : 5), y: y - (current ? 7 : 5), width: current ? 14 : 10, height: current ? 14 : 10,
        fill: current ? "#000" : "#fff", stroke: current ? "#fff" : "#000", "stroke-width": 2,
      }));
    });
  }
  if (annotator.showLabels || selected) group.append(labelOf(annotator, shape, places, colour));
  return group;
}

function labelOf(annotator, shape, places, colour) {
  const text = shape.label || "(no class)";
  canvas.font = "600 12px sans-serif";
  const width = canvas.measureText(text).width + 12;
  const left = Math.min(...places.map((place) => place.x));
  const top = Math.min(...places.map((place) => place.y));
  // Clear of the point, and of the handles of what is selected.
  const clearance = annotator.kind.drawing === "point" ? 9 : shape.id === annotator.shapes.selectedId ? 7 : 0;
  const above = top - clearance;
  const x = Math.max(0, Math.min(left - 1, annotator.view.stage.width - width));
  const y = above - LABEL_HEIGHT < 0 ? Math.max(above, 0) : above - LABEL_HEIGHT;
  return svg("g", { class: "label" },
    svg("rect", { x, y, width, height: LABEL_HEIGHT, rx: 3, fill: colour, stroke: "#000", "stroke-width": 1 }),
    svg("text", { x: x + 6, y: y + 13, fill: inkOn(colour) }, text));
}

function paintDraft(annotator) {
  const { draft, view, kind } = annotator;
  const points = draft.tip ? [...draft.points, draft.tip] : draft.points;
  const places = (kind.drawing === "drag" ? kind.outline(points) : points).map((point) => view.toStage(point));
  const d = pathOf(places, kind.drawing === "drag");
  const colour = annotator.colour(annotator.label);
  const group = svg("g", { class: "draft" },
    svg("path", { d, fill: "none", stroke: "#000", "stroke-opacity": 0.75, "stroke-width": 5 }),
    svg("path", { d, fill: "none", stroke: colour, "stroke-width": 2.5, "stroke-dasharray": "6 3" }));
  if (kind.drawing === "path") {
    for (const point of draft.points) {
      const { x, y } = view.toStage(point);
      group.append(svg("circle", { cx: x, cy: y, r: 5, fill: "#fff", stroke: "#000", "stroke-width": 2 }));
    }
  }
  return group;
}

function crosshair(view, { x, y }, colour) {
  const { width, height } = view.stage;
  const cross = `M0 ${y}H${width}M${x} 0V${height}`;
  return svg("g", { class: "crosshair" },
    svg("path", { d: cross, stroke: "#000", "stroke-opacity": 0.55, "stroke-width": 3 }),
    svg("path", { d: cross, stroke: colour, "stroke-width": 1 }));
}

function pathOf(places, closed) {
  const line = places.map(({ x, y }) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L");
  return `M${line}${closed ? "Z" : ""}`;
}
