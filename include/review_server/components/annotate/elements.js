/** The five annotation elements: which shape each draws, and how its answer is written. */

import { Annotator } from "./annotator.js";
import { BOX, KEYPOINT, LINE, POLYGON, POLYLINE } from "./kinds.js";
import { pixelOf } from "./prelabels.js";

export class CrowdBoundingBox extends Annotator {
  kind = BOX;
  collection = "boundingBoxes";

  read({ label, left, top, width, height }) {
    const [x, y] = [pixelOf(left), pixelOf(top)];
    return { label, points: [{ x, y }, { x: x + pixelOf(width), y: y + pixelOf(height) }] };
  }

  /** @param {import("./shapes.js").Shape} shape */
  write({ label, points: [a, b] }) {
    return { height: b.y - a.y, label, left: a.x, top: a.y, width: b.x - a.x };
  }
}

class Path extends Annotator {
  read({ label, vertices }) {
    if (vertices.length < this.kind.least) throw new RangeError("too few vertices");
    return { label, points: vertices.map(({ x, y }) => ({ x, y })) };
  }

  write({ label, points }) {
    return { label, vertices: points.map(({ x, y }) => ({ x, y })) };
  }
}

export class CrowdPolygon extends Path {
  kind = POLYGON;
  collection = "polygons";
}

export class CrowdPolyline extends Path {
  kind = POLYLINE;
  collection = "polylines";
}

export class CrowdLine extends Path {
  kind = LINE;
  collection = "lines";
}

export class CrowdKeypoint extends Annotator {
  kind = KEYPOINT;
  collection = "keypoints";

  read({ label, x, y }) {
    return { label, points: [{ x, y }] };
  }

  /** @param {import("./shapes.js").Shape} shape */
  write({ label, points: [{ x, y }] }) {
    return { label, x, y };
  }
}
