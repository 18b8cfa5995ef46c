/**
 * Why a script of the template failed, as far as the page can know: a script that was blocked or did not come, something
 * that it looked for and did not find, what a task's page does not have. An exception alone names none of these.
 */

const MOST = 2;
const OWN = new URL("..", import.meta.url).href;

/** Scripts of other files that did not run, by their addresses, and why. @type {Map<string, "blocked here" | "could not be loaded">} */
const missing = new Map();

/** A script did not run. @param {string} address @param {"blocked here" | "could not be loaded"} why */
export function didNotRun(address, why) {
  if (!missing.has(address) && missing.size < 50) missing.set(address, why);
}

/** A script looked for something inside of an element, and found nothing. @param {string} what */
export function foundNothing(what) {
  /** @type {any} */ (window).nightloopFaults?.missed(what);
}

/**
 * What was thrown, where, and why.
 * @param {ErrorEvent | PromiseRejectionEvent} event
 */
export function inWords(event) {
  const thrown = thrownIn(event);
  const line = event instanceof ErrorEvent && event.lineno;
  const error = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
  // confine.js writes down what was looked for before.
  const { sought = [] } = /** @type {any} */ (event);
  const cause = CAUSES.find(([pattern]) => pattern.test(error))?.[1](sought);
  return `${error}${line ? ` (line ${line} of the page)` : ""}${cause ? `. ${cause}` : ""}`;
}

/** Whether a script that is still being refused may be what is missing. @param {ErrorEvent | PromiseRejectionEvent} event */
export function mayLackScript(event) {
  return LACKING.test(String(thrownIn(event)));
}

function thrownIn(event) {
  return event instanceof ErrorEvent ? event.error ?? event.message : event.reason ?? "unknown error";
}

const LACKING = /is not defined|Can't find variable|is not a (function|constructor)/;

/** @type {[RegExp, (sought: string[]) => string][]} */
const CAUSES = [
  [/is not defined|Can't find variable/, () => scripts("No script of this page defines it")],
  [LACKING, () => (missing.size ? scripts("No script of this page defines it as one") : "")],
  [/\bnull\b|is not of type '(Node|Element)'/, (sought) => searches(sought)],
  [/is not valid JSON|JSON\.parse|JSON input|in JSON at/, () => "It reads a text as JSON that is none: give an object, a list or JSON in the task's input there"],
  [/localStorage|sessionStorage|indexedDB|'cookie'/, () => "A task's page has no storage and no cookies: keep it in a variable or in the answer"],
  [/[Tt]ainted/, () => 'Give the image crossorigin="anonymous", and let its bucket allow reading by CORS'],
  [/Failed to fetch|NetworkError|Load failed/, () => "A task's page sends no requests, but for objects passed through grant_read_access: write the data into the task's input"],
];

/** @param {string} begin */
function scripts(begin) {
  for (const why of /** @type {const} */ (["blocked here", "could not be loaded"])) {
    const files = [...missing].filter(([, reason]) => reason === why).map(([address]) => address);
    if (files.length) return `${begin}; ${why}: ${listed(files.map(file))}. ${ADVICE[why]}`;
  }
  const others = [...document.querySelectorAll("script[src]")].map((script) => /** @type {HTMLScriptElement} */ (script).src)
    .filter((address) => !address.startsWith(OWN));
  return others.length ? `${begin}, nor does ${listed(others.map(file))}` : `${begin}: write it into the template`;
}

const ADVICE = {
  "blocked here": "The owner can allow that host under Template bench → hosts, or write the script into the template",
  "could not be loaded": "Write the script into the template, or mend its address",
};

/** What was looked for in vain, the last first. @param {string[]} sought */
function searches(sought) {
  return sought.length ? `Before, it looked for this and found nothing: ${listed([...sought].reverse())}` : "";
}

/** @param {string[]} all */
function listed(all) {
  const some = [...new Set(all)];
  return some.slice(0, MOST).join(", ") + (some.length > MOST ? ` and ${some.length - MOST} more` : "");
}

/** A file as people know it. @param {string} address */
function file(address) {
  const { host, pathname } = new URL(address, document.baseURI);
  return `${pathname.split("/").pop().slice(-60) || "a script"} from ${host}`;
}
