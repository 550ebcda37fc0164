// The live page: one event a second with the whole state, drawn in place. Texts only ever enter as text.
import { alarmAsks, controlAsks } from "./asks.js";
import { drawCard } from "./card.js";
import { Curves } from "./curves.js";
import { drawHead } from "./head.js";
import { $, fill, lamp, rows, say, show } from "./rows.js";
import { drawServices } from "./services.js";
import { follow, now } from "./stream.js";
import { Today } from "./today.js";
import { age, kilowatts, number, news, when } from "./words.js";

const site = document.body.dataset;
const curves = new Curves(site);
const today = new Today(site);
const ask = { ...alarmAsks(now), ...controlAsks(now) };

// --- power flow -----------------------------------------------------------------------------------------

const DOING = {
  grid: ["exporting", "importing"], pv: ["consuming", "producing"], battery: ["charging", "discharging"], load: ["feeding in", "consuming"],
};
const IDLE = 50; // W: below this a meter shows noise, not flow

function drawFlow({ flow, soc }) {
  const most = Math.max(Number(site.importLimit), Number(site.rated) || 0);
  const words = [];
  for (const [name, part] of Object.entries(flow)) {
    const power = part.value;
    const moving = power !== null && part.state === "live" && Math.abs(power) >= IDLE;
    // Towards the hub when power comes out of the device into the site; the load takes it.
    const inward = name === "load" ? power < 0 : power > 0;
    drawLink(name, moving, inward, Math.min(1, Math.abs(power ?? 0) / most));
    const node = document.querySelector(`[data-node="${name}"]`);
    node.classList.toggle("doubtful", part.state !== "live");
    fill(node, { value: power === null ? "–" : kilowatts(Math.abs(power)) });
    const doing = power === null ? "unknown" : Math.abs(power) < IDLE ? "idle" : DOING[name][power > 0 ? 1 : 0];
    const text = part.state === "live" ? doing : doubt(part);
    say(document.querySelector(`[data-label="${name}"]`), text);
    words.push(`${name} ${power === null ? "unknown" : `${kilowatts(Math.abs(power))} kW ${text}`}`);
  }
  const fresh = soc.state === "live";
  say($("soc"), soc.value === null ? "–" : `${number(soc.value, 1)} %`);
  say($("soc-energy"), !fresh ? doubt(soc) : `${number((soc.value / 1e5) * site.energy, 0)} of ${number(site.energy / 1e3, 0)} kWh`);
  for (const node of [$("soc"), $("soc-ring")]) node.classList.toggle("doubtful", !fresh);
  $("soc-ring").style.strokeDasharray = `${soc.value ?? 0} 100`;
  $("flow").setAttribute("aria-label", `Power flow: ${words.join(", ")}`);
}

// Which loads are measured, and the rest that nobody measures.
function drawLoads({ loads }) {
  $("loads").hidden = loads.list.length === 0;
  rows($("load-list"), "t-value", loads.list, "load", (chip, one) => {
    chip.className = one.state === "live" ? "" : "doubtful";
    chip.title = one.state === "live" ? "" : doubt(one);
    fill(chip, {
      point: one.behind ? `${one.load} (in ${one.behind})` : one.load,
      value: show(one.value, one.unit) + (one.state === "stale" ? ` (${age(one.age)} old)` : ""),
    });
  });
  say($("loads-doubt"), loads.doubt);
}

function drawLink(name, moving, inward, share) {
  const stream = document.querySelector(`[data-link="${name}"] .stream`);
  stream.style.strokeWidth = moving ? 4 + 6 * share : 0;
  stream.classList.toggle("back", !inward);
  stream.style.setProperty("--pace", share > 0.5 ? "0.5s" : share > 0.15 ? "0.9s" : "1.6s");
  const arrow = document.querySelector(`[data-arrow="${name}"]`);
  const toHub = { pv: 90, grid: 0, load: 180, battery: 270 }[name];
  arrow.style.display = moving ? "" : "none";
  arrow.setAttribute("transform", `translate(${arrow.dataset.x} ${arrow.dataset.y}) rotate(${toHub + (inward ? 0 : 180)}) scale(${1 + 0.6 * share})`);
}

function doubt(part) {
  if (part.state === "missing") return "no value";
  return part.state === "stale" ? `stale, ${age(part.age)} old` : part.state;
}

// --- the rest -------------------------------------------------------------------------------------------

const PLAN_USES = { followed: "", last: " · last plan", fallback: " · no plan" };

function drawMode(state) {
  const { mode, who, until, power, plan, doubt: unsure, read_only: shadow } = state.mode;
  const pill = $("mode");
  const lease = until ? ` until ${when(until, site.zone, state.at)}` : "";
  const wish = power === null || power === undefined ? "" : ` ${kilowatts(power)} kW`;
  const without = PLAN_USES[plan?.use ?? "followed"] ?? ` · plan ${plan.use}`;
  say(pill, `${mode.toUpperCase()}${wish}${mode === "auto" ? without : lease}${unsure ? ` (${unsure})` : ""}`);
  pill.className = `pill ${unsure ? "doubtful" : mode === "lockout" ? "lockout" : mode === "auto" && !without ? "" : "notable"}`;
  pill.title = [
    without && `since ${when(plan.since, site.zone, state.at)}: ${plan.why}. `, who ? `by ${who}: ${state.mode.why || "no reason given"}. ` : "", "Change the mode",
  ].join("");
  pill.disabled = shadow;
}

const GRADE = { online: "", degraded: "warn", offline: "bad", silent: "bad", unknown: "unknown", down: "bad" };

function drawDevices(devices) {
  rows($("devices"), "t-device", devices, "device", (node, device) => {
    lamp(node.querySelector(".lamp"), GRADE[device.state], device.state);
    const doubtful = Object.entries(device.doubtful).map(([point, quality]) => `${point} ${quality}`);
    fill(node, {
      name: device.device, model: `${device.make} ${device.model}`, reason: device.reason, age: age(device.age),
      quality: device.age === null ? "–" : doubtful.length ? doubtful.join(", ") : device.state === "online" ? "good" : "–",
    });
    const flags = device.flags === null ? [] : [{ point: "alarms", value: device.flags, unit: "", state: "live" }];
    rows(node.querySelector("[data-list]"), "t-value", [...device.values, ...flags], "point", (chip, value) => {
      chip.className = value.state === "live" ? "" : "doubtful";
      chip.title = value.state === "live" ? "" : doubt(value);
      fill(chip, { point: value.point, value: show(value.value, value.unit) + (value.state === "stale" ? ` (${age(value.age)} old)` : "") });
    });
  });
}

function direction(power) {
  if (Math.abs(power) < IDLE) return "Rest";
  return `${power > 0 ? "Discharge" : "Charge"} ${kilowatts(Math.abs(power))} kW`;
}

function drawDispatch({ dispatch, plan, mode, why, at }) {
  const step = plan?.step;
  const now = dispatch?.current;
  $("wanted").classList.toggle("doubtful", !now);
  if (!dispatch) say($("wanted"), "No command heard yet");
  else if (dispatch.headline) say($("wanted"), dispatch.headline);
  else if (!now) say($("wanted"), `No command for ${age(dispatch.age)}`);
  else say($("wanted"), ["applied", "verified", "limited"].includes(dispatch.state) ? dispatch.told ?? direction(dispatch.applied ?? 0) : `Last command: ${dispatch.state.replace("_", " ")}`);
  say($("because"), [now && news(dispatch.reason, why), why || mode.mode === "auto" && plan?.valid && step?.reason && `plan: ${step.reason}`].filter(Boolean).join(" · "));
  rows($("limits"), "t-limit", now ? dispatch.limited_by : [], "source", (node, limit) =>
    fill(node, { source: `limited by ${limit.source}`, words: `${kilowatts(limit.wanted)} → ${kilowatts(limit.allowed)} kW` }));
  const money = (amount) => `${number(amount, 2)} ${plan.currency}`;
  const against = (saved) => `${money(Math.abs(saved))} ${saved < 0 ? "more" : "less"} than at rest`; // more: against a peak that may come
  facts([
    dispatch && ["outcome", `${dispatch.state.replace("_", " ")}, ${age(dispatch.age)} ago`],
    now && dispatch.wanted !== null && ["asked", `${kilowatts(dispatch.wanted)} kW${dispatch.source ? ` by ${dispatch.source}` : ""}`],
    now && dispatch.measured !== null && ["measured", `${kilowatts(dispatch.measured)} kW`],
    !plan && ["plan", "none"],
    plan && ["plan", `${plan.valid ? "made" : "not valid, made"} ${age(plan.age)} ago, until ${when(plan.until, site.zone, at)}`],
    plan?.valid && ["price now", `${number(step.price_import, 3)} import, ${number(step.price_export, 3)} export${plan.prices_until ? `; forecast from ${when(plan.prices_until, site.zone, at)} on` : ""}`],
    plan?.valid && ["cost of plan", `${money(plan.cost)}, ${against(plan.cost_idle - plan.cost)}`],
  ].filter(Boolean));
}

// Of several batteries: what each does, and why one does not.
function drawBatteries({ batteries, why }) {
  rows($("batteries"), "t-battery", batteries.length > 1 ? batteries : [], "battery", (node, one) => {
    lamp(node.querySelector(".lamp"), GRADE[one.state], one.state);
    const told = one.dispatch?.current ? `${one.dispatch.told ?? direction(one.dispatch.applied ?? 0)}, ${one.dispatch.state.replace("_", " ")}` : "no command";
    const beyond = one.counted === null ? "" : `, beyond its limits: the plan counts ${show(one.counted, "%")}`;
    const soc = `${show(one.soc.value, "%")}${beyond}${one.soc.state === "live" ? "" : ` (${doubt(one.soc)})`}`;
    const power = one.power.state === "live" ? show(one.power.value, "W") : doubt(one.power);
    const own = news(one.why, why); // what is said of the site stands above
    fill(node, { name: one.battery, words: [soc, power, told, own].filter(Boolean).join(" · "), reason: one.reason || one.dispatch?.current && one.dispatch.cause && news(one.dispatch.reason, `${why}; ${own}`) || "" });
  });
}

function facts(pairs) {
  const list = $("facts");
  while (list.children.length > 2 * pairs.length) list.lastChild.remove();
  while (list.children.length < 2 * pairs.length) list.append(document.createElement("dt"), document.createElement("dd"));
  pairs.flat().forEach((text, place) => say(list.children[place], text));
}

/** How far off forecasts were; nothing where nothing was compared. */
function drawSkill({ skill }) {
  $("skill").hidden = !skill;
  say($("skill"), skill ?? "");
}

// --- all of it -------------------------------------------------------------------------------------------

follow((state) => {
  drawHead(state, site);
  drawMode(state);
  drawFlow(state);
  drawLoads(state);
  drawCard(state.alarms, { card: "t-alarm", zone: site.zone, now: state.at });
  drawDevices(state.devices);
  drawServices(state);
  drawDispatch(state);
  drawBatteries(state);
  drawSkill(state);
  curves.follow(state);
  today.follow(state);
}, ask.alarm);
$("mode").addEventListener("click", () => ask.control());
