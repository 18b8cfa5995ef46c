/** Signing in, and coming back to the page that was asked for. */

import { call, complain, others } from "./portal.js";

const form = /** @type {HTMLFormElement} */ (document.getElementById("sign-in"));
const button = form.querySelector("button");
const { name, password } = /** @type {Record<string, HTMLInputElement>} */ (/** @type {unknown} */ (form.elements));

// Who comes by a link from another site arrives without the cookie (SameSite=Strict), but may be signed in.
call("GET", "/worker/session").then(() => location.replace(form.dataset.next), () => {});

/** What went wrong, for people. @param {import("./portal.js").Refused} error */
function said(error) {
  if (error.status === 401) return "The name or the password is wrong. Both are case-sensitive.";
  const sentence = error.message[0].toUpperCase() + error.message.slice(1);
  // Who asks too often is told when to come again.
  return [429, 503].includes(error.status) ? `${sentence}.` : `${sentence} Try again later.`;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  button.disabled = true;
  complain("");
  try {
    await call("POST", "/worker/session", { name: name.value.trim(), password: password.value });
    others.postMessage({ kind: "signed in" });
    location.replace(form.dataset.next);
  } catch (error) {
    button.disabled = false;
    complain(said(error));
    password.value = "";
    password.focus();
  }
});
