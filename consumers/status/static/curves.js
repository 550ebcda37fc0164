// Three charts on one time axis: power, state of charge, price. Actual is solid, what was planned is dashed, and prices
// that are forecast are dotted.
import { steer } from "./curve_cursor.js";
import { drawLimits, drawNow, limits } from "./curve_marks.js";
import { drawTable, hourly } from "./curve_table.js";
import { Slots } from "./slots.js";
import { clock, day, number, since, when } from "./words.js";

const $ = (id) => document.getElementById(id);
const EVERY = 20_000; // ms between two questions to the archive
const POWERS = ["grid", "pv", "battery", "load"];
const CHARTS = ["chart-power", "chart-soc", "chart-price"];
const NAMES = ["Power", "State of charge", "Price"];
const ZONE_STEPS = [300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400];

export class Curves {
  constructor(site) {
    this.site = site;
    this.slots = new Slots();
    this.span = document.querySelector("[data-span][aria-pressed=true]").dataset.span;
    this.hidden = new Set();
    this.charts = [];
    this.now = Date.now() / 1000;
    this.asked = -EVERY;
    this.plan = null;
    this.place = null; // of the cursor
    this.touched = false; // a finger that is lifted takes no cursor away, as a mouse does that leaves
    this.lines = [];
    for (const button of document.querySelectorAll("[data-span]")) button.addEventListener("click", () => this.choose(button.dataset.span));
    for (const button of document.querySelectorAll("[data-curve]")) button.addEventListener("click", () => this.toggle(button));
    $("shown-day").addEventListener("change", (event) => event.target.value && this.choose(`day=${event.target.value}`));
    $("numbers").addEventListener("toggle", () => this.tabulate());
    for (const id of CHARTS) steer($(id), { at: () => this.place ?? this.here(), count: () => this.found?.at.length, place: (x) => this.under(x), move: (place) => this.move(place), touch: (yes) => { this.touched = yes; } });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.build());
    new ResizeObserver(() => this.resize()).observe($("chart-power"));
  }

  /** Called with each state: the line of now moves on; a new plan or some time brings new curves. */
  follow(state) {
    this.now = Date.parse(state.at) / 1000;
    this.lines = limits(state, this.site);
    const fresh = state.plan?.id !== this.plan;
    if (performance.now() - this.asked > EVERY || fresh) {
      this.plan = state.plan?.id;
      this.ask();
    }
    for (const chart of this.charts) chart.redraw(false);
    this.slots.follow(state);
  }

  async ask() {
    this.asked = performance.now();
    const span = this.span;
    try {
      const answer = await fetch(`/api/series?${span === "today" ? `day=${since(this.now * 1000, this.site.zone).slice(0, 10)}` : span}`);
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      const found = await answer.json();
      if (span !== this.span) return;
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
    this.found = found;
    const scaled = (name) => found.columns[name].map((value) => (value === null ? null : value / 1000));
    const known = (name, yes) => found.columns[name].map((value, place) => (yes === (found.forecast === null || found.at[place] < found.forecast) ? value : null));
    this.sets = [
      [found.at, ...POWERS.map(scaled), ...POWERS.map((name) => scaled(`plan_${name}`))],
      [found.at, found.columns.soc, found.columns.plan_soc],
      [found.at, ...[true, false].flatMap((yes) => ["price_import", "price_export"].map((name) => known(name, yes)))],
    ];
    this.range = [found.at[0], found.at.at(-1) + found.seconds];
    if (this.charts.length) this.charts.forEach((chart, place) => chart.setData(this.sets[place]));
    else this.build();
    CHARTS.forEach((id, place) => $(id).setAttribute("aria-label", `${NAMES[place]}. ${found.words[["power", "soc", "price"][place]]}`));
    this.note();
    this.tabulate();
    this.move(this.place);
  }

  /** What the curves cannot say themselves. */
  note() {
    const { at, planned, forecast, clocks, seconds, fault } = this.found;
    const late = !fault && at[0] < this.now && (planned === null || planned > at[0] + seconds); // unread is not absent
    const told = planned === null ? "No plan is archived of this time." : `No plan is archived before ${this.time(planned)}.`;
    const dotted = forecast !== null && forecast < this.range[1];
    $("price-forecast").hidden = !dotted;
    const words = [clocks, late && told, dotted && `Prices from ${this.time(forecast)} on are forecast.`].filter(Boolean).join(" ");
    $("curves-notes").hidden = !words;
    $("curves-notes").textContent = words;
  }

  tabulate() {
    if ($("numbers").open && this.found) drawTable($("number-rows"), hourly(this.found, (at) => this.time(at)));
  }

  choose(span) {
    this.span = span;
    for (const one of document.querySelectorAll("[data-span]")) one.setAttribute("aria-pressed", one.dataset.span === span);
    if (!span.startsWith("day=")) $("shown-day").value = "";
    this.place = null;
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
    const price = (more) => actual("price", { paths: stepped, ...more });
    const prices = [price({}), price({ width: 1 }), price({ dash: [1.5, 3] }), price({ width: 1, dash: [1.5, 3] })];
    const wholes = [null, [0, 100], null];
    this.charts = [powers, socs, prices].map((series, place) =>
      new uPlot(this.options(place, series, wholes[place], colour), this.sets[place], $(CHARTS[place])));
  }

  options(place, series, whole, colour) {
    const axis = { stroke: colour("soft"), font: "11px system-ui, sans-serif", grid: { stroke: colour("rail"), width: 1 }, ticks: { show: false } };
    const last = place === 2;
    return {
      ...this.size(place),
      padding: [6, 20, last ? 0 : 4, 0],
      legend: { show: false },
      cursor: { sync: { key: "joulebus" }, y: false, drag: { x: false, y: false }, points: { size: 5 }, bind: { mouseleave: (_, __, leave) => (event) => this.touched || leave(event) } },
      tzDate: (at) => uPlot.tzDate(new Date(at * 1000), this.site.zone),
      scales: { x: { range: () => this.range }, y: { range: whole ? () => whole : (_, low, high) => padded(low, high) } },
      axes: [
        { ...axis, size: last ? 26 : 0, incrs: ZONE_STEPS, space: 52, values: (_, ats) => last ? ats.map((at) => this.label(at)) : ats.map(() => "") },
        { ...axis, size: 46, space: place ? 22 : 34, values: (_, values) => values.map((value) => number(value, last ? 2 : decimals(values))) },
      ],
      series: [{}, ...series],
      hooks: {
        drawAxes: [(chart) => drawNow(chart, this.now, colour)],
        draw: place ? [] : [(chart) => drawLimits(chart, this.lines, colour)],
        setCursor: [(chart) => this.read(chart.cursor.idx)],
      },
    };
  }

  label(at) {
    const time = clock(at * 1000, this.site.zone);
    return time === "00:00" ? day(at * 1000, this.site.zone) : time;
  }

  /** A moment in words; in the hour that comes twice when the clocks go back it is said which of the two. */
  time(at) {
    const { zone } = this.site;
    const twice = [-3600, 3600].some((hour) => clock((at + hour) * 1000, zone) === clock(at * 1000, zone));
    return when(at * 1000, zone, this.now * 1000) + (twice ? ` ${offset(at, zone)}` : "");
  }

  /** The interval of now, as far as it is shown. */
  here() {
    return lastBefore(this.found?.at ?? [], this.now);
  }

  under(x) {
    const [chart] = this.charts;
    if (!chart) return null;
    return chart.posToIdx(x - chart.over.getBoundingClientRect().left);
  }

  /** Puts the cursor of all charts at an interval, or takes it away. */
  move(place) {
    for (const chart of this.charts) chart.setCursor(place === null ? { left: -10, top: -10 } : { left: chart.valToPos(this.sets[0][0][place], "x"), top: 0 }, false);
    this.read(place);
  }

  /** The values under the cursor; without one only the price of now, the rest stands beside the charts. */
  read(place) {
    if (!this.sets) return;
    this.place = place ?? null;
    const hovered = this.place !== null;
    const at = (name, unit, digits, here = place) => words(this.found.columns[name]?.[here], unit, digits);
    for (const name of POWERS) {
      $("legend").querySelector(`[data-curve="${name}"] b`).textContent = hovered ? `${at(name, 1000, 1)} / ${at(`plan_${name}`, 1000, 1)}` : "";
    }
    const then = hovered ? this.found.at[place] : null;
    $("reading").textContent = hovered ? this.time(then) : "";
    $("at-soc").textContent = hovered ? `${at("soc", 1, 1)} / ${at("plan_soc", 1, 1)}` : "";
    const prices = (here) => `import ${at("price_import", 1, 3, here)}, export ${at("price_export", 1, 3, here)}`;
    const present = this.range[0] <= this.now && this.now < this.range[1];
    $("price-now").textContent = present ? `now ${prices(this.here())}` : "";
    const guessed = this.found.forecast !== null && then >= this.found.forecast ? " (forecast)" : "";
    $("at-price").textContent = hovered ? `${this.time(then)}: ${prices(place)}${guessed}` : "";
  }
}

function words(value, unit, digits) {
  return value === null || value === undefined ? "–" : number(value / unit, digits);
}

function offset(at, zone) {
  const parts = new Intl.DateTimeFormat("en-GB", { timeZone: zone, timeZoneName: "short" }).formatToParts(new Date(at * 1000));
  return parts.find((one) => one.type === "timeZoneName").value;
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
