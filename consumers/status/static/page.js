// The live page: one event a second with the whole state, drawn in place. Texts only ever enter as text.
import { alarmAsks, controlAsks } from "./asks.js";
import { drawCard } from "./card.js";
import { Curves } from "./curves.js";
import { drawDevices } from "./devices.js";
import { drawBatteries, drawDispatch, drawMode } from "./dispatch.js";
import { drawFlow, drawLoads } from "./flow.js";
import { drawGridModes } from "./grid_modes.js";
import { drawHead } from "./head.js";
import { $, say } from "./rows.js";
import { drawServices } from "./services.js";
import { follow, now } from "./stream.js";
import { Today } from "./today.js";

const site = document.body.dataset;
const curves = new Curves(site);
const today = new Today(site);
const ask = { ...alarmAsks(now), ...controlAsks(now) };

/** How far off forecasts were; nothing where nothing was compared. */
function drawSkill({ skill }) {
  $("skill").hidden = !skill;
  say($("skill"), skill ?? "");
}

follow((state) => {
  drawHead(state, site);
  drawMode(state, site);
  drawGridModes(state);
  drawFlow(state, site);
  drawLoads(state);
  drawCard(state.alarms, { card: "t-alarm", zone: site.zone, now: state.at });
  drawDevices(state.devices);
  drawServices(state);
  drawDispatch(state, site);
  drawBatteries(state);
  drawSkill(state);
  curves.follow(state);
  today.follow(state);
}, ask.alarm);
$("mode").addEventListener("click", () => ask.control());
