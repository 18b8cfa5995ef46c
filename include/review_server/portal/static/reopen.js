/** The page of an answer that is in: taking it back while it is not final. */

import { reopen } from "./undo.js";

const button = document.getElementById("reopen");
button.addEventListener("click", () => reopen(button.dataset.task, (address) => location.assign(address)));
