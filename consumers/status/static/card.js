// The alarms on the front page: what asks most, each cause once.
import { countWords, drawAlarm, lines, QUIET, underWords } from "./alarms.js";
import { drawNone, unseenWords } from "./head.js";
import { $, rows, say } from "./rows.js";

const SHOWN = 6;

export function drawCard(alarms, { card, zone, now }) {
  const { counts, list } = alarms;
  say($("alarm-count"), [unseenWords(list), countWords(counts)].filter(Boolean).join(" · "));
  const loud = lines(list).filter((line) => !QUIET.includes(line.alarm.state));
  drawNone(alarms, loud.length);
  const unseen = list.filter((alarm) => alarm.unseen);
  const main = document.querySelector("main");
  if (!unseen.length) main.classList.remove("calls");
  else if (unseen.some((alarm) => alarm.active && ["critical", "high"].includes(alarm.priority))) main.classList.add("calls");
  rows($("alarms"), card, loud.slice(0, SHOWN).map((line) => ({ ...line, key: line.alarm.alarm })), "key", (node, line) => drawLine(node, line, card, zone, now));
  const quiet = list.filter((alarm) => QUIET.includes(alarm.state) && !alarm.under).length;
  say($("more-alarms"), [loud.length > SHOWN && `${loud.length - SHOWN} more`, quiet && `${quiet} shelved, suppressed or out of service`, "All alarms, history and figures"].filter(Boolean).join(" · "));
}

function drawLine(node, { alarm, under }, card, zone, now) {
  drawAlarm(node, alarm, zone, now);
  const fold = node.querySelector(".under");
  fold.hidden = !under.length;
  say(fold.querySelector("summary"), under.length ? underWords(under) : "");
  rows(fold.querySelector("ul"), card, under, "alarm", (one, alarm_) => drawLine(one, { alarm: alarm_, under: [] }, card, zone, now));
}
