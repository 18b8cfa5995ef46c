/** How far somebody is: "12 of 40" in the bar, from what they did today and what of the queue is not done. */

import { call } from "./portal.js";

/** The beginning of the reader's day, which only the browser knows. */
export function midnight() {
  const today = new Date();
  today.setHours(0, 0, 0, 0);
  return encodeURIComponent(today.toISOString());
}

/** Show it for the queue that is worked at. @param {string} key */
export async function showProgress(key) {
  const { queues } = await call("GET", `/worker/queue?since=${midnight()}`).catch(() => ({ queues: [] }));
  const queue = queues.find((one) => one.queue === key);
  const place = document.getElementById("progress");
  place.hidden = !queue;
  if (!queue) return;
  // The one in hand is neither done nor waiting.
  const at = queue.done_today + 1;
  const of = queue.done_today + queue.waiting + 1;
  place.querySelector("span").textContent = `${at} of ${of}`;
  place.title = `${queue.done_today} done today, ${queue.waiting} waiting, ${queue.held_elsewhere} with others`;
}
