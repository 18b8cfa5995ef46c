/** The look of the elements that work on an image; that of their tools and of light is shared with elements that only show one. */

import { sheet } from "../core/style.js";

export const toolStyle = sheet(`
  .tools { display: flex; flex-wrap: wrap; align-items: center; gap: 4px; margin-bottom: 6px; }
  .tool {
    min-width: 38px; min-height: 38px; padding: 4px 10px; border: 1px solid var(--crowd-line); border-radius: 6px;
    background: var(--crowd-raised); cursor: pointer;
  }
  .tool:hover { background: var(--crowd-wash); }
  .tool[aria-disabled="true"] { opacity: 0.5; cursor: default; }
  .tool[aria-pressed="true"] { background: var(--crowd-accent); color: var(--crowd-accent-ink); }
  .light { display: flex; flex-wrap: wrap; align-items: center; gap: 6px 16px; margin-bottom: 6px; padding: 6px 10px; border: 1px solid var(--crowd-line); border-radius: 6px; }
  .light[hidden] { display: none; }
  .light label { display: flex; align-items: center; gap: 8px; }
  .light input { width: 130px; accent-color: var(--crowd-accent); }
  @media (pointer: coarse) {
    .tool { min-height: 44px; min-width: 44px; }
  }
`);

export const stageStyle = sheet(`
  .head { margin: 0 0 8px; font-size: 1.2em; line-height: 1.3; }
  .head:empty { display: none; }
  .columns { display: grid; grid-template-columns: minmax(0, 1fr) minmax(200px, 260px); gap: 14px; align-items: start; }
  .main { min-width: 0; }
  .gap { width: 10px; }
  .fill { flex: 1; }
  .zoom { min-width: 4.2em; text-align: center; font-variant-numeric: tabular-nums; color: var(--crowd-quiet); }
  .stage {
    position: relative; overflow: hidden; height: max(320px, calc(100vh - 205px)); border: 1px solid var(--crowd-edge);
    border-radius: 6px; cursor: crosshair; touch-action: none; user-select: none; -webkit-user-select: none;
    background: repeating-conic-gradient(light-dark(#d7dbe1, #20252d) 0 25%, light-dark(#e6e9ee, #272d36) 0 50%) 0 0 / 24px 24px;
  }
  .stage:focus-visible { outline-offset: 1px; }
  .stage img { position: absolute; left: 0; top: 0; max-width: none; transform-origin: 0 0; image-orientation: none; pointer-events: none; }
  .stage .mask { position: absolute; left: 0; top: 0; transform-origin: 0 0; opacity: 0.6; pointer-events: none; }
  .stage .mask[hidden], .tools [hidden] { display: none; }
  .guides text { fill: #fff; font: 700 11px sans-serif; }
  .guides .lines { stroke: #fff; stroke-opacity: 0.35; stroke-width: 1; }
  .guides .band { fill: #000; fill-opacity: 0.6; }
  .guides .chosen { fill: none; stroke: #ffd400; stroke-width: 2; }
  .guides .hint rect { fill: #ffd400; stroke: #000; stroke-width: 2; }
  .guides .hint text { fill: #000; font: 700 15px sans-serif; }
  .stage svg { position: absolute; inset: 0; width: 100%; height: 100%; pointer-events: none; will-change: transform; }
  .stage .cross { position: absolute; pointer-events: none; background: currentColor; box-shadow: 0 0 0 1px rgb(0 0 0 / 0.55); will-change: transform; }
  .stage .cross.down { left: -0.5px; top: 0; bottom: 0; width: 1px; }
  .stage .cross.across { left: 0; right: 0; top: -0.5px; height: 1px; }
  .stage .cross[hidden] { display: none; }
  .stage text { font: 600 12px sans-serif; }
  .waiting { position: absolute; inset: 0; display: grid; place-items: center; padding: 24px; text-align: center; pointer-events: none; }
  .waiting:empty { display: none; }
  .foot { display: flex; justify-content: space-between; gap: 12px; min-height: 24px; padding-top: 4px; font-size: 0.87em; color: var(--crowd-quiet); }
  .position { font-variant-numeric: tabular-nums; white-space: nowrap; }
  .side { display: flex; flex-direction: column; gap: 12px; max-height: max(390px, calc(100vh - 130px)); overflow: auto; padding: 3px; }
  .side h3 { margin: 0 0 6px; font-size: 0.95em; }
  .classes { display: flex; flex-direction: column; flex: none; max-height: max(220px, 45vh); }
  .find { width: 100%; min-height: 34px; margin-bottom: 6px; padding: 4px 8px; border: 1px solid var(--crowd-edge); border-radius: 6px; background: var(--crowd-ground); }
  .find[hidden] { display: none; }
  .palette { display: grid; gap: 4px; align-content: start; overflow: auto; padding: 3px; margin: -3px; }
  .class-row { display: flex; align-items: center; gap: 4px; min-width: 0; }
  .class-row[hidden] { display: none; }
  .class-row.found .class { outline: 2px dashed var(--crowd-accent); outline-offset: -3px; }
  .eye { flex: none; width: 18px; height: 18px; margin: 0 4px; accent-color: var(--crowd-accent); cursor: pointer; }
  .next { padding: 0 5px; border-radius: 4px; background: var(--crowd-accent); color: var(--crowd-accent-ink); font-size: 0.8em; }
  .next[hidden] { display: none; }
  .class, .shape {
    display: flex; align-items: center; gap: 8px; width: 100%; min-height: 36px; padding: 4px 8px; text-align: left;
    border: 1px solid var(--crowd-line); border-radius: 6px; background: var(--crowd-ground); cursor: pointer;
  }
  .class:hover, .shape:hover { background: var(--crowd-wash); }
  .class[aria-pressed="true"] { border-color: var(--crowd-accent); background: var(--crowd-wash); box-shadow: inset 0 0 0 1px var(--crowd-accent); font-weight: 600; }
  .text { flex: 1; min-width: 0; overflow-wrap: anywhere; }
  .count { color: var(--crowd-quiet); font-weight: 400; font-size: 0.9em; }
  .swatch { flex: none; width: 14px; height: 14px; border: 1px solid #000; border-radius: 3px; }
  .shapes { position: relative; display: grid; gap: 4px; margin: 0; padding: 0; max-height: 60vh; overflow: auto; list-style: none; }
  /* Rows out of sight are not laid out: there may be a thousand. */
  .shapes li { display: flex; gap: 2px; content-visibility: auto; contain-intrinsic-size: auto 36px; }
  .shape:focus-visible, .remove:focus-visible { outline-offset: -3px; }
  .shapes li.hidden { opacity: 0.5; }
  .shapes li.selected .shape { border-color: var(--crowd-accent); background: var(--crowd-wash); box-shadow: inset 0 0 0 1px var(--crowd-accent); }
  .shape .quiet { font-size: 0.82em; font-variant-numeric: tabular-nums; white-space: nowrap; }
  .remove { flex: none; width: 34px; border: 0; border-radius: 6px; background: none; color: var(--crowd-quiet); cursor: pointer; }
  .remove:hover { background: var(--crowd-error-wash); color: var(--crowd-error); }
  .ends { position: sticky; bottom: -20px; display: flex; gap: 8px; padding: 8px 0 12px; background: var(--crowd-ground); }
  .said { min-height: 1.5em; margin: 0; position: sticky; top: -20px; background: var(--crowd-ground); font-weight: 600; }
  .change { min-height: 30px; padding: 2px 8px; white-space: nowrap; }
  .keys { margin-bottom: 16px; border-spacing: 0 4px; }
  .keys th { padding-right: 16px; text-align: left; white-space: nowrap; font-weight: 400; vertical-align: top; }
  @media (pointer: coarse) {
    .class, .shape, .remove { min-height: 44px; min-width: 44px; }
  }
  @media (max-width: 900px) {
    .gap { width: 2px; }
    .tool { padding: 4px 8px; }
    .zoom { min-width: 3.6em; }
  }
  /* A tablet held upright: the image gets the whole width, classes and list go below. */
  @media (max-width: 700px), (max-width: 900px) and (orientation: portrait) {
    .columns { grid-template-columns: minmax(0, 1fr); }
    .stage { height: max(300px, calc(100vh - 330px)); }
    .side { max-height: none; }
    .palette { grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); }
  }
`);
