// What is planned next, each slot with its reason. Asked for when there is another plan: the stream stays light.
import { $, fill, rows, say } from "./rows.js";

const FIRST = 5; // rows that are shown on a phone
const EVERY = 60_000; // ms: slots pass also while the plan stays the same

export class Slots {
  constructor() {
    this.plan = undefined;
    this.asked = 0;
    $("slots-more").addEventListener("click", () => this.open($("slots-more").getAttribute("aria-expanded") !== "true"));
  }

  /** On a phone the first rows are shown, and all on demand. */
  open(all) {
    $("slots").classList.toggle("all", all);
    $("slots-more").setAttribute("aria-expanded", all);
    say($("slots-more"), all ? "Fewer" : `All ${$("slots").children.length} until this time tomorrow`);
  }

  follow(state) {
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
  }

  complain(fault) {
    $("slots-fault").hidden = !fault;
    say($("slots-fault"), fault);
  }
}
