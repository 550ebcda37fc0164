// What is planned next, each slot with its reason. Asked for when there is another plan: the stream stays light.
import { $, fill, rows, say } from "./rows.js";

const FIRST = 6; // rows that are shown at first
const RESTS = 50; // W: with less the planner calls it a rest, too
const EVERY = 60_000; // ms: slots pass also while the plan stays the same

export class Slots {
  constructor() {
    this.plan = undefined;
    this.asked = 0;
    $("slots-more").addEventListener("click", () => this.open($("slots-more").getAttribute("aria-expanded") !== "true"));
  }

  /** The first rows are shown, and all on demand. */
  open(all) {
    $("slots").classList.toggle("all", all);
    $("slots-more").setAttribute("aria-expanded", all);
    say($("slots-more"), all ? "Fewer" : `All ${$("slots").children.length} until this time tomorrow`);
  }

  follow(state) {
    this.doing = state.dispatch?.current && state.dispatch.wanted !== null ? kind(state.dispatch.wanted) : null;
    this.isFollowed = state.mode.mode === "auto" && !state.mode.doubt && Boolean(state.plan?.valid);
    this.tellNext();
    const id = state.plan?.id ?? null;
    if (id === this.plan && performance.now() - this.asked < EVERY) return;
    this.plan = id;
    this.ask();
  }

  async ask() {
    this.asked = performance.now();
    try {
      const answer = await fetch("/api/plan");
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      this.show(await answer.json());
    } catch {
      this.complain("The plan cannot be loaded.");
    }
  }

  show(found) {
    this.complain(found.fault);
    $("slots-table").hidden = !found.rows.length;
    rows($("slots"), "t-slot", found.rows, "key", (node, one) => {
      node.className = `${one.kind}${one.now ? " present" : ""}`;
      fill(node, { ...one, now: one.now ? "planned for now" : "", price: one.forecast ? `${one.price}, forecast` : one.price });
    });
    $("slots-more").hidden = found.rows.length <= FIRST;
    this.open($("slots-more").getAttribute("aria-expanded") === "true");
    rows($("slot-loads"), "t-slot-load", found.loads, "load", fill);
    this.found = found;
    this.tellNext();
  }

  /** What the batteries do after this, beside what they do now; nothing while the plan is not followed. */
  tellNext() {
    const change = nextChange(this.found, this.doing);
    $("next").hidden = !change || !this.isFollowed;
    if (change) say($("next").querySelector("span"), `${change.when}: ${change.what}, then at ${change.soc}`);
  }

  complain(fault) {
    $("slots-fault").hidden = !fault;
    say($("slots-fault"), fault);
  }
}

/** The first row that does something else than is done now; where nobody knows that, than is planned for now. */
function nextChange(found, doing) {
  const [first, ...later] = found?.rows ?? [];
  return found?.fault || !first ? undefined : later.find((one) => one.kind !== (doing ?? first.kind));
}

/** Of a power in W, as the rows name it. */
function kind(power) {
  return Math.abs(power) < RESTS ? "rest" : power > 0 ? "discharge" : "charge";
}
