/** The list of somebody's latest answers: what they were, when, and which can still be opened again. */

import { call } from "./portal.js";
import { reopen } from "./undo.js";

const clock = new Intl.DateTimeFormat(undefined, { weekday: "short", hour: "numeric", minute: "2-digit" });

/** Fill the list of the page. */
export async function showAnswers() {
  const { answers } = await call("GET", "/worker/answers").catch(() => ({ answers: [] }));
  const section = document.getElementById("answers");
  section.querySelector("ul").replaceChildren(...answers.map(row));
  section.hidden = !answers.length;
}

function row(answer) {
  const item = element("li", "answer");
  const about = element("div", "about");
  about.append(element("strong", "", answer.title), " ", element("span", "mono", answer.item));
  if (answer.comment) about.append(element("p", "hint", `“${answer.comment}”`));
  const time = element("time", "hint", clock.format(new Date(answer.answered_at)));
  item.append(about, time);
  if (answer.reopenable) {
    const button = element("button", "", "Reopen");
    button.setAttribute("aria-label", `Reopen ${answer.title}, ${answer.item}`);
    button.addEventListener("click", () => reopen(answer.task_id, (address) => location.assign(address)));
    item.append(button);
  } else {
    item.append(element("span", "hint", "final"));
  }
  return item;
}

function element(name, className = "", text = "") {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}
