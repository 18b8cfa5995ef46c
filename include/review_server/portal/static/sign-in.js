/** Signing in, and coming back to the page that was asked for. */

import { call, complain, others } from "./portal.js";

const form = document.getElementById("sign-in");
const button = form.querySelector("button");

// Who comes by a link from another site arrives without the cookie (SameSite=Strict), but may be signed in.
call("GET", "/worker/session").then(() => location.replace(form.dataset.next), () => {});

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  button.disabled = true;
  complain("");
  try {
    await call("POST", "/worker/session", { name: form.elements.name.value.trim(), password: form.elements.password.value });
    others.postMessage({ kind: "signed in" });
    location.replace(form.dataset.next);
  } catch (error) {
    button.disabled = false;
    complain(
      error.status === 401 ? "The name or the password is wrong. Both are case-sensitive." : `${error.message} Try again later.`,
    );
    form.elements.password.value = "";
    form.elements.password.focus();
  }
});
