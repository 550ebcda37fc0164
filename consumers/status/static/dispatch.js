// Who steers, what the batteries do now and why, and what the plan comes to.
import { doubt, GRADE } from "./devices.js";
import { $, fill, lamp, rows, say, show } from "./rows.js";
import { age, kilowatts, money, news, number, percent, plain, price, when } from "./words.js";

const PLAN_USES = { followed: "", last: " · last plan", fallback: " · no plan" };

export function drawMode(state, site) {
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

export function drawDispatch({ headline, dispatch, plan, peak, mode, why, at }, site) {
  const step = plan?.step;
  const now = dispatch?.current;
  $("wanted").classList.toggle("doubtful", !now);
  say($("wanted"), headline || "No battery");
  if ($("doing")) say($("doing"), headline);
  say($("because"), inLines(plain([now && news(dispatch.reason, `${headline}; ${why}`), news(why, headline) || mode.mode === "auto" && plan?.valid && step?.reason && `plan: ${step.reason}`].filter(Boolean).join(" · "))));
  rows($("limits"), "t-limit", now ? dispatch.limited_by : [], "source", (node, limit) =>
    fill(node, { source: `limited by ${limit.source}`, words: `${limit.of}${between(limit)}` }));
  facts([
    dispatch && ["outcome", `${dispatch.state.replaceAll("_", " ")}, ${age(dispatch.age)} ago`],
    now && dispatch.wanted !== null && ["asked", `${kilowatts(dispatch.wanted)} kW${dispatch.source ? ` by ${dispatch.source}` : ""}`],
    now && dispatch.measured !== null && ["measured", `${kilowatts(dispatch.measured)} kW`],
    !plan && ["plan", "none"],
    plan && ["plan", `${plan.valid ? "made" : "not valid, made"} ${age(plan.age)} ago, until ${when(plan.until, site.zone, at)}`],
    plan?.valid && ["price now", `${price(step.price_import, plan.currency)} import, ${price(step.price_export, plan.currency)} export${plan.prices_until ? `; forecast from ${when(plan.prices_until, site.zone, at)} on` : ""}`],
    ...(plan?.valid ? planMoney(plan, peak) : []),
  ].filter(Boolean));
}

/** A line for each battery, load and rule that something is said of. */
function inLines(words) {
  return words.replaceAll(/; (?=[\w-]+(?:: | takes no part))/g, ";\n");
}

/** What the hours of the plan cost, with how many they are; the peak's part apart from that of the energy. */
function planMoney({ cost, cost_idle: idle, peak_cost: peak, peak_cost_idle: peakIdle, hours, per, currency }, billed) {
  const span = `next ${number(hours, 0)} h`;
  const amount = (value) => money(value, currency);
  const against = (saved) => `${amount(Math.abs(saved))} ${saved < 0 ? "more" : "less"} than without the battery`; // more: against a peak that may come
  if (peak === null || peakIdle === null) return [[span, `${amount(cost)}, ${against(idle - cost)}`]];
  const energy = [[`${span}, energy`, `${amount(cost - peak)}, ${against(idle - peakIdle - (cost - peak))}`]];
  const known = billed?.seen ?? 1; // why it is not known stands beside the peak
  const dark = per && known < 0.995 ? `; of the ${per} ${percent(known)} is known` : "";
  return [...energy, [per ? `the ${per}'s peak` : "the billed peaks", `${amount(peak)} beyond what is billed, ${against(peakIdle - peak)}${dark}`]];
}

/** `80.0 → 60.0 kW`, in the unit of what is limited. */
function between({ wanted, allowed, unit }) {
  const [before, after] = [show(wanted, unit), show(allowed, unit)];
  const [number, ...words] = before.split(" ");
  return after.endsWith(` ${words.join(" ")}`) ? `${number} → ${after}` : `${before} → ${after}`;
}

// Of several batteries: what each does, and why one does not.
export function drawBatteries({ batteries, why, headline }) {
  rows($("batteries"), "t-battery", batteries.length > 1 ? batteries : [], "battery", (node, one) => {
    lamp(node.querySelector(".lamp"), GRADE[one.state], one.state);
    const same = headline.includes(": ") && one.headline.endsWith(headline.slice(headline.indexOf(": ")));
    const told = (same ? one.headline.split(": ")[0] : one.headline) || "no command"; // the same why stands above
    const outcome = one.dispatch?.current && one.dispatch.state !== "verified" ? one.dispatch.state.replaceAll("_", " ") : "";
    const beyond = one.counted === null ? "" : `, beyond its limits: the plan counts ${show(one.counted, "%")}`;
    const soc = `${show(one.soc.value, "%")}${beyond}${one.soc.state === "live" ? "" : ` (${doubt(one.soc)})`}`;
    const power = one.power.state === "live" ? show(one.power.value, "W") : doubt(one.power);
    const own = news(one.why, `${why}; ${headline}; ${told}`); // what is said of the site stands above
    fill(node, { name: one.battery, words: [soc, power, told, outcome, own].filter(Boolean).join(" · "), reason: one.reason || one.dispatch?.current && one.dispatch.cause && news(one.dispatch.reason, `${why}; ${own}; ${told}`) || "" });
  });
}

function facts(pairs) {
  const list = $("facts");
  while (list.children.length > 2 * pairs.length) list.lastChild.remove();
  while (list.children.length < 2 * pairs.length) list.append(document.createElement("dt"), document.createElement("dd"));
  pairs.flat().forEach((text, place) => say(list.children[place], text));
}
