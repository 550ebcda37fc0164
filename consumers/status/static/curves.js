// Three charts on one time axis: power, state of charge, price. Actual is solid, what was planned is dashed.
import { clock, day, number } from "./words.js";

const $ = (id) => document.getElementById(id);
const EVERY = 20_000; // ms between two questions to the archive
const POWERS = ["grid", "pv", "battery", "load"];
const ZONE_STEPS = [300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400];

export class Curves {
  constructor(site) {
    this.site = site;
    this.hours = "";
    this.hidden = new Set();
    this.charts = [];
    this.now = Date.now() / 1000;
    this.asked = -EVERY;
    this.plan = null;
    for (const button of document.querySelectorAll("[data-hours]")) button.addEventListener("click", () => this.choose(button));
    for (const button of document.querySelectorAll("[data-curve]")) button.addEventListener("click", () => this.toggle(button));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.build());
    new ResizeObserver(() => this.resize()).observe($("chart-power"));
  }

  /** Called with each state: the line of now moves on; a new plan or some time brings new curves. */
  follow(state) {
    this.now = Date.parse(state.at) / 1000;
    const fresh = state.plan?.id !== this.plan;
    if (performance.now() - this.asked > EVERY || fresh) {
      this.plan = state.plan?.id;
      this.ask();
    }
    for (const chart of this.charts) chart.redraw(false);
  }

  async ask() {
    this.asked = performance.now();
    const hours = this.hours;
    try {
      const answer = await fetch(`/api/series${hours ? `?hours=${hours}` : ""}`);
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      const found = await answer.json();
      if (hours !== this.hours) return;
      this.show(found);
      this.complain(found.fault);
    } catch {
      this.complain("the curves cannot be loaded");
    }
  }

  complain(fault) {
    $("curves-fault").hidden = !fault;
    $("curves-fault").textContent = fault ? `Gaps in the curves: ${fault}.` : "";
  }

  show(found) {
    const scaled = (name) => found.columns[name].map((value) => (value === null ? null : value / 1000));
    this.sets = [
      [found.at, ...POWERS.map(scaled), ...POWERS.map((name) => scaled(`plan_${name}`))],
      [found.at, found.columns.soc, found.columns.plan_soc],
      [found.at, found.columns.price_import, found.columns.price_export],
    ];
    this.range = [found.at[0], found.at[found.at.length - 1] + found.seconds];
    if (this.charts.length) this.charts.forEach((chart, place) => chart.setData(this.sets[place]));
    else this.build();
    this.read(null);
  }

  choose(button) {
    this.hours = button.dataset.hours;
    for (const one of document.querySelectorAll("[data-hours]")) one.setAttribute("aria-pressed", one === button);
    this.ask();
  }

  toggle(button) {
    const name = button.dataset.curve;
    const shown = this.hidden.delete(name);
    if (!shown) this.hidden.add(name);
    button.setAttribute("aria-pressed", shown);
    const place = POWERS.indexOf(name) + 1;
    for (const series of [place, place + POWERS.length]) this.charts[0]?.setSeries(series, { show: shown });
  }

  resize() {
    for (const [place, chart] of this.charts.entries()) chart.setSize(this.size(place));
  }

  size(place) {
    const narrow = window.innerWidth < 640;
    return { width: $("chart-power").clientWidth, height: [narrow ? 190 : 246, 84, narrow ? 104 : 100][place] };
  }

  build() {
    if (!this.sets) return;
    for (const chart of this.charts) chart.destroy();
    const colour = (name) => getComputedStyle(document.body).getPropertyValue(`--${name}`).trim();
    const stepped = uPlot.paths.stepped({ align: 1 });
    const actual = (name, more = {}) => ({ stroke: colour(name), width: 1.8, points: { show: false }, ...more });
    const plan = (name, more = {}) => actual(name, { width: 1.4, dash: [5, 4], paths: stepped, ...more });
    const powers = [
      ...POWERS.map((name) => actual(name, name === "pv" ? { fill: `${colour("pv")}1f` } : {})),
      ...POWERS.map((name) => plan(name)),
    ].map((series, place) => ({ ...series, show: !this.hidden.has(POWERS[place % POWERS.length]) }));
    const socs = [actual("battery", { fill: `${colour("battery")}1f` }), plan("battery", { spanGaps: true, paths: uPlot.paths.linear() })];
    const prices = [actual("price", { paths: stepped }), plan("price", { width: 1.2 })];
    const wholes = [null, [0, 100], null];
    this.charts = [powers, socs, prices].map((series, place) =>
      new uPlot(this.options(place, series, wholes[place], colour), this.sets[place], $(["chart-power", "chart-soc", "chart-price"][place])));
  }

  options(place, series, whole, colour) {
    const axis = { stroke: colour("soft"), font: "11px system-ui, sans-serif", grid: { stroke: colour("rail"), width: 1 }, ticks: { show: false } };
    const last = place === 2;
    return {
      ...this.size(place),
      padding: [6, 20, last ? 0 : 4, 0],
      legend: { show: false },
      cursor: { sync: { key: "joulebus" }, y: false, drag: { x: false, y: false }, points: { size: 5 } },
      tzDate: (at) => uPlot.tzDate(new Date(at * 1000), this.site.zone),
      scales: { x: { range: () => this.range }, y: { range: whole ? () => whole : (_, low, high) => padded(low, high) } },
      axes: [
        { ...axis, size: last ? 26 : 0, incrs: ZONE_STEPS, space: 52, values: (_, ats) => last ? ats.map((at) => this.label(at)) : ats.map(() => "") },
        { ...axis, size: 46, space: place ? 22 : 34, values: (_, values) => values.map((value) => number(value, last ? 2 : decimals(values))) },
      ],
      series: [{}, ...series],
      hooks: { drawAxes: [(chart) => this.drawNow(chart, colour)], setCursor: [(chart) => this.read(chart.cursor.idx)] },
    };
  }

  label(at) {
    const time = clock(at * 1000, this.site.zone);
    return time === "00:00" ? day(at * 1000, this.site.zone) : time;
  }

  /** The line of now; what is to come lies on a quiet ground. */
  drawNow(chart, colour) {
    const { ctx } = chart;
    const { left, top, width, height } = chart.bbox;
    const x = Math.min(left + width, Math.max(left, chart.valToPos(this.now, "x", true)));
    ctx.save();
    ctx.fillStyle = `${colour("rail")}66`;
    ctx.fillRect(x, top, left + width - x, height);
    ctx.fillStyle = colour("ink");
    if (x > left && x < left + width) ctx.fillRect(x - devicePixelRatio / 2, top, devicePixelRatio, height);
    ctx.restore();
  }

  /** The values under the cursor; without one only the price of now, the rest stands beside the charts. */
  read(place) {
    if (!this.sets) return;
    const here = place ?? lastBefore(this.sets[0][0], this.now);
    const hovered = place !== null && place !== undefined;
    const at = (set, column, digits) => words(this.sets[set][column]?.[here], digits);
    POWERS.forEach((name, column) => {
      const text = hovered ? `${at(0, column + 1, 1)} / ${at(0, column + 1 + POWERS.length, 1)}` : "";
      $("legend").querySelector(`[data-curve="${name}"] b`).textContent = text;
    });
    $("reading").textContent = hovered ? clock(this.sets[0][0][here] * 1000, this.site.zone) : "";
    $("at-soc").textContent = hovered ? `${at(1, 1, 1)} / ${at(1, 2, 1)}` : "";
    $("at-price").textContent = `import ${at(2, 1, 3)}, export ${at(2, 2, 3)}`;
  }
}

function words(value, digits) {
  return value === null || value === undefined ? "–" : number(value, digits);
}

function lastBefore(at, now) {
  let place = 0;
  while (place + 1 < at.length && at[place + 1] <= now) place += 1;
  return place;
}

function padded(low, high) {
  if (low === null || high === null) return [0, 1];
  const room = (high - low) * 0.06 || 1;
  return [Math.min(0, low < 0 ? low - room : low), Math.max(0, high + room)];
}

function decimals(values) {
  return values.some((value) => value % 1) ? 1 : 0;
}
