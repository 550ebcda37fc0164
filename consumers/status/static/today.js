// The figures of the day so far: the archive's sums of energy and money, and the billed peak as it is told now.
import { $, fill, say } from "./rows.js";
import { clock, kilowatts, number, percent, since } from "./words.js";

const EVERY = 20_000; // ms between two questions to the archive
const UNKNOWN = { value: "–", unit: "" };

export class Today {
  constructor(site) {
    this.site = site;
    this.asked = -EVERY;
    this.per = "";
    this.told = null;
  }

  /** Called with each state. */
  follow(state) {
    const per = state.peak?.others.length ? "" : state.peak?.per ?? "";
    if (per !== this.per) {
      this.per = per;
      if (this.told) this.draw(this.told);
    }
    drawPeak(state, this.site.zone);
    if (performance.now() - this.asked > EVERY) this.ask();
  }

  async ask() {
    this.asked = performance.now();
    try {
      const answer = await fetch("/api/today");
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      this.told = await answer.json();
      this.draw(this.told);
    } catch {
      complain("the figures cannot be loaded: what stands here is old");
    }
  }

  draw({ begin, fault, energies, money }) {
    complain(fault);
    const { zone, currency } = this.site;
    const until = Object.values(energies).map((one) => one.until).filter(Boolean).toSorted().at(-1);
    const date = since(begin, zone).slice(0, 10);
    const hole = common(energies);
    say($("today-span"), `${date}${until ? [` until ${clock(until, zone)}`, hole].filter(Boolean).join(", ") : fault ? "" : ": no quarter of an hour is measured yet"}`);
    for (const node of document.querySelectorAll(".energies [data-sum]")) {
      const flow = energies[node.dataset.sum];
      fill(node, flow.wh === null ? { ...UNKNOWN, note: fault || !until ? "" : "not measured" } : { ...energy(flow.wh), note: part(flow, { begin, until, hole }, zone, node.dataset.sum === "pv") });
    }
    const nothing = fault ? "" : currency ? "not priced yet" : "no price: the tariff cannot be read";
    const cost = document.querySelector("[data-sum=cost]");
    fill(cost, money ? { ...amount(money.energy + (money.wear ?? 0), money), note: this.paid(money, energies.imported, until) } : { ...UNKNOWN, note: nothing });
    const saved = document.querySelector("[data-sum=saved]");
    if (!saved) return;
    if (!money || money.saved === null) return fill(saved, { ...UNKNOWN, note: money ? "not known: it was silent" : nothing });
    fill(saved, { ...amount(money.saved, money), note: spared(money) });
  }

  /** What the cost is made of. The demand charge stands apart: it is that of the whole month or year, on the day its peak rose. */
  paid({ energy: drawn, demand, wear, currency, quarters, until }, imported, end) {
    const worn = wear && Math.abs(wear) >= 0.005 ? `energy ${number(drawn, 2)}, wear ${number(wear, 2)} ${currency}` : "energy";
    const peak = Math.abs(demand) >= 0.005 && `beside it ${number(demand, 2)} ${currency} for ${this.per ? `the ${this.per}'s` : "the billed"} peak, which rose today`;
    const priced = quarters < imported.of ? `${hours(quarters)} of ${hours(imported.of)} h priced` : "";
    return [worn, peak, until && until !== end && `until ${clock(until, this.site.zone)}`, priced].filter(Boolean).join("; ");
  }
}

function complain(fault) {
  $("today-fault").hidden = !fault;
  say($("today-fault"), fault ? `Not known: ${fault}.` : "");
}

function energy(wh) {
  if (Math.abs(wh) >= 1e7) return { value: number(wh / 1e6, Math.abs(wh) < 1e8 ? 2 : 1), unit: "MWh" };
  return { value: number(wh / 1e3, Math.abs(wh) < 99_950 ? 1 : 0), unit: "kWh" };
}

function amount(value, { currency }) {
  return { value: number(value, 2), unit: currency };
}

/** Of which part of the day a sum is, where that is not all of it; what all have in common stands above them. A PV inverter
 * sleeps at night. */
function part({ from, until, quarters, of }, day, zone, sleeps) {
  const begins = sleeps && Date.parse(from) !== Date.parse(day.begin) ? `${clock(from, zone)} to ${clock(until, zone)}` : "";
  const hole = measured(quarters, of);
  return [begins || (until !== day.until && `until ${clock(until, zone)}`), hole !== day.hole && hole].filter(Boolean).join(", ");
}

function measured(quarters, of) {
  return quarters < of ? `${hours(quarters)} of ${hours(of)} h measured` : "";
}

/** The hole that each sum has but that of the PV, which has a day of its own. */
function common({ pv, ...others }) {
  const [first, ...rest] = Object.values(others).map((one) => measured(one.quarters, one.of));
  return rest.every((one) => one === first) ? first : "";
}

function hours(quarters) {
  return number(quarters / 4, quarters % 4 ? 2 - (quarters % 2 ? 0 : 1) : 0);
}

function spared({ compared, quarters, stored, currency }) {
  const of = compared < quarters ? `, ${hours(compared)} of ${hours(quarters)} h compared` : "";
  const worth = Math.abs(stored ?? 0) < 0.005 ? "" : `; stored meanwhile: worth ${stored < 0 ? "−" : "+"}${number(Math.abs(stored), 2)} ${currency}`;
  return `peak included, wear deducted${of}${worth}`;
}

function drawPeak({ peak, plan }, zone) {
  $("peak").hidden = !peak;
  if (!peak) return;
  const kept = plan?.valid ? plan.peak : null; // nobody keeps what a plan of the past said
  const most = Math.max(peak.highest ?? 0, peak.window ?? 0, kept ?? 0, 1) * 1.1;
  $("peak-window").setAttribute("width", (300 * Math.max(0, peak.window ?? 0)) / most);
  $("peak-highest").setAttribute("x", (300 * (peak.highest ?? 0)) / most);
  const known = peak.highest !== null;
  fill($("peak"), { per: peak.per ? `of the ${peak.per}${peak.name && ` (${peak.name})`}` : "", value: known ? kilowatts(peak.highest) : "–", unit: known ? "kW" : "" });
  if (!peak.per) return say($("peak-words"), `Unknown: ${peak.doubt}.`);
  say($("peak-words"), [
    peak.window !== null && `${kilowatts(peak.window)} kW so far in the ${peak.minutes} min to ${clock(peak.ends, zone)}${peak.counts ? "" : ", which is not billed"}`,
    typeof kept === "number" && `the plan keeps ${kilowatts(kept)} kW`,
    peak.floor !== null && `${kilowatts(peak.floor)} kW is billed at least`,
    peak.doubt ? `as far as it is known: ${peak.doubt}` : peak.seen < 0.995 && `${percent(peak.seen)} of the ${peak.per} so far is measured`,
    ...peak.others.map((one) => `${one.name}: ${one.highest === null ? "not known" : `${kilowatts(one.highest)} kW`} of the ${one.per}`),
  ].filter(Boolean).join("; "));
}
