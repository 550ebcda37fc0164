// What an operator asks of the site: each goes through a dialog that says what will happen, and needs a name.
import { asking, STEERING } from "./answers.js";
import { kilowatts, plain } from "./words.js";

const $ = (id) => document.getElementById(id);
const TITLES = { ack: "Acknowledge", shelve: "Shelve", unshelve: "Unshelve", reset: "Reset" };
const MODES = { auto: "Auto", manual: "Manual", local: "Local", lockout: "Lockout", grid_following: "Follow the grid", grid_forming: "Form a grid" };
const LENT = ["manual", "local"];

export function asks(state) {
  const later = (minutes) => new Date(Date.parse(state().at) + minutes * 60_000).toISOString();
  const steer = $("steer").querySelector("form");
  const fit = () => {
    const mode = steer.elements.mode.value;
    $("manual").disabled = mode !== "manual";
    $("lease").disabled = !LENT.includes(mode);
    steer.why.required = mode.startsWith("grid_");
    if ($("which")) $("which").disabled = !mode.startsWith("grid_");
    steer.why.placeholder = steer.why.required ? "a grid mode needs a reason" : "optional";
  };
  for (const button of document.querySelectorAll("[data-close]")) button.addEventListener("click", () => button.closest("dialog").close());
  steer.addEventListener("change", fit);

  async function alarm(name, action) {
    const found = state().alarms.list.find((one) => one.alarm === name);
    $("ask-title").textContent = `${TITLES[action]} this alarm`;
    $("ask-what").textContent = plain(found?.text || name);
    $("ask").querySelector("[data-for=shelve]").hidden = action !== "shelve";
    $("ask").querySelector(".main").textContent = TITLES[action];
    const wish = await answered($("ask"));
    if (!wish) return;
    const until = action === "shelve" ? { until: later(Number(wish.minutes)) } : {};
    const body = { action, who: wish.who, why: wish.why, ...until };
    await send(asking(name, TITLES[action]), `/api/alarms/${encodeURIComponent(name)}`, body, wish.token);
  }

  async function control() {
    fit();
    const wish = await answered($("steer"));
    if (!wish) return;
    const manual = wish.mode === "manual" ? { power: Number(wish.sign) * Number(wish.kw) * 1000 } : {};
    const lease = LENT.includes(wish.mode) ? { until: later(Number(wish.minutes)) } : {};
    const asked = wish.mode.startsWith("grid_") ? { action: wish.mode } : { mode: wish.mode };
    if (wish.battery) asked.battery = wish.battery;
    const words = `${MODES[wish.mode]}${wish.mode === "manual" ? ` ${kilowatts(manual.power)} kW` : ""}${wish.battery ? `, ${wish.battery}` : ""}`;
    await send(asking(STEERING, words), "/api/control", { ...asked, who: wish.who, why: wish.why, ...manual, ...lease }, wish.token);
  }

  return { alarm, control };
}

/** What was filled in, or null when it was cancelled. The name is remembered here, a token only in this tab. */
function answered(dialog) {
  const form = dialog.querySelector("form");
  form.who.value = localStorage.getItem("who") ?? "";
  form.why.value = "";
  if (form.token) form.token.value = sessionStorage.getItem("token") ?? "";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((done) => {
    dialog.addEventListener("close", () => {
      if (dialog.returnValue !== "do") return done(null);
      const wish = Object.fromEntries(new FormData(form));
      localStorage.setItem("who", wish.who);
      if (wish.token) sessionStorage.setItem("token", wish.token);
      return done(wish);
    }, { once: true });
  });
}

/** Ask; the wish then bears the id of its answer, or why it was not even asked. */
async function send(one, address, body, token) {
  const headers = { "content-type": "application/json", "x-joulebus": "page" };
  if (token) headers.authorization = `Bearer ${token}`;
  try {
    const answer = await fetch(address, { method: "POST", headers, body: JSON.stringify(body) });
    if (answer.status === 401) sessionStorage.removeItem("token");
    if (answer.ok) one.id = (await answer.json()).id;
    else one.fault = await reason(answer);
  } catch (wrong) {
    one.fault = wrong.message;
  }
  one.since = performance.now();
}

async function reason(answer) {
  const { detail } = await answer.json();
  return Array.isArray(detail) ? detail.map((one) => `${one.field}: ${one.why}`).join("; ") : detail;
}
