/** The template bench: the frame shows the template, its submit shows the answer. */

import { isDark } from "./portal.js";

const preview = document.getElementById("preview");
const answer = document.getElementById("answer");

window.addEventListener("message", ({ source, data }) => {
  if (source !== preview.contentWindow) return;
  if (data?.nightloop === "ready") theme();
  if (data?.nightloop === "answer") answer.textContent = JSON.stringify(data.content, null, 2);
  if (data?.nightloop === "error") answer.textContent = `The template reports: ${data.message}`;
});

const theme = () => preview.contentWindow.postMessage({ nightloop: "theme", dark: isDark() }, "*");
document.addEventListener("nightloop-theme", theme);
