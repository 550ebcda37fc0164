// The page of the alarms: what stands now with its filter, what was, and how good the alarms are.
import { countdown, drawAlarm, kind, lines, place, reading, stateWords, underWords, what } from "./alarms.js";
import { alarmAsks } from "./asks.js";
import { drawExplained, explain } from "./explain.js";
import { drawFigures } from "./figures.js";
import { drawHead, drawNone } from "./head.js";
import { $, fill, rows, say } from "./rows.js";
import { follow, now } from "./stream.js";
import { plain, since, span } from "./words.js";

const site = document.body.dataset;
const asks = alarmAsks(now);
const filter = $("filter");
const past = $("past");
const FIELDS = ["priority", "class", "state", "device", "q"];
const open = new Set(); // alarms whose details are shown
const unfolded = new Set(); // causes whose consequences are shown
let named = ""; // the alarm that a link means: it stands alone, so that no flood moves it away
let toShow = false; // it is not in view yet

// --- the filter, which stands in the address ----------------------------------------------------------------

function chosen() {
  return Object.fromEntries(FIELDS.map((name) => [name, filter.elements[name].value.trim()]));
}

function fits(alarm, want) {
  const text = [alarm.alarm, what(alarm), alarm.text, place(alarm), alarm.consequence, alarm.response, alarm.reason, alarm.did, alarm.comment, alarm.by, alarm.why, alarm.condition].join(" ").toLowerCase();
  if (named) return alarm.alarm === named;
  return (!want.priority || alarm.priority === want.priority)
    && (!want.class || alarm.alarm_class === want.class)
    && (!want.state || kind(alarm) === want.state)
    && (!want.device || alarm.device === want.device)
    && want.q.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

function toAddress() {
  named = "";
  const said = new URLSearchParams(Object.entries(chosen()).filter(([, value]) => value));
  history.replaceState(null, "", `${location.pathname}${[...said].length ? `#${said}` : ""}`);
}

function fromAddress() {
  const hash = location.hash.slice(1);
  named = hash.includes("=") ? "" : hash;
  toShow = Boolean(named);
  const said = new URLSearchParams(named ? "" : hash);
  if (hash && !named) folded(false);
  for (const name of FIELDS) {
    const field = filter.elements[name];
    const value = said.get(name) ?? "";
    if (name === "device" && value) option(field, value);
    field.value = value;
    if (field.value !== value) field.value = ""; // a link with a word that is none
  }
}

function option(select, value) {
  if ([...select.options].some((one) => one.value === value)) return;
  const added = document.createElement("option");
  added.textContent = added.value = value;
  select.append(added);
}

// --- what stands now ----------------------------------------------------------------------------------------

/** The rows of the list as they stand on the page: causes, and their consequences where these are unfolded. */
function inView(list) {
  const want = chosen();
  const found = lines(list.filter((alarm) => fits(alarm, want)));
  const folded = found.filter((line) => !unfolded.has(line.alarm.alarm));
  return {
    found,
    shown: found.flatMap((line) => [line, ...(unfolded.has(line.alarm.alarm) ? line.under.map((alarm) => ({ alarm, under: [] })) : [])]),
    hidden: folded.flatMap((line) => line.under).filter((alarm) => alarm.asks.includes("ack")).length,
  };
}

function drawList({ alarms, at }) {
  const { shown, hidden } = inView(alarms.list);
  for (const { device } of alarms.list) option(filter.elements.device, device);
  const unseen = shown.filter((line) => line.alarm.asks.includes("ack")).length;
  const all = alarms.list.length;
  say($("in-view"), all ? `${shown.length} of ${all} shown${unseen ? `, ${unseen} not acknowledged` : ""}${hidden ? `; ${hidden} more among the folded consequences` : ""}` : "");
  const over = named && `${named} is not raised now.`;
  drawNone(alarms, shown.length, over || (all ? "None of the alarms fits the filter." : ""));
  $("list").hidden = !shown.length;
  $("ack-all").disabled = !unseen;
  $("named").hidden = !named;
  if (named) open.add(named);
  rows($("list"), "t-row", shown.map((line) => ({ ...line, key: line.alarm.alarm })), "key", (node, line) => drawRow(node, line, at));
  if (toShow) show(shown[0]);
}

/** What a link means comes into view once; of one that is over the archive is asked. */
function show(line) {
  toShow = false;
  if (line) $("list").querySelector("tbody").scrollIntoView({ block: "start" });
  else explain(named, site.zone);
}

function drawRow(node, { alarm, under }, at) {
  drawAlarm(node, alarm, site.zone, at);
  const fold = node.querySelector("[data-fold]");
  fold.hidden = !under.length;
  fold.setAttribute("aria-expanded", String(unfolded.has(alarm.alarm)));
  say(fold, under.length ? underWords(under) : "");
  const isOpen = open.has(alarm.alarm);
  node.querySelector("[data-open]").setAttribute("aria-expanded", String(isOpen));
  node.querySelector(".detail").hidden = !isOpen;
  const urgent = alarm.state === "unacknowledged" && ["critical", "high"].includes(alarm.priority);
  say(node.querySelector("[data-f=todo]"), alarm.active && (isOpen || urgent) ? plain(alarm.response) : "");
  if (isOpen) facts(node.querySelector(".facts"), details(alarm));
}

function details(alarm) {
  return [
    ["What comes of it", alarm.active ? plain(alarm.consequence) : ""],
    ["Time to respond", alarm.time_to_respond === null ? "" : [span(alarm.time_to_respond), countdown(alarm)].filter(Boolean).join(", ")],
    ["Says the device", plain(alarm.reason)],
    ["What control did", alarm.active ? plain(alarm.did) : ""],
    ["Raised when", alarm.condition],
    ["Comment", alarm.comment],
    ["Who and why", [alarm.by, alarm.why].filter(Boolean).join(": ")],
    ["Alarm", `${alarm.alarm}, class ${alarm.alarm_class}${alarm.group ? `, group ${alarm.group}` : ""}`],
  ];
}

export function facts(list, pairs) {
  const said = pairs.filter(([, words]) => words).map(([name, words]) => ({ name, words }));
  rows(list, "t-fact", said, "name", (node, one) => fill(node, one));
}

// --- all in view --------------------------------------------------------------------------------------------

let waiting = [];

async function acknowledgeAll() {
  const { shown, hidden } = inView(now().alarms.list);
  waiting = await asks.acknowledge(shown.map((line) => line.alarm), hidden);
}

/** What became of all of them together; each one's own answer stands in its row. */
function drawAcknowledged() {
  if (!waiting.length) return;
  const done = waiting.filter((one) => one.answer?.followed).length;
  const refused = waiting.filter((one) => one.fault || (one.answer && !one.answer.followed)).length;
  const open_ = waiting.length - done - refused;
  $("ack-told").hidden = false;
  say($("ack-told"), [`${done} of ${waiting.length} acknowledged`, refused && `${refused} refused: why stands in the row`, open_ && `${open_} without an answer`].filter(Boolean).join("; ") + ".");
}

// --- what was -----------------------------------------------------------------------------------------------

async function askPast() {
  const said = new URLSearchParams({ hours: past.elements.hours.value });
  if (past.elements.alarm.value) said.set("alarm", past.elements.alarm.value);
  $("csv").href = `/api/alarms/history?${said}&format=csv`;
  let found;
  try {
    const answer = await fetch(`/api/alarms/history?${said}`);
    found = await answer.json();
    if (!answer.ok) throw new Error(typeof found.detail === "string" ? found.detail : `status ${answer.status}`);
  } catch (wrong) {
    found = { fault: `The history cannot be loaded: ${wrong.message}`, changes: [], told: [], more: false };
  }
  say($("past-fault"), found.fault);
  $("past-fault").hidden = !found.fault;
  for (const one of found.changes) option(past.elements.alarm, one.alarm);
  const known = new Map(found.changes.map((one) => [one.alarm, one]));
  const messages = found.told.map((one) => ({ ...one, alarm: past.elements.alarm.value || one.alarms[0], state: one.result, told: true }));
  const all = [...found.changes, ...messages.map((one) => ({ ...one, like: known.get(one.alarm) }))].toSorted((a, b) => Date.parse(b.at) - Date.parse(a.at));
  const shown = all.slice(0, 300);
  say($("past-count"), found.fault ? "" : `${found.changes.length}${found.more ? " and more" : ""} changes${messages.length ? ` and ${messages.length} message${messages.length === 1 ? "" : "s"}` : ""}${shown.length < all.length ? `, the newest ${shown.length} shown; all in the CSV` : ""}`);
  rows($("changes"), "t-change", shown.map((one) => ({ ...one, key: `${one.at} ${one.alarm} ${one.state}` })), "key", drawChange);
}

function drawChange(node, one) {
  node.dataset.alarm = one.alarm;
  const at = since(one.at, site.zone);
  if (one.told) return drawTold(node, one, at);
  drawAlarm(node, { ...one, ...UNTOLD, since: one.at, over: one.at, seconds: 0 }, site.zone, one.at);
  fill(node, { when: at, what: what(one), state: one.state === "normal" ? "normal" : stateWords({ ...one, ...UNTOLD, over: one.at }, site.zone, one.at), value: reading(one, site.zone, one.at), said: [one.by, one.why || one.comment].filter(Boolean).join(": ") });
}

const BECAME = { sent: "told", failed: "not told", given_up: "not told, given up", waits: "not told yet", nobody: "told nobody" };

/** Whom a message reached, or why nobody. */
function drawTold(node, one, at) {
  if (one.like) drawAlarm(node, { ...one.like, ...UNTOLD, unseen: false, active: false, since: one.at, over: one.at, seconds: 0 }, site.zone, one.at);
  const more = one.alarms.length > 1 ? ` and ${one.alarms.length - 1} more` : "";
  fill(node, { when: at, what: `${one.like ? what(one.like) : one.alarm}${more}`, state: BECAME[one.result], value: "", said: one.words });
}

const UNTOLD = { response: "", did: "", asks: [], time_to_respond: null, consequence_of: "", leads: false, silence: null, present: null, shelved_until: null, out_until: null, under: "" };

// --- all of it ----------------------------------------------------------------------------------------------

function draw(state) {
  drawHead(state, site, "Alarms · ");
  drawList(state);
  drawAcknowledged();
  drawFigures(state, site.zone);
  drawExplained(state, site.zone);
}

function folded(is) {
  filter.classList.toggle("folded", is);
  $("filter-fold").setAttribute("aria-expanded", String(!is));
}

const again = () => { if (now()) drawList(now()); };
filter.addEventListener("input", () => { toAddress(); again(); });
filter.addEventListener("submit", (event) => event.preventDefault());
filter.addEventListener("reset", () => setTimeout(() => { toAddress(); again(); }));
addEventListener("hashchange", () => { fromAddress(); again(); });
$("notify-test")?.addEventListener("submit", (event) => { event.preventDefault(); asks.test(event.target.elements.to.value); });
$("named-all").addEventListener("click", () => { toAddress(); again(); });
$("filter-fold").addEventListener("click", () => folded(!filter.classList.contains("folded")));
$("ack-all").addEventListener("click", acknowledgeAll);
past.addEventListener("change", askPast);
past.addEventListener("submit", (event) => { event.preventDefault(); askPast(); });
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-open], [data-fold], [data-explain]");
  if (!button) return;
  const row = button.closest("[data-key]");
  if (button.dataset.explain !== undefined) return explain(row.dataset.alarm ?? row.dataset.key, site.zone);
  const set = button.dataset.open === undefined ? unfolded : open;
  if (!set.delete(row.dataset.key)) set.add(row.dataset.key);
  again();
});
fromAddress();
follow(draw, asks.alarm);
askPast();
setInterval(askPast, 60_000);
