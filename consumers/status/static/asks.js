// What an operator asks of the site: each goes through a dialog that says what will happen, and needs a name.
import { what } from "./alarms.js";
import { asking, STEERING, TESTING } from "./answers.js";
import { drawGridModes } from "./grid_modes.js";
import { $, rows } from "./rows.js";
import { kilowatts } from "./words.js";

export const TITLES = { ack: "Acknowledge", shelve: "Shelve", unshelve: "Unshelve", reset: "Reset", comment: "Comment", out_of_service: "Out of service", in_service: "Back in service", test: "Send a test" };
const HEADS = { comment: "Comment on this alarm", out_of_service: "Take this alarm out of service", in_service: "Bring this alarm back into service" };
const ENGINEERS = ["out_of_service", "in_service"];
const SEEN = ["ack", "reset"]; // what is for the raise that somebody has seen alone
const REASONED = ["comment", "out_of_service"];
const LASTS = { shelve: "shelve-minutes", out_of_service: "out-minutes" };
const MODES = { auto: "Auto", manual: "Manual", local: "Local", lockout: "Lockout", grid_following: "Follow the grid", grid_forming: "Form a grid" };
const LENT = ["manual", "local"];
const AT_ONCE = 200; // alarms in one request

/** What is asked of alarms; needs the dialog `ask`. */
export function alarmAsks(state) {
  const dialog = $("ask");
  closable();

  function prepare(title, words, action, list = []) {
    $("ask-title").textContent = title;
    $("ask-what").textContent = words;
    rows($("ask-list"), "t-named", list, "alarm", (node, one) => {
      node.className = one.priority;
      node.textContent = `${one.priority}: ${what(one)} (${one.device})`;
    });
    for (const label of dialog.querySelectorAll("[data-for]")) label.hidden = label.dataset.for !== action;
    const { why } = dialog.querySelector("form");
    why.required = REASONED.includes(action);
    why.placeholder = why.required ? "who comes later reads it" : "optional";
    $("ask-why").textContent = action === "comment" ? "Comment" : "Why";
    if ($("ask-token")) $("ask-token").textContent = ENGINEERS.includes(action) ? "Engineer's token" : "Token";
    dialog.querySelector(".main").textContent = TITLES[action];
  }

  async function alarm(name, action) {
    const found = state().alarms.list.find((one) => one.alarm === name);
    prepare(HEADS[action] ?? `${TITLES[action]} this alarm`, found ? what(found) : name, action);
    const key = ENGINEERS.includes(action) ? "engineer-token" : "token";
    const wish = await answered(dialog, key);
    if (!wish) return;
    const until = LASTS[action] ? { until: later(state, wish[LASTS[action]]) } : {};
    const seen = found && SEEN.includes(action) ? { since: found.since } : {}; // not what comes while the dialog stands
    const body = { action, who: wish.who, why: wish.why, ...until, ...seen };
    await send(asking(name, TITLES[action]), `/api/alarms/${encodeURIComponent(name)}`, body, wish.token, key);
  }

  /** Those that somebody sees, and no others: each is asked for by its name, and answers in its row. */
  async function acknowledge(shown, folded) {
    const wanted = shown.filter((one) => one.asks.includes("ack"));
    const list = wanted.toSorted((a, b) => (b.priority === "critical") - (a.priority === "critical")).slice(0, AT_ONCE);
    const critical = list.filter((one) => one.priority === "critical").length;
    const words = [
      `${list.length} alarm${list.length === 1 ? "" : "s"} in view${critical ? `, ${critical} of them critical` : ""}: one request each.`,
      list.length < wanted.length ? `${wanted.length - list.length} more come after these.` : "",
      folded ? `Folded consequences are not in view: ${folded} stay${folded === 1 ? "s" : ""} not acknowledged.` : "",
    ];
    prepare("Acknowledge all in view", words.filter(Boolean).join(" "), "ack", list);
    const wish = await answered(dialog, "token");
    if (!wish) return [];
    const asked = new Map(list.map((one) => [one.alarm, asking(one.alarm, TITLES.ack)]));
    const raised = Object.fromEntries(list.map((one) => [one.alarm, one.since])); // as the dialog lists them
    const answer = await post("/api/alarms/ack", { alarms: [...asked.keys()], raised, who: wish.who, why: wish.why }, wish.token, "token");
    for (const [name, one] of asked) {
      one.id = answer.said?.asked[name];
      one.fault = answer.fault ?? answer.said.failed[name];
      one.since = performance.now();
    }
    return [...asked.values()];
  }

  /** `to` is "person anna", "channel anna-mail" or "every". */
  async function test(to) {
    const [kind, name] = to.split(" ");
    const words = name ? `${kind === "person" ? "by all channels of" : "by channel"} ${name}` : "by every channel";
    prepare("Send a test", `A message that says that nothing is wrong goes out now, ${words}.`, "test");
    const wish = await answered(dialog, "token");
    if (!wish) return;
    const body = { ...(name ? { [kind]: name } : {}), who: wish.who, why: wish.why };
    await send(asking(TESTING, `Test ${words}`), "/api/notify/test", body, wish.token, "token");
  }

  return { alarm, acknowledge, test };
}

/** What is asked of dispatch; needs the dialog `steer`. */
export function controlAsks(state) {
  const steer = $("steer").querySelector("form");
  const fit = () => {
    const mode = steer.elements.mode.value;
    $("manual").disabled = mode !== "manual";
    $("lease").disabled = !LENT.includes(mode);
    steer.why.required = mode.startsWith("grid_");
    if ($("which")) $("which").disabled = !mode.startsWith("grid_");
    steer.why.placeholder = steer.why.required ? "a grid mode needs a reason" : "optional";
  };
  steer.addEventListener("change", () => {
    fit();
    drawGridModes(state());
  });

  async function control() {
    fit();
    const asks = answered($("steer"), "token");
    drawGridModes(state());
    const wish = await asks;
    if (!wish) return;
    const manual = wish.mode === "manual" ? { power: Number(wish.sign) * Number(wish.kw) * 1000 } : {};
    const lease = LENT.includes(wish.mode) ? { until: later(state, wish.minutes) } : {};
    const asked = wish.mode.startsWith("grid_") ? { action: wish.mode } : { mode: wish.mode };
    if (wish.battery) asked.battery = wish.battery;
    const words = `${MODES[wish.mode]}${wish.mode === "manual" ? ` ${kilowatts(manual.power)} kW` : ""}${wish.battery ? `, ${wish.battery}` : ""}`;
    await send(asking(STEERING, words), "/api/control", { ...asked, who: wish.who, why: wish.why, ...manual, ...lease }, wish.token, "token");
  }

  return { control };
}

const later = (state, minutes) => new Date(Date.parse(state().at) + Number(minutes) * 60_000).toISOString();

export function closable() {
  for (const button of document.querySelectorAll("[data-close]")) button.addEventListener("click", () => button.closest("dialog").close());
}

/** What was filled in, or null when it was cancelled. The name is remembered here, a token only in this tab. */
function answered(dialog, key) {
  const form = dialog.querySelector("form");
  form.who.value = localStorage.getItem("who") ?? "";
  form.why.value = "";
  if (form.token) form.token.value = sessionStorage.getItem(key) ?? "";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((done) => {
    dialog.addEventListener("close", () => {
      if (dialog.returnValue !== "do") return done(null);
      const wish = Object.fromEntries(new FormData(form));
      localStorage.setItem("who", wish.who);
      if (wish.token) sessionStorage.setItem(key, wish.token);
      return done(wish);
    }, { once: true });
  });
}

/** Ask; the wish then bears the id of its answer, or why it was not even asked. */
async function send(one, address, body, token, key) {
  const { said, fault } = await post(address, body, token, key);
  Object.assign(one, { id: said?.id, fault, since: performance.now() });
}

async function post(address, body, token, key) {
  const headers = { "content-type": "application/json", "x-joulebus": "page" };
  if (token) headers.authorization = `Bearer ${token}`;
  try {
    const answer = await fetch(address, { method: "POST", headers, body: JSON.stringify(body) });
    if (answer.ok) return { said: await answer.json() };
    if ([401, 403].includes(answer.status)) sessionStorage.removeItem(key);
    return { fault: await reason(answer) };
  } catch (wrong) {
    return { fault: wrong.message };
  }
}

async function reason(answer) {
  const { detail } = await answer.json();
  return Array.isArray(detail) ? detail.map((one) => `${one.field}: ${one.why}`).join("; ") : detail;
}
