// The alarms on the front page: what asks most, each cause once.
import { countWords, drawAlarm, lines, QUIET, underWords } from "./alarms.js";
import { drawNone, unseenWords } from "./head.js";
import { $, rows, say, still } from "./rows.js";

const SHOWN = 6;

export function drawCard(alarms, { card, zone, now }) {
  const { counts, list } = alarms;
  say($("alarm-count"), [unseenWords(list), countWords(counts)].filter(Boolean).join(" · "));
  const loud = lines(list).filter((line) => !QUIET.includes(line.alarm.state));
  drawNone(alarms, loud.length);
  const unseen = list.filter((alarm) => alarm.unseen);
  if (!unseen.length) stand(false);
  else if (unseen.some((alarm) => alarm.active && ["critical", "high"].includes(alarm.priority))) stand(true);
  rows($("alarms"), card, loud.slice(0, SHOWN).map((line) => ({ ...line, key: line.alarm.alarm })), "key", (node, line) => drawLine(node, line, card, zone, now));
  const quiet = list.filter((alarm) => QUIET.includes(alarm.state) && !alarm.under).length;
  say($("more-alarms"), [loud.length > SHOWN && `${loud.length - SHOWN} more`, quiet && `${quiet} shelved, suppressed or out of service`, "All alarms, history and figures"].filter(Boolean).join(" · "));
}

/** What is critical or high and not acknowledged stands first, until all is acknowledged: also for who goes by the
 * keyboard or has it read aloud, so the card moves in the page itself. */
function stand(first) {
  const main = document.querySelector("main");
  if (main.classList.contains("calls") === first) return;
  const card = document.querySelector(".card.alarms");
  main.classList.toggle("calls", first);
  still(card, () => main.insertBefore(card, first ? main.firstElementChild : document.querySelector(".card.devices")));
}

function drawLine(node, { alarm, under }, card, zone, now) {
  drawAlarm(node, alarm, zone, now);
  const fold = node.querySelector(".under");
  fold.hidden = !under.length;
  say(fold.querySelector("summary"), under.length ? underWords(under) : "");
  rows(fold.querySelector("ul"), card, under, "alarm", (one, alarm_) => drawLine(one, { alarm: alarm_, under: [] }, card, zone, now));
}
