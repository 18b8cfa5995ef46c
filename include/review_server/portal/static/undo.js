/** Taking an answer back while it is not final: it is in hand again, as it was. */

import { call, complain, say } from "./portal.js";
import { offerUndo, undoableTask } from "./news.js";

/** @param {string} task @param {(address: string) => void} go */
export async function reopen(task, go) {
  try {
    const { task_id } = await call("POST", `/worker/tasks/${task}/undo`, {});
    go(`/work/${task_id}`);
  } catch (error) {
    // What was not reached can be tried again.
    if (error.status >= 400 && error.status < 500) offerUndo(null);
    if (error.status === 409) say("That answer is final: it cannot be taken back any more.");
    else failed(`The answer could not be taken back: ${error.message} Try again.`);
  }
}

function failed(text) {
  say("");
  complain(text);
}

/** Undo by its button. @param {() => Promise<any>} before @param {(address: string) => void} go @returns {() => void} */
export function undoing(before, go) {
  let going = false;
  const takeBack = async () => {
    const task = undoableTask();
    if (!task) return say("There is no answer to take back at once; see your latest answers in the list of tasks.");
    say("Taking the answer back…", true);
    try {
      await before();
    } catch (error) {
      return failed(`What you have begun here is not kept yet: ${error.message} Try again.`);
    }
    return reopen(task, go);
  };
  const undo = async () => {
    // Pressed twice, it means once: the second would find what the first has set aside.
    if (going) return;
    going = true;
    await takeBack();
    going = false;
  };
  document.getElementById("undo").addEventListener("click", undo);
  return undo;
}
