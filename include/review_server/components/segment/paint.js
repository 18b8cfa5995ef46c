/** Draws the polygon that is being drawn, and where the brush would paint, over the mask. */

import { svg } from "../core/dom.js";

/** @param {import("./segmentation.js").Segmentation} element */
export function paint(element) {
  const { view, polygon: { corners }, pointer, tool } = element;
  const colour = tool === "eraser" ? "#ffffff" : element.ink;
  const parts = [];
  if (corners.length) {
    const places = corners.map((point) => view.toStage(point));
    const all = pointer ? [...places, pointer] : places;
    const d = `M${all.map(({ x, y }) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L")}`;
    parts.push(
      svg("path", { d, fill: colour, "fill-opacity": 0.25, stroke: "#000", "stroke-opacity": 0.75, "stroke-width": 5 }),
      svg("path", { d, fill: "none", stroke: colour, "stroke-width": 2.5, "stroke-dasharray": "6 3" }),
      ...places.map(({ x, y }) => svg("circle", { cx: x, cy: y, r: 5, fill: "#fff", stroke: "#000", "stroke-width": 2 })));
  }
  if (pointer && tool !== "polygon") {
    const r = Math.max((element.brush * view.scale) / 2, 2);
    parts.push(
      svg("circle", { cx: pointer.x, cy: pointer.y, r, fill: "none", stroke: "#000", "stroke-width": 3 }),
      svg("circle", { cx: pointer.x, cy: pointer.y, r, fill: "none", stroke: colour, "stroke-width": 1.5 }));
  }
  if (pointer && (tool === "polygon" || element.cursor)) {
    const d = `M${pointer.x - 12} ${pointer.y}h24M${pointer.x} ${pointer.y - 12}v24`;
    parts.push(
      svg("path", { d, stroke: "#000", "stroke-width": 4 }), svg("path", { d, stroke: "#fff", "stroke-width": 1.5 }));
  }
  element.overlay.replaceChildren(...parts);
}
