// The devices with what they say.
import { $, fill, lamp, rows, show } from "./rows.js";
import { age, calm } from "./words.js";

export const GRADE = { online: "", degraded: "warn", offline: "bad", silent: "bad", unknown: "unknown", down: "bad" };
const DOUBTS = { missing: "not measured", frozen: "does not move", implausible: "cannot be right", substituted: "a substitute" };

/** Why a value is not to be believed. */
export function doubt(part) {
  return part.state === "stale" ? `stale, ${age(part.age)} old` : DOUBTS[part.state] ?? part.state;
}

export function drawDevices(devices) {
  rows($("devices"), "t-device", devices, "device", (node, device) => {
    lamp(node.querySelector(".lamp"), GRADE[device.state], device.state);
    fill(node, {
      name: device.device, model: `${device.said} · ${device.make} ${device.model}`, reason: device.reason, age: calm(device.age),
      quality: device.age === null ? "–" : device.doubts || (device.state === "online" ? "good" : "–"),
    });
    rows(node.querySelector("[data-list]"), "t-value", device.values, "point", (chip, value) => {
      chip.className = value.state === "live" ? "" : "doubtful";
      chip.title = value.state === "live" ? value.point : `${value.point}: ${doubt(value)}`;
      const old = value.state === "stale" ? ` (${age(value.age)} old)` : "";
      fill(chip, { point: value.label, value: value.value === null ? doubt(value) : show(value.value, value.unit) + old });
    });
  });
}
