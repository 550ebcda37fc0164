// The power flow: what comes from where and goes where now, and the loads that are measured.
import { doubt } from "./devices.js";
import { $, fill, rows, say, show } from "./rows.js";
import { age, kilowatts, number } from "./words.js";

const DOING = {
  grid: ["exporting", "importing"], pv: ["consuming", "producing"], battery: ["charging", "discharging"], load: ["feeding in", "consuming"],
};
// W: below this a meter shows noise, not flow; the larger the site, the larger its meters
const idle = (site) => Math.min(250, Math.max(50, Number(site.rated || site.importLimit) / 1000));

export function drawFlow({ flow, soc }, site) {
  const least = idle(site);
  const most = Math.max(Number(site.importLimit), Number(site.rated) || 0);
  const words = [];
  for (const [name, part] of Object.entries(flow)) {
    const power = part.value;
    const moving = power !== null && part.state === "live" && Math.abs(power) >= least;
    // Towards the hub when power comes out of the device into the site; the load takes it.
    const inward = name === "load" ? power < 0 : power > 0;
    drawLink(name, moving, inward, Math.min(1, Math.abs(power ?? 0) / most));
    const node = document.querySelector(`[data-node="${name}"]`);
    node.classList.toggle("doubtful", part.state !== "live");
    fill(node, { value: power === null ? "–" : kilowatts(Math.abs(power)) });
    const doing = power === null ? "unknown" : Math.abs(power) < least ? "idle" : DOING[name][power > 0 ? 1 : 0];
    const text = part.state === "live" ? doing : doubt(part);
    say(document.querySelector(`[data-label="${name}"]`), text);
    words.push(`${name} ${power === null ? "unknown" : `${kilowatts(Math.abs(power))} kW ${text}`}`);
  }
  const fresh = soc.state === "live";
  say($("soc"), soc.value === null ? "–" : `${number(soc.value, 1)} %`);
  say($("soc-energy"), !fresh ? doubt(soc) : `${number((soc.value / 1e5) * soc.of, 0)} of ${number(soc.of / 1e3, 0)} kWh`);
  for (const node of [$("soc"), $("soc-ring")]) node.classList.toggle("doubtful", !fresh);
  $("soc-ring").style.strokeDasharray = `${soc.value ?? 0} 100`;
  $("flow").setAttribute("aria-label", `Power flow: ${words.join(", ")}`);
}

/** Which loads are measured, and the rest that nobody measures. */
export function drawLoads({ loads }) {
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
