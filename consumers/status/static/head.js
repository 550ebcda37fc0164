// What all pages show alike: title, clock and alarms in the header, and the words where no alarm is listed.
import { countWords, PRIORITIES, QUIET, SHAPES } from "./alarms.js";
import { $, fill, rows, say } from "./rows.js";
import { since } from "./words.js";

/** `subject` stands before the site in the title of the window. */
export function drawHead({ at, alarms }, { zone, title }, subject = "") {
  const active = PRIORITIES.reduce((sum, one) => sum + alarms.counts[one].active, 0);
  document.title = `${active ? `(${active}) ` : ""}${subject}${title}`;
  const [date, time] = since(at, zone).split(" ");
  fill($("clock"), { date, time, zone });
  $("clock").dateTime = at;
  drawPills($("alarm-pills"), alarms);
}

/** How many nobody has acknowledged, and the gravest priority of these; nothing where all are. */
function unseenParts(list) {
  const unseen = list.filter((alarm) => alarm.unseen);
  const worst = PRIORITIES.find((one) => unseen.some((alarm) => alarm.priority === one));
  return worst ? [`${unseen.length} not acknowledged`, `, ${unseen.length === 1 ? "" : "worst "}${worst}`] : ["", ""];
}

export function unseenWords(list) {
  return unseenParts(list).join("");
}

function aside(list) {
  return list.filter((alarm) => QUIET.includes(alarm.state)).length;
}

/** How many of each priority; filled for what is active, matters, and nobody has acknowledged. */
function drawPills(home, { counts, doubt, list }) {
  const listed = PRIORITIES.filter((one) => counts[one].active).map((one) => ({ priority: one, ...counts[one] }));
  rows(home, "t-pill", listed, "priority", (node, one) => {
    node.className = `count ${one.priority}${one.unseen && ["critical", "high"].includes(one.priority) ? " calls" : ""}`;
    node.querySelector(".shape path").setAttribute("d", SHAPES[one.priority][1]);
    fill(node, { count: String(one.active), name: ` ${one.priority}` });
  });
  const quiet = aside(list);
  const [unseen, worst] = unseenParts(list);
  const known = unseen || (listed.length ? "" : `No alarms${quiet ? `, ${quiet} set aside` : ""}`);
  fill(home, { none: doubt ? `Alarms not known${list.length ? ", last seen:" : ""}` : known, worst: doubt ? "" : worst });
  home.querySelector(".told").className = unseen || doubt ? "told" : "told soft";
  home.setAttribute("aria-label", `Alarms: ${[doubt && "not known", countWords(counts), unseenWords(list)].filter(Boolean).join("; ") || "none"}`);
}

/** Why no alarm is listed, or that what is listed may be old. `shown` are listed; `other` says why none of some is. */
export function drawNone({ doubt, list }, shown, other = "") {
  const none = $("no-alarms");
  const quiet = aside(list);
  const calm = quiet ? `No alarm asks for anybody; ${quiet} ${quiet === 1 ? "is" : "are"} shelved, suppressed or out of service.` : "No alarms. Every rule of the site is watched and normal.";
  say(none, doubt ? `Alarms are not known: ${doubt}.${list.length ? " Last seen:" : ""}` : other || calm);
  none.classList.toggle("doubtful", Boolean(doubt));
  none.hidden = shown > 0 && !doubt;
}
