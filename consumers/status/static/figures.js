// How good the alarms are, by ISA-18.2: each figure against its target.
import { $ } from "./rows.js";

export function drawFigures(figures) {
  $("figures-none").hidden = Boolean(figures);
}
