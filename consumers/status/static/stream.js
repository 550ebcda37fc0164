// The live stream: one event a second with the whole state; and what is said of it when it stops.
import { close, drawAnswers, STEERING } from "./answers.js";
import { $, lamp, say } from "./rows.js";
import { age } from "./words.js";

let state = null;
let heard = 0;
let clearing = 0;

export const now = () => state;

export function toast(text) {
  say($("toast"), text);
  clearTimeout(clearing);
  clearing = setTimeout(() => say($("toast"), ""), 8000);
}

/** Calls `draw` with each state, and `ask` with the key of a row and the action of a button in it that is clicked. */
export function follow(draw, ask) {
  const stream = new EventSource("/events");
  stream.onmessage = (event) => {
    state = JSON.parse(event.data);
    heard = performance.now();
    draw(state);
    drawAnswers(state, toast);
    judge();
  };
  setInterval(() => { judge(); drawAnswers(state, toast); }, 1000);
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-ask], [data-close-asked]");
    if (!button) return;
    const place = button.closest("[data-key]")?.dataset.key ?? STEERING;
    if (button.dataset.ask) ask(place, button.dataset.ask);
    else close(place);
    drawAnswers(state, toast);
  });
}

function judge() {
  const silence = (performance.now() - heard) / 1000;
  const lost = silence > 4;
  if (!state && !lost) return; // it has only just been opened
  document.body.dataset.stream = lost ? "lost" : "live";
  let trouble = "";
  if (lost) trouble = state ? `No connection to the status page for ${age(silence)}: what you see is old.` : "No connection to the status page.";
  else if (!state.broker) trouble = "No connection to the broker: every value is old.";
  else if (state.archive === false) trouble = "The archive cannot be read: curves and the history of alarms are missing.";
  $("banner").hidden = !trouble;
  say($("banner"), trouble);
  lamp($("lamp"), lost || !state.broker ? "bad" : state.archive === false ? "warn" : "", lost ? "not connected" : state.broker ? "live" : "no broker");
}
