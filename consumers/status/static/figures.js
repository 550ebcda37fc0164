// How good the alarms are, by ISA-18.2: each figure against its target, as the alarm service reckons them.
import { $, fill, lamp, rows, say } from "./rows.js";
import { age, number, when } from "./words.js";

const NAMES = {
  per_day: "alarms a day", per_hour: "alarms an hour", per_10_min: "alarms in 10 min", most_in_10_min: "most in 10 min",
  slots_above_10: "10 min with more than 10", hours_above_30: "hours with more than 30", time_in_flood: "time in flood",
  chattering: "alarms that chatter", fleeting: "alarms that are fleeting", stale: "stale alarms on the worst day",
  top_10_share: "share of the 10 most frequent", priority_low: "of priority low", priority_medium: "of priority medium", priority_high: "of priority high", priority_critical: "of priority critical",
  ack_median: "time to acknowledge, half of them", ack_p90: "time to acknowledge, 9 of 10", ack_never: "never acknowledged",
  shelved_longest: "longest shelved", out_without_why: "out of service without a reason",
};
const VERDICTS = { ok: ["", "within its target"], beyond: ["warn", "beyond its target"], unknown: ["unknown", "not judged"] };

function words({ value, unit }) {
  if (value === null) return "–";
  if (unit === "s") return age(value);
  const text = number(value, Number.isInteger(value) ? 0 : 1);
  return ["%", "h"].includes(unit) ? `${text} ${unit}` : text; // of a rate its name says of what
}

const MAIN = ["per_hour", "per_10_min", "most_in_10_min", "stale", "chattering", "ack_p90"];

function draw(node, one) {
  fill(node, { name: NAMES[one.name] ?? one.name.replaceAll("_", " "), value: words(one), target: [one.target, one.source && `(${one.source})`, one.why && `· ${one.why}`].filter(Boolean).join(" ") });
  lamp(node.querySelector(".lamp"), ...VERDICTS[one.verdict]);
}

export function drawFigures({ figures, at }, zone) {
  $("figures-none").hidden = Boolean(figures);
  $("figures").hidden = $("figures-rest").hidden = $("figures-more").hidden = !figures;
  if (!figures) return say($("figures-span"), "");
  const known = figures.seen < 0.995 ? `, ${Math.floor(100 * figures.seen)} % of it known` : "";
  say($("figures-span"), `${when(figures.begin, zone, at)} to ${when(figures.end, zone, at)}${known}: ${figures.raised} raised, ${figures.last_10_min} in the last 10 min`);
  const first = (one) => MAIN.includes(one.name) || one.verdict === "beyond";
  const others = figures.figures.filter((one) => !first(one));
  rows($("figures"), "t-figure", figures.figures.filter(first), "name", draw);
  rows($("figures-rest").querySelector("ul"), "t-figure", others, "name", draw);
  say($("figures-rest").querySelector("summary"), `${others.length} more, none of them beyond its target`);
  $("figures-rest").hidden = !others.length;
  const top = figures.top.slice(0, 5).map((one) => `${one.alarm} (${one.raised})`).join(", ");
  const stale = figures.stale.slice(0, 5).map((one) => `${one.alarm} (${age(one.seconds)})`).join(", ");
  say($("figures-more"), [figures.flooding && "More alarms come now than anybody reads.", top && `Most frequent: ${top}.`, stale && `Stale: ${stale}.`].filter(Boolean).join(" "));
}
