/**
 * The entry: makes every element known, tells the page around it what is there, and announces to the template that
 * its elements are ready. Loaded as a module, hence after the document has been read; it is the only script that a
 * template needs.
 */

import { CrowdElement, define } from "./core/element.js";
import { stylePage } from "./core/style.js";
import { Activity } from "./core/activity.js";
import { listen, reportSize, tell } from "./core/bridge.js";
import { announce, blockedHosts, complain, watch } from "./core/complaints.js";
import { isTyping } from "./core/dom.js";
import { chordOf } from "./core/key-name.js";
import { handOnLinks } from "./core/links.js";
import { Seen } from "./core/seen.js";
import "./core/settings.js";
import { CrowdButton, CrowdForm } from "./form/form.js";
import { CrowdInput, CrowdTextArea } from "./form/text.js";
import { CrowdCheckbox, CrowdRadioButton, CrowdRadioGroup, CrowdToggleButton } from "./form/choice.js";
import { CrowdSlider, CrowdSliderLabel } from "./form/slider.js";
import {
  CrowdAlert, CrowdBadge, CrowdCard, CrowdFab, CrowdIconButton, CrowdModal, CrowdTab, CrowdTabs, CrowdToast,
} from "./layout/plain.js";
import { CrowdInstructions, LooseInstructions } from "./layout/instructions.js";
import {
  CrowdClassifier, CrowdClassifierMultiSelect, CrowdImageClassifier, CrowdImageClassifierMultiSelect,
  CrowdRekognitionDetectModerationLabels,
} from "./classify/classifier.js";
import { CrowdBoundingBox, CrowdKeypoint, CrowdLine, CrowdPolygon, CrowdPolyline } from "./annotate/elements.js";
import { CrowdInstanceSegmentation } from "./segment/instance.js";
import { CrowdSemanticSegmentation } from "./segment/semantic.js";
import { CrowdTextractAnalyzeDocument } from "./document/textract.js";
import { CrowdEntityAnnotation } from "./text/entities.js";

const PORTAL_KEYS = ["Alt+s", "Alt+t", "Alt+w", "Alt+q", "Alt+z", "Alt+c"];

watch();
handOnLinks();
stylePage();
define({
  "crowd-button": CrowdButton,
  "crowd-input": CrowdInput,
  "crowd-text-area": CrowdTextArea,
  "crowd-checkbox": CrowdCheckbox,
  "crowd-radio-group": CrowdRadioGroup,
  "crowd-radio-button": CrowdRadioButton,
  "crowd-toggle-button": CrowdToggleButton,
  "crowd-slider": CrowdSlider,
  "crowd-slider-label": CrowdSliderLabel,
  "crowd-alert": CrowdAlert,
  "crowd-badge": CrowdBadge,
  "crowd-card": CrowdCard,
  "crowd-fab": CrowdFab,
  "crowd-icon-button": CrowdIconButton,
  "crowd-modal": CrowdModal,
  "crowd-tab": CrowdTab,
  "crowd-tabs": CrowdTabs,
  "crowd-toast": CrowdToast,
  "crowd-instructions": CrowdInstructions,
  "crowd-classifier": CrowdClassifier,
  "crowd-classifier-multi-select": CrowdClassifierMultiSelect,
  "crowd-image-classifier": CrowdImageClassifier,
  "crowd-image-classifier-multi-select": CrowdImageClassifierMultiSelect,
  "crowd-bounding-box": CrowdBoundingBox,
  "crowd-polygon": CrowdPolygon,
  "crowd-polyline": CrowdPolyline,
  "crowd-line": CrowdLine,
  "crowd-keypoint": CrowdKeypoint,
  "crowd-semantic-segmentation": CrowdSemanticSegmentation,
  "crowd-instance-segmentation": CrowdInstanceSegmentation,
  "crowd-entity-annotation": CrowdEntityAnnotation,
  "crowd-rekognition-detect-moderation-labels": CrowdRekognitionDetectModerationLabels,
  "crowd-textract-analyze-document": CrowdTextractAnalyzeDocument,
  "nightloop-instructions": LooseInstructions,
});
customElements.define("crowd-form", CrowdForm);

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", () => setTimeout(begin));
else setTimeout(begin);

/** After the template's own scripts have had the document. */
function begin() {
  const names = new Set([...document.querySelectorAll("*")].map((element) => element.localName));
  const crowd = [...names].filter((name) => name.startsWith("crowd-")).sort();
  const unsupported = crowd.filter((name) => !customElements.get(name));
  for (const name of unsupported) {
    for (const element of document.querySelectorAll(name)) notice(element, `<${name}> is not supported here, so its answer cannot be given`);
  }
  for (const element of document.querySelectorAll("*")) {
    if (element instanceof CrowdElement && element.constructor.answers && !element.name) {
      notice(element, `<${element.localName}> has no name: its answer would be lost`);
    }
  }
  wrap();
  const forms = [...document.querySelectorAll("crowd-form")];
  for (const form of forms) {
    LooseInstructions.gather(form);
    form.complete();
  }
  if (!forms.length) notice(document.body.firstChild, "This template has no <crowd-form>: nothing can be submitted");
  const seen = new Seen();
  for (const form of forms) form.lacking = () => seen.lacking();
  const activity = new Activity(() => forms[0]?.fingerprint() ?? "");
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.defaultPrevented) return;
    if (isTyping(event) && event.composedPath()[0] instanceof HTMLSelectElement) return;
    event.preventDefault();
    forms[0]?.submit();
  });
  document.addEventListener("keydown", forward);
  reportSize();
  document.dispatchEvent(new Event("all-crowd-elements-ready"));
  for (const form of forms) {
    form.complete(); // scripts may have added questions
    if (!unsupported.length && !form.asks) notice(form.firstChild ?? form, "There is nothing to answer in this form");
  }
  const ready = () => {
    tell("ready", { elements: crowd.filter((name) => !unsupported.includes(name)), unsupported, blocked: blockedHosts() });
    announce();
    if (seen.painted) tell("painted");
  };
  listen((message) => {
    // A parent that began to listen after this page was ready asks.
    if (message.nightloop === "hello") ready();
    if (message.nightloop === "least") seen.demand(message.seconds);
    if (message.nightloop === "pause") seen.pause(Boolean(message.paused));
    if (message.nightloop === "key" || message.nightloop === "restore") activity.begin();
    receive(message, forms[0]);
  });
  ready();
  seen.watch();
}

/** crowd-entity-annotation needs no form: one is put around everything that may answer with it. */
function wrap() {
  if (document.querySelector("crowd-form") || !document.querySelector("crowd-entity-annotation")) return;
  const form = document.createElement("crowd-form");
  const parts = [...document.body.childNodes].filter((node) => node.nodeName !== "SCRIPT");
  document.body.append(form);
  form.append(...parts);
}

// A key that is held down is one decision: it neither submits again nor presses a button again.
window.addEventListener("keydown", (event) => {
  if (!event.repeat || event.key !== "Enter") return;
  const target = /** @type {any} */ (event.composedPath()[0]);
  if (target instanceof HTMLTextAreaElement && !event.ctrlKey && !event.metaKey) return;
  if (target.isContentEditable && !event.ctrlKey && !event.metaKey) return;
  event.preventDefault();
  event.stopPropagation();
}, { capture: true });

/** Keys of the page around this one do not reach it while the focus is here: hand them on. */
function forward(event) {
  const chord = chordOf(event);
  const meant = chord === "?" ? !isTyping(event) : PORTAL_KEYS.includes(chord);
  // What that page has handed over itself stays here.
  if (!meant || event.defaultPrevented || !event.isTrusted) return;
  event.preventDefault();
  tell("key", { chord });
}

/** A key that was pressed in the page around: it acts as if pressed here. @param {any} message */
function press({ code, key, ctrl, alt, shift, meta }) {
  const stages = /** @type {any[]} */ ([...document.querySelectorAll("*")]).filter((element) => element.focusStage);
  // Where the keys of an image go when nothing else has them.
  if (document.activeElement === document.body && stages.length === 1) stages[0].focusStage();
  (document.activeElement ?? document.body).dispatchEvent(new KeyboardEvent("keydown", {
    code: String(code ?? ""), key: String(key ?? ""), ctrlKey: Boolean(ctrl), altKey: Boolean(alt), shiftKey: Boolean(shift),
    metaKey: Boolean(meta), bubbles: true, cancelable: true, composed: true,
  }));
}

/** @param {any} message @param {CrowdForm | undefined} form */
function receive(message, form) {
  if (message.nightloop === "submit") form?.submit();
  if (message.nightloop === "keep") tell("draft", { content: form?.value ?? null });
  if (message.nightloop === "restore") form?.restore(message.content);
  if (message.nightloop === "key") press(message);
  if (message.nightloop === "theme") document.documentElement.style.colorScheme = message.dark ? "dark" : "light";
  if (message.nightloop === "pause") {
    document.body.inert = Boolean(message.paused);
    document.body.style.opacity = message.paused ? "0.35" : "";
  }
}

/** Something is wrong with the template: in sight, before the element that it is about. */
function notice(element, text) {
  const note = document.createElement("nightloop-notice");
  note.setAttribute("role", "alert");
  note.textContent = text;
  if (element) element.before(note);
  else document.body.append(note);
  complain(text);
}
