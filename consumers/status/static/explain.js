// Why an alarm was raised: its rule in words, and the curve of its point around it with the limit.
import { countdown, place, reading, stateWords, what } from "./alarms.js";
import { $, fill, rows, say, show } from "./rows.js";
import { age, plain, span, when } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [640, 220, 88, 12, 24, 28];

let asked = "";

export async function explain(name, zone) {
  asked = name;
  say($("explain-title"), name);
  say($("explain-where"), "Asking …");
  rows($("explain-facts"), "t-fact", [], "name", () => {});
  $("trend").hidden = $("explain-fault").hidden = true;
  if (!$("explain").open) $("explain").showModal();
  try {
    const answer = await fetch(`/api/alarms/${encodeURIComponent(name)}/explain`);
    const found = await answer.json();
    if (name !== asked) return;
    if (!answer.ok) throw new Error(typeof found.detail === "string" ? found.detail : `status ${answer.status}`);
    draw(found, zone);
  } catch (wrong) {
    say($("explain-where"), "");
    fault(wrong.message);
  }
}

function fault(words) {
  say($("explain-fault"), words);
  $("explain-fault").hidden = !words;
}

function draw({ alarm, trend, fault: wrong }, zone) {
  fault(wrong);
  if (!alarm) return say($("explain-where"), "");
  drawWords(alarm, zone, shown?.at ?? alarm.at);
  $("trend").hidden = !trend;
  if (trend) drawTrend(alarm, trend, zone, shown?.at ?? alarm.at);
}

let shown = null;

/** While it is open it says what is so now. */
export function drawExplained(state, zone) {
  shown = state;
  if (!$("explain").open) return;
  const alarm = state.alarms.list.find((one) => one.alarm === asked);
  if (alarm) drawWords(alarm, zone, state.at);
  else if ($("explain").dataset.stands) say($("explain-where"), `${asked} · over`);
}

function drawWords(alarm, zone, now) {
  $("explain").dataset.stands = alarm.active ? "yes" : "";
  say($("explain-title"), what(alarm));
  say($("explain-where"), `${alarm.alarm} · ${alarm.priority} · ${place(alarm)} · ${stateWords(alarm, zone, now)}`);
  const delay = alarm.began ? (Date.parse(alarm.since) - Date.parse(alarm.began)) / 1000 : null;
  const pairs = [
    ["What to do", alarm.active ? plain(alarm.response) : ""],
    ["Why it matters", plain(alarm.consequence)],
    ["Time to respond", alarm.time_to_respond === null ? "" : [span(alarm.time_to_respond), countdown(alarm)].filter(Boolean).join(", ")],
    ["Rule", alarm.condition ? `raised when ${alarm.condition}` : alarm.silent ? "raised when the device is silent" : alarm.limit === null ? "" : `${alarm.point} against its limit of ${show(alarm.limit, alarm.unit)}`],
    ["Raised", `${when(alarm.since, zone, now, true)}${delay === null ? "" : delay > 0.5 ? `, ${age(delay)} after its condition came (${when(alarm.began, zone, now, true)})` : ", as soon as its condition came"}`],
    ["Value", reading(alarm)],
    ["Says the device", plain(alarm.reason)],
    ["What control did", alarm.active ? plain(alarm.did) : ""],
    ["Among others", (alarm.leads ?? alarm.first_out) ? "the first-out: its condition came first of its group" : alarm.consequence_of ? `follows from ${alarm.consequence_of}` : ""],
  ];
  rows($("explain-facts"), "t-fact", pairs.filter(([, words]) => words).map(([name, words]) => ({ name, words })), "name", (node, one) => fill(node, one));
}

function drawTrend(alarm, trend, zone, now) {
  const at = (seconds) => when(seconds * 1000, zone, now);
  const svg = $("trend").querySelector("svg");
  svg.replaceChildren();
  const where = `${alarm.device}.${trend.point}`;
  if (!trend.at.length) return say($("trend-words"), `${where}: the archive has no numbers from ${at(trend.start)} to ${at(trend.end)}.`);
  const unit = alarm.silent ? trend.unit : alarm.unit;
  const limit = !alarm.silent && typeof alarm.limit === "number" ? alarm.limit : null;
  const every = limit === null ? trend.mean : [...trend.mean, limit];
  let [low, high] = [Math.min(...every), Math.max(...every)];
  const room = (high - low) * 0.08 || Math.abs(high) * 0.05 || 1;
  [low, high] = [low - room, high + room];
  const x = (at) => LEFT + ((at - trend.start) / (trend.end - trend.start)) * (WIDTH - LEFT - RIGHT);
  const y = (value) => TOP + ((high - value) / (high - low)) * (HEIGHT - TOP - BOTTOM);
  const raised = Date.parse(alarm.since) / 1000;
  add(svg, "rect", { class: "rail", x: LEFT, y: TOP, width: WIDTH - LEFT - RIGHT, height: HEIGHT - TOP - BOTTOM });
  add(svg, "line", { class: "raised", x1: x(raised), x2: x(raised), y1: TOP, y2: HEIGHT - BOTTOM });
  add(svg, "text", { x: x(raised), y: TOP - 5, "text-anchor": "middle" }, `raised ${at(raised)}`);
  if (limit !== null) {
    add(svg, "line", { class: "limit", x1: LEFT, x2: WIDTH - RIGHT, y1: y(limit), y2: y(limit) });
    add(svg, "text", { class: "limit", x: LEFT + 4, y: y(limit) - 4 }, `limit ${show(limit, unit)}`);
  }
  add(svg, "path", { class: "curve", d: path(trend, x, y) });
  const [least, most] = [Math.min(...trend.mean), Math.max(...trend.mean)];
  for (const value of new Set([least, most])) add(svg, "text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, show(value, unit));
  add(svg, "text", { x: LEFT, y: HEIGHT - 6 }, at(trend.start));
  add(svg, "text", { x: WIDTH - RIGHT, y: HEIGHT - 6, "text-anchor": "end" }, at(trend.end));
  const last = trend.at.length - 1;
  const against = limit === null ? "" : ` The limit is ${show(limit, unit)}.`;
  say($("trend-words"), `${where} from ${at(trend.start)} to ${at(trend.end)}, means of ${age(trend.seconds)}: from ${show(least, unit)} to ${show(most, unit)}, last ${show(trend.mean[last], unit)} at ${at(trend.at[last])}.${against}`);
}

/** A line that is broken where values are missing. */
function path({ at, mean, seconds }, x, y) {
  return at.map((one, place) => {
    const gap = place === 0 || one - at[place - 1] > 2.5 * seconds;
    const point = `${x(one + seconds / 2).toFixed(1)} ${y(mean[place]).toFixed(1)}`;
    return gap ? `M${point}h.01` : `L${point}`;
  }).join("");
}

function add(svg, tag, attributes, text = "") {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.textContent = text;
  svg.append(node);
}
