// What is marked in the charts beside the curves: now, and the limits of the grid connection.
import { kilowatts } from "./words.js";

/** What the grid connection may draw, and what the plan keeps of the billed peak. */
export function limits({ plan }, site) {
  const peak = plan?.valid && plan.peak ? [{ watts: plan.peak, words: `peak the plan keeps ${kilowatts(plan.peak)} kW` }] : [];
  const limit = Number(site.importLimit);
  return limit ? [{ watts: limit, words: `import limit ${kilowatts(limit)} kW` }, ...peak] : peak;
}

/** The line of now; what is to come lies on a quiet ground. */
export function drawNow(chart, now, colour) {
  const { ctx } = chart;
  const { left, top, width, height } = chart.bbox;
  const x = Math.min(left + width, Math.max(left, chart.valToPos(now, "x", true)));
  ctx.save();
  ctx.fillStyle = `${colour("rail")}66`;
  ctx.fillRect(x, top, left + width - x, height);
  ctx.fillStyle = colour("ink");
  if (x > left && x < left + width) ctx.fillRect(x - devicePixelRatio / 2, top, devicePixelRatio, height);
  ctx.restore();
}

/** Thin lines at what the grid connection may draw, where they lie among the curves. */
export function drawLimits(chart, lines, colour) {
  const { ctx } = chart;
  const { left, width } = chart.bbox;
  ctx.save();
  ctx.fillStyle = colour("soft");
  ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
  ctx.textAlign = "right";
  ctx.strokeStyle = colour("card");
  ctx.lineWidth = 4 * devicePixelRatio;
  ctx.lineJoin = "round";
  for (const { watts, words } of lines) {
    if (watts / 1000 > chart.scales.y.max) continue;
    const y = Math.round(chart.valToPos(watts / 1000, "y", true));
    ctx.fillRect(left, y, width, devicePixelRatio / 2);
    const place = [left + width - 4 * devicePixelRatio, y - 3 * devicePixelRatio];
    ctx.strokeText(words, ...place); // it is read on top of any curve
    ctx.fillText(words, ...place);
  }
  ctx.restore();
}
