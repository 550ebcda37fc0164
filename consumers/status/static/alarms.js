// Alarms in words and rows, for the card of the front page and for the page of their own: both draw from here.
import { rows, say, show, fill } from "./rows.js";
import { number, plain, span, when } from "./words.js";

export const SHAPES = {
  critical: ["1", "M2 2H22V22H2Z"], high: ["2", "M12 1L23 22H1Z"], medium: ["3", "M12 1L23 12L12 23L1 12Z"], low: ["4", "M12 1A11 11 0 1 0 12 23A11 11 0 1 0 12 1Z"],
};
export const PRIORITIES = Object.keys(SHAPES);
export const QUIET = ["shelved", "suppressed", "out_of_service"];

/** What kind of state the filter knows it by. */
export function kind(alarm) {
  return QUIET.includes(alarm.state) ? alarm.state : alarm.active ? "active" : "returned";
}

/** Its state for a person; of one that is over it says so before all else. */
export function stateWords(alarm, zone, now) {
  const until = (at) => (at ? ` until ${when(at, zone, now)}${left(at, now)}` : "");
  const by = alarm.by ? ` by ${alarm.by}` : "";
  const over = `over since ${alarm.over ? when(alarm.over, zone, now) : "?"}`;
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

/** How long until a time that is set; where it is past, that it should be over. */
function left(at, now) {
  const seconds = (Date.parse(at) - Date.parse(now)) / 1000;
  return seconds > 0 ? ` (${span(seconds)} left)` : ", which is past";
}

/** How long the operator still has; nothing for one that is acknowledged or over. */
export function countdown(alarm) {
  if (alarm.state !== "unacknowledged" || alarm.time_to_respond === null) return "";
  const rest = alarm.time_to_respond - alarm.seconds;
  return rest >= 0 ? `${span(rest)} left to respond` : `overdue by ${span(-rest)}`;
}

/** The value that it was told with against its limit, and what the point says now; or for how long nothing was heard. */
export function reading(alarm) {
  if (alarm.silent) return silence(alarm);
  if (alarm.value === null || alarm.value === "") return "";
  const told = show(alarm.value, alarm.unit);
  const limit = alarm.limit === null || typeof alarm.value !== "number" ? "" : ` (limit ${show(alarm.limit, alarm.unit)})`;
  const now = typeof alarm.present === "number" ? show(alarm.present, alarm.unit) : told;
  return `${told}${limit}${now === told ? "" : `, now ${now}`}`;
}

/** Of one that goes on it counts; `silence` is how long it is now, which a message of the past does not know. */
function silence({ active, limit, silence: now, value }) {
  const isBack = !active || (typeof now === "number" && typeof limit === "number" && now < limit);
  if (isBack) return "telemetry has come back"; // and its value is the age of that
  const most = typeof limit === "number" ? ` (limit ${number(limit, Number.isInteger(limit) ? 0 : 1)} s)` : "";
  const lasts = now ?? value;
  return `no telemetry${typeof lasts === "number" ? ` for ${span(lasts)}${most}` : ""}`;
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

/** Lines of a list: each with those it explains, where these are in the list, too. One that nobody has acknowledged and
 * that is graver than its cause stands for itself: what is critical is never folded under less. Any other line stands where
 * the first of them stands in the list. */
export function lines(list) {
  const known = new Map(list.map((alarm) => [alarm.alarm, alarm]));
  const above = (one) => {
    const cause = known.get(one.under);
    const graver = cause && one.active && one.unseen && PRIORITIES.indexOf(one.priority) < PRIORITIES.indexOf(cause.priority);
    return graver ? undefined : cause;
  };
  const named = new Map(list.map((alarm) => [alarm.alarm, { alarm: above(alarm) ? alarm : { ...alarm, under: "" }, under: [] }]));
  for (const one of list) named.get(above(one)?.alarm)?.under.push(one);
  return [...new Set(list.map((one) => named.get((above(one) ?? one).alarm)))];
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
  const at = alarm.service || alarm.silent ? "" : alarm.point;
  fill(node, {
    priority: alarm.priority,
    text: what(alarm),
    todo: alarm.active ? plain(alarm.response) : "",
    did: alarm.active ? plain(alarm.did) : "",
    where: [at, measured, `since ${when(alarm.since, zone, now, true)} (${span(alarm.seconds)})`, state, alarm.leads && "first-out"].filter(Boolean).join(" · "),
    state,
    left: countdown(alarm),
    since: when(alarm.since, zone, now, true),
    age: span(alarm.seconds),
    place: place(alarm),
    point: alarm.service || alarm.silent ? "" : alarm.point,
    value: measured,
    first: alarm.leads ? "first-out" : alarm.consequence_of ? `follows from ${alarm.consequence_of}` : "",
  });
  for (const button of node.querySelectorAll("[data-ask]")) button.hidden = !alarm.asks.includes(button.dataset.ask);
}
