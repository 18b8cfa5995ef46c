/** Setting a first password with the secret of an invitation, which stands in the address's fragment. */

import { call, complain, sayNext } from "./portal.js";

const form = /** @type {HTMLFormElement} */ (document.getElementById("welcome"));
const { password, again } = /** @type {Record<string, HTMLInputElement>} */ (/** @type {unknown} */ (form.elements));
const token = location.hash.slice(1);
// It does not stay in the history.
history.replaceState(null, "", location.pathname);
if (!token) complain("This link is not complete. Open it again as it was sent to you.");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (password.value !== again.value) {
    complain("The two are not the same. Type the password again.");
    again.value = "";
    return again.focus();
  }
  try {
    const member = await call("POST", "/worker/invitation", { token, password: password.value });
    sayNext(`The password is set. Sign in as ${member.name}.`);
    location.assign("/sign-in");
  } catch (error) {
    complain(error.message);
  }
});
