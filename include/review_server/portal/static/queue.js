/** The list of tasks: take one, count what was done today, look again by itself. */

import { call, complain, onAlt, others, say } from "./portal.js";
import { showAnswers } from "./answers.js";
import { undoableTask } from "./news.js";
import { undoing } from "./undo.js";
import { midnight } from "./progress.js";

const LOOK_AGAIN = 20_000;
/** @type {NodeListOf<HTMLButtonElement>} */
const taking = document.querySelectorAll("[data-take]");
const buttons = [...taking];

async function take(button) {
  for (const other of buttons) other.disabled = true;
  try {
    const task = await call("POST", "/worker/tasks", { queue: button.dataset.take });
    if (task) return location.assign(`/work/${task.task_id}`);
    say("Somebody was faster: nothing waits there any more.");
    setTimeout(() => location.reload(), 1500);
  } catch (error) {
    if (error.status === 401) return location.assign("/sign-in");
    complain(`The task could not be taken: ${error.message} Try again.`);
  }
  for (const other of buttons) other.disabled = false;
}

for (const button of buttons) button.addEventListener("click", () => take(button));
onAlt("n", () => /** @type {HTMLElement | null} */ (document.querySelector("[data-first]"))?.click());

onAlt("z", undoing(async () => {}, (address) => location.assign(address)));
showAnswers();

call("GET", `/worker/done?since=${midnight()}`).then(
  ({ answered }) => {
    const done = document.getElementById("done");
    done.querySelector("strong").textContent = answered;
    done.hidden = false;
  },
  () => {},
);

// Not while somebody reads with the keyboard on a button, and not in a tab that nobody sees.
let left = false;
setInterval(() => {
  // A reload would end the taking of a task half-way: the server has given it, and nobody is led to it.
  if (buttons.some((button) => button.disabled)) return;
  // Nor is "Undo" taken away while it holds.
  if (undoableTask()) return;
  const choosing = document.activeElement?.closest("main button, main a") && !left;
  if (!document.hidden && !document.querySelector("dialog[open]") && (!choosing || !buttons.length)) location.reload();
}, LOOK_AGAIN);
document.addEventListener("visibilitychange", () => {
  if (document.hidden) left = true;
  else if (left) location.reload();
});
others.addEventListener("message", ({ data }) => {
  if (data.kind === "signed out") location.assign("/sign-in");
  // Perhaps as somebody else.
  if (data.kind === "signed in") location.reload();
});
// A page out of the back-forward cache shows what was, not what is.
window.addEventListener("pageshow", (event) => event.persisted && location.reload());
