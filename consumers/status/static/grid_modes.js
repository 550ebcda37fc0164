// A grid mode that cannot be now is grey, and says why: by the rule of dispatch, while the dialog stands open, too.
import { $, say } from "./rows.js";

const MODES = ["grid_following", "grid_forming"];

export function drawGridModes(state) {
  const dialog = $("steer");
  if (!dialog.open || !state || !$("bars")) return;
  const form = dialog.querySelector("form");
  const chosen = form.elements.battery?.value;
  const meant = state.grid_modes.filter((one) => !chosen || one.battery === chosen);
  const why = new Set();
  for (const mode of MODES) {
    const box = form.querySelector(`[value=${mode}]`);
    if (!box) continue;
    const free = meant.some((one) => !one[mode]);
    if (!free) for (const one of meant) why.add(one[mode]);
    box.setAttribute("aria-describedby", free ? "" : "bars");
    if (box.disabled === !free) continue;
    box.disabled = !free;
    if (!free && box.checked) {
      form.querySelector("[value=auto]").checked = true;
      form.dispatchEvent(new Event("change"));
    }
  }
  say($("bars"), [...why].join("; "));
  $("bars").hidden = !why.size;
}
