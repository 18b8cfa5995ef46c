/** The template bench: what the check says, the template in its frame, and the answer that submit gives. */

import { openLink } from "./links.js";
import { isDark } from "./portal.js";

let preview = /** @type {HTMLIFrameElement} */ (document.getElementById("preview"));
const answer = document.getElementById("answer");

window.addEventListener("message", ({ source, data }) => {
  if (source !== preview.contentWindow) return;
  if (data?.nightloop === "ready") theme();
  if (data?.nightloop === "answer") answer.textContent = JSON.stringify(data.content, null, 2);
  if (data?.nightloop === "error") complain(`In the preview: ${data.message}`);
  if (data?.nightloop === "open") openLink(data.url);
  if (data?.nightloop === "held") answer.textContent = `Nothing was submitted: ${data.reason}`;
});

const form = /** @type {HTMLFormElement} */ (document.getElementById("bench"));
const findings = document.getElementById("findings");
let tries = 0;

// The form itself goes into the frame, by POST; the check is asked for beside it.
form.addEventListener("submit", async () => {
  const mine = ++tries;
  // A frame of its own for each try: what the last one still says is not about this one.
  const next = /** @type {HTMLIFrameElement} */ (preview.cloneNode());
  preview.replaceWith(next);
  preview = next;
  answer.textContent = "Submit in the preview, and the answerContent appears here.";
  const list = findings.querySelector("ul");
  list.replaceChildren();
  let lines;
  try {
    const reply = await fetch("/owner/templates/check", { method: "POST", body: fields() });
    lines = reply.ok
      ? (await reply.json()).findings.map(
          ({ severity, message, line }) => `${line ? `Line ${line}, ` : ""}${severity}: ${message}`,
        )
      : ["The check did not run. The preview below says why; otherwise sign in again."];
  } catch {
    lines = ["The server cannot be reached. Try again."];
  }
  if (mine !== tries) return; // a later try has been made meanwhile
  if (!lines.length) lines = ["Nothing is wrong with it."];
  list.prepend(
    ...lines.map((text) => {
      const item = document.createElement("li");
      item.textContent = text;
      return item;
    }),
  );
  findings.hidden = false;
});

/** One more line for what the check says: what happened in the preview. @param {string} text */
function complain(text) {
  const list = findings.querySelector("ul");
  if (list.children.length > 50 || [...list.children].some((item) => item.textContent === text)) return;
  const item = document.createElement("li");
  item.textContent = text;
  list.append(item);
  findings.hidden = false;
}

/** The form's fields, all of them text. */
const fields = () => new URLSearchParams([...new FormData(form)].map(([name, value]) => [name, String(value)]));

const theme = () => preview.contentWindow.postMessage({ nightloop: "theme", dark: isDark() }, "*");
document.addEventListener("nightloop-theme", theme);
