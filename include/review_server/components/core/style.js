/**
 * Colours and type, once. Every colour has a light and a dark value (`light-dark()` follows `color-scheme`), with
 * a contrast of at least 4.5:1 for text and 3:1 for outlines.
 */

/** @param {string} text @returns {CSSStyleSheet} */
export function sheet(text) {
  const made = new CSSStyleSheet();
  made.replaceSync(text);
  return made;
}

/** For the document: variables reach into every shadow root. */
const page = sheet(`
  :root {
    color-scheme: light dark;
    --crowd-ground: light-dark(#ffffff, #14171c);
    --crowd-raised: light-dark(#f4f5f7, #1e232b);
    --crowd-sunken: light-dark(#e4e7eb, #0b0d10);
    --crowd-ink: light-dark(#1a1f27, #e8ebf0);
    --crowd-quiet: light-dark(#525c69, #a8b2c0);
    --crowd-line: light-dark(#c3c9d2, #3a424e);
    --crowd-edge: light-dark(#717b89, #7d8897);
    --crowd-accent: light-dark(#0b57c2, #7db4ff);
    --crowd-accent-ink: light-dark(#ffffff, #0b1220);
    --crowd-wash: light-dark(#e5eefb, #1f3350);
    --crowd-error: light-dark(#b3261e, #ffb4ab);
    --crowd-error-wash: light-dark(#fdecea, #46201d);
    --crowd-warning: light-dark(#7a4f00, #ffd27a);
    --crowd-warning-wash: light-dark(#fff4dc, #3d2f10);
    --crowd-success: light-dark(#1c6b34, #8fdba6);
    --crowd-success-wash: light-dark(#e6f5ea, #17351f);
    --crowd-font: system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
  }
  body {
    margin: 0; padding: 12px; background: var(--crowd-ground); color: var(--crowd-ink);
    font: 15px/1.5 var(--crowd-font); overflow-wrap: anywhere;
  }
  body img:not(.crowd-own) { max-width: 100%; }
  input, select, textarea, button { font: inherit; }
  full-instructions, short-instructions, classification-target, worker-comment { display: block; }
  nightloop-notice {
    display: block; margin: 8px 0; padding: 8px 12px; border: 1px solid var(--crowd-error);
    border-radius: 6px; background: var(--crowd-error-wash); color: var(--crowd-error); font-weight: 600;
  }
`);

export function stylePage() {
  document.adoptedStyleSheets = [page, ...document.adoptedStyleSheets];
}

/** For every shadow root. */
export const base = sheet(`
  :host { display: block; box-sizing: border-box; color: var(--crowd-ink); font: 15px/1.5 var(--crowd-font); }
  :host([hidden]) { display: none !important; }
  *, *::before, *::after { box-sizing: border-box; }
  :focus-visible { outline: 3px solid var(--crowd-accent); outline-offset: 2px; border-radius: 4px; }
  button, input, textarea, select { font: inherit; color: inherit; }
  .quiet { color: var(--crowd-quiet); }
  .error { color: var(--crowd-error); font-size: 0.9em; min-height: 0; }
  .error:empty { display: none; }
  .button {
    display: inline-flex; align-items: center; gap: 6px; min-height: 38px; padding: 6px 14px; cursor: pointer;
    border: 1px solid var(--crowd-edge); border-radius: 6px; background: var(--crowd-ground);
    color: var(--crowd-ink); text-decoration: none;
  }
  .button:hover { background: var(--crowd-wash); }
  .button.primary {
    background: var(--crowd-accent); border-color: var(--crowd-accent); color: var(--crowd-accent-ink);
    font-weight: 600;
  }
  .button.primary:hover { filter: brightness(1.08); }
  .button.plain { border-color: transparent; background: transparent; color: var(--crowd-accent); }
  .button.plain:hover { text-decoration: underline; }
  .button:disabled, .button[aria-disabled="true"] { opacity: 0.55; cursor: not-allowed; filter: none; }
  kbd {
    display: inline-block; min-width: 1.6em; padding: 0 5px; border: 1px solid var(--crowd-edge);
    border-bottom-width: 2px; border-radius: 4px; background: var(--crowd-ground); color: var(--crowd-ink);
    font: 12px/1.5 var(--crowd-font); text-align: center;
  }
  .seen-by-readers {
    position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap;
  }
  dialog {
    max-width: min(720px, 92vw); max-height: 86vh; padding: 20px 24px; border: 1px solid var(--crowd-edge);
    border-radius: 10px; background: var(--crowd-ground); color: var(--crowd-ink);
  }
  dialog::backdrop { background: rgb(0 0 0 / 0.5); }
  @media (prefers-reduced-motion: no-preference) { .button { transition: background 0.1s; } }
`);
