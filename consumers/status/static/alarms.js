// Alarms in words and rows, for the card of the front page and for the page of their own: both draw from here.
import { rows, say, show, fill } from "./rows.js";
import { age, number, plain, since } from "./words.js";

const SHAPES = {
  critical: ["1", "M2 2H22V22H2Z"], high: ["2", "M12 1L23 22H1Z"], medium: ["3", "M12 1L23 12L12 23L1 12Z"], low: ["4", "M12 1A11 11 0 1 0 12 23A11 11 0 1 0 12 1Z"],
};
export const PRIORITIES = Object.keys(SHAPES);
export const QUIET = ["shelved", "suppressed", "out_of_service"];

/** What kind of state the filter knows it by. */
export function kind(alarm) {
  return QUIET.includes(alarm.state) ? alarm.state : alarm.active ? "active" : "returned";
}

function instant(at, zone, now) {
  const text = since(at, zone);
  return text.slice(0, 10) === since(now, zone).slice(0, 10) ? text.slice(11) : text.slice(0, 16);
}

/** Its state for a person; of one that is over it says so before all else. */
export function stateWords(alarm, zone, now) {
  const until = (at) => (at ? ` until ${instant(at, zone, now)}` : "");
  const by = alarm.by ? ` by ${alarm.by}` : "";
  const over = `over since ${alarm.over ? instant(alarm.over, zone, now).slice(0, -3) : "?"}`;
  switch (alarm.state) {
    case "unacknowledged": return "active, not acknowledged";
    case "acknowledged": return `active, acknowledged${by}`;
    case "returned": return `${over}, waits for acknowledgement`;
    case "latched_unacknowledged": return `${over}, waits for acknowledgement and reset`;
    case "latched": return `${over}, acknowledged${by}, waits for a reset`;
    case "shelved": return `shelved${by}${until(alarm.shelved_until)}${alarm.active ? ", active" : ""}`;
    case "suppressed": return `suppressed by design${alarm.consequence_of ? `: follows from ${alarm.consequence_of}` : ""}`;
    case "out_of_service": return `out of service${by}${until(alarm.out_until)}${alarm.active ? ", active" : ""}`;
    default: return alarm.state.replaceAll("_", " ");
  }
}

/** How long the operator still has; nothing for one that is acknowledged or over. */
export function countdown(alarm) {
  if (alarm.state !== "unacknowledged" || alarm.time_to_respond === null) return "";
  const left = alarm.time_to_respond - alarm.seconds;
  return left >= 0 ? `${age(Math.round(left))} left to respond` : `response due for ${age(Math.round(-left))}`;
}

/** The value against its limit, or for how long nothing was heard. */
export function reading(alarm) {
  if (alarm.silent) {
    const most = typeof alarm.limit === "number" ? ` (limit ${seconds(alarm.limit)})` : "";
    return `${alarm.active ? "" : "was: "}${typeof alarm.value === "number" ? `no telemetry for ${seconds(alarm.value)}${most}` : "no telemetry"}`;
  }
  if (alarm.value === null || alarm.value === "") return "";
  const limit = alarm.limit === null || typeof alarm.value !== "number" ? "" : ` (limit ${show(alarm.limit, alarm.unit)})`;
  return `${show(alarm.value, alarm.unit)}${limit}`;
}

function seconds(value) {
  return `${number(value, Number.isInteger(value) ? 0 : 1)} s`;
}

/** Which device of which battery, or which part of joulebus. */
export function place(alarm) {
  if (alarm.service) return `service ${alarm.device}`;
  return [alarm.battery, alarm.device].filter(Boolean).join(" · ");
}

/** What is wrong; of a part of joulebus with its name. */
export function what(alarm) {
  const words = plain(alarm.what);
  return alarm.service && !words.includes(alarm.device) ? `${alarm.device}: ${words}` : words;
}

/** Lines of a list: each with those it explains, where these are in the list, too. A line stands where the first of them
 * stands in the list: a critical consequence must not wait below its cause of less. */
export function lines(list) {
  const named = new Map(list.map((alarm) => [alarm.alarm, { alarm, under: [] }]));
  for (const one of list) named.get(one.under)?.under.push(one);
  return [...new Set(list.map((one) => named.get(one.under) ?? named.get(one.alarm)))];
}

export function underWords(under) {
  const worst = PRIORITIES.find((one) => under.some((alarm) => alarm.priority === one && alarm.active));
  return `+ ${under.length} consequence${under.length === 1 ? "" : "s"}${worst ? `, worst ${worst}` : ""}`;
}

/** How many are active, by priority: `2 critical, 1 low`. */
export function countWords(counts) {
  return PRIORITIES.filter((one) => counts[one].active).map((one) => `${counts[one].active} ${one}`).join(", ");
}

/** One alarm in the fields that its row has. */
export function drawAlarm(node, alarm, zone, now) {
  node.className = [alarm.priority, alarm.unseen && "unseen", !alarm.active && "over", QUIET.includes(alarm.state) && "quiet", alarm.under && "consequence"].filter(Boolean).join(" ");
  const [digit, path] = SHAPES[alarm.priority];
  node.querySelector(".shape path").setAttribute("d", path);
  say(node.querySelector(".shape text"), digit);
  const state = stateWords(alarm, zone, now);
  const measured = reading(alarm);
  const at = alarm.service ? place(alarm) : `${alarm.battery ? `${alarm.battery} · ` : ""}${alarm.device}${alarm.silent ? "" : `.${alarm.point}`}`;
  fill(node, {
    priority: alarm.priority,
    text: what(alarm),
    todo: alarm.active ? plain(alarm.response) : "",
    did: alarm.active ? plain(alarm.did) : "",
    where: [at, measured, `since ${since(alarm.since, zone)} (${age(alarm.seconds)})`, state, alarm.first_out && "first of its flood"].filter(Boolean).join(" · "),
    state,
    left: countdown(alarm),
    since: instant(alarm.since, zone, now),
    age: age(alarm.seconds),
    place: place(alarm),
    point: alarm.service || alarm.silent ? "" : alarm.point,
    value: measured,
    first: alarm.first_out ? "first-out" : alarm.consequence_of ? `follows from ${alarm.consequence_of}` : "",
  });
  for (const button of node.querySelectorAll("[data-ask]")) button.hidden = !alarm.asks.includes(button.dataset.ask);
}

const SHOWN = 6;

/** The card of the front page: what asks most, each cause once. */
export function drawCard({ doubt, counts, list }, { card, zone, now, title }) {
  const [count, none, rest, pills, home] = ["alarm-count", "no-alarms", "more-alarms", "alarm-pills", "alarms"].map((id) => document.getElementById(id));
  const active = PRIORITIES.reduce((sum, one) => sum + counts[one].active, 0);
  const unseen = list.filter((alarm) => alarm.unseen).length;
  say(count, [countWords(counts), unseen && `${unseen} not acknowledged`].filter(Boolean).join(" · "));
  const loud = lines(list).filter((line) => !QUIET.includes(line.alarm.state));
  say(none, doubt ? `Alarms are not known: ${doubt}.${list.length ? " Last seen:" : ""}` : "No alarms. Every rule of the site is watched and normal.");
  none.classList.toggle("doubtful", Boolean(doubt));
  none.hidden = loud.length > 0 && !doubt;
  rows(home, card, loud.slice(0, SHOWN).map((line) => ({ ...line, key: line.alarm.alarm })), "key", (node, line) => drawLine(node, line, card, zone, now));
  const quiet = list.filter((alarm) => QUIET.includes(alarm.state) && !alarm.under).length;
  say(rest, [loud.length > SHOWN && `${loud.length - SHOWN} more`, quiet && `${quiet} shelved, suppressed or out of service`, "All alarms, history and figures"].filter(Boolean).join(" · "));
  drawPills(pills, counts, doubt, unseen);
  document.title = `${active ? `(${active}) ` : ""}${title}`;
}

function drawLine(node, { alarm, under }, card, zone, now) {
  drawAlarm(node, alarm, zone, now);
  const fold = node.querySelector(".under");
  fold.hidden = !under.length;
  say(fold.querySelector("summary"), under.length ? underWords(under) : "");
  rows(fold.querySelector("ul"), card, under, "alarm", (one, alarm_) => drawLine(one, { alarm: alarm_, under: [] }, card, zone, now));
}

/** In the header: how many of each priority; red for what is active, matters, and nobody has acknowledged. */
export function drawPills(home, counts, doubt, unseen) {
  const listed = PRIORITIES.filter((one) => counts[one].active).map((one) => ({ priority: one, ...counts[one] }));
  rows(home, "t-pill", listed, "priority", (node, one) => {
    node.className = `count ${one.priority}${one.unseen && ["critical", "high"].includes(one.priority) ? " calls" : ""}`;
    node.querySelector(".shape path").setAttribute("d", SHAPES[one.priority][1]);
    fill(node, { count: `${one.active} ${one.priority}` });
  });
  const words = home.querySelector("[data-f=none]");
  say(words, doubt ? "Alarms not known" : listed.length ? "" : unseen ? `${unseen} over, not acknowledged` : "No alarms");
  home.setAttribute("aria-label", `Alarms: ${doubt ? "not known" : countWords(counts) || "none"}`);
}
