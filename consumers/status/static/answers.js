// What became of what was asked for, shown where it was asked: in the row of the alarm, or below the header.

import { plain } from "./words.js";

const PATIENCE = 5; // s until an answer is missed: dispatch and alarms answer at once
const SEEN = 15; // s a wish that is followed stays in sight; what went wrong stays until it is closed
const KEPT = 300; // s after which nothing more is said of one that is followed: a PCS has started by then, or not
export const STEERING = ""; // the place of what is asked of dispatch; an alarm's place is its name
export const TESTING = "notify"; // the place of a test of channels
const PARTS = { [STEERING]: "dispatch", [TESTING]: "notify" };

const asked = new Map();

/** Something is being asked at a place; what was shown there before is forgotten. */
export function asking(place, words) {
  const one = { words, part: PARTS[place] ?? "alarms", since: performance.now() };
  asked.set(place, one);
  return one;
}

/** What is shown there now has been read; what is said of it later is shown again. */
export function close(place) {
  const one = asked.get(place);
  if (one) one.closed = one.text;
}

/** How it stands with a wish: a kind for the eye, and words. `answers` are those the page has heard of: dispatch follows
 * at once, and says later whether the device did. */
function verdict(one, answers) {
  one.answer = answers?.[one.id] ?? one.answer;
  one.agreed ||= one.answer?.followed;
  const seconds = (performance.now() - one.since) / 1000;
  if (one.fault) return ["bad", `${one.words} was not asked: ${one.fault}`];
  if (one.answer?.followed && one.part === "notify") return ["done", `${one.words}: ${plain(one.answer.reason)}`];
  if (one.answer?.followed) return ["done", [`${one.words}: ${one.part === "dispatch" ? "dispatch follows" : "done"}`, plain(one.answer.reason)].filter(Boolean).join("; ")];
  if (one.answer) return ["bad", `${one.words} is ${one.agreed ? "not followed" : "refused"}: ${plain(one.answer.reason || one.answer.cause)}`];
  if (one.id && seconds > PATIENCE) return ["bad", `${one.words}: no answer in ${PATIENCE} s. Is ${one.part} running?`];
  return ["", one.id ? `${one.words}: asked, waiting for ${one.part}` : `${one.words}: asking`];
}

/** Draw all of it; what has no place any more (the alarm is over) is told by `toast`. */
export function drawAnswers(state, toast) {
  const places = new Map([...document.querySelectorAll("[data-asked]")].map((node) => [node.closest("[data-key]")?.dataset.key ?? STEERING, node]));
  for (const [place, one] of asked) {
    const [kind, text] = verdict(one, state?.answers);
    if (one.text !== text) Object.assign(one, { text, changed: performance.now() });
    const seconds = (performance.now() - one.changed) / 1000;
    const seen = one.closed !== text && (kind !== "done" || seconds <= SEEN);
    if (kind === "done" && seconds > KEPT) asked.delete(place);
    if (places.has(place)) show(places.get(place), kind, seen ? text : "");
    else if (seen && kind && one.told !== text) toast((one.told = text));
  }
  for (const [place, node] of places) if (!asked.has(place)) show(node, "", "");
}

function show(node, kind, text) {
  node.hidden = !text;
  node.className = `asked ${kind}`;
  const words = node.querySelector("[data-f=asked]");
  if (words.textContent !== text) words.textContent = text;
}
