// Numbers and times as words: decimal point, no thousands separator, 24 h, ISO dates, in the site's zone.

export function number(value, decimals) {
  const text = Math.abs(value).toFixed(decimals);
  return (value < 0 && Number(text) !== 0 ? "\u2212" : "") + text;
}

export function kilowatts(watts) {
  return number(watts / 1000, Math.abs(watts) >= 999_950 ? 0 : 1);
}

/** What is not said yet: the clauses of some words that end nothing of what stands on the page already. */
export function news(words, said) {
  const known = said.split("; ").filter(Boolean);
  const isSaid = (clause) => known.some((one) => one.endsWith(clause.replace(/^rests: /, "")) || clause.endsWith(one));
  return (words || "").split("; ").filter((clause) => clause && !isSaid(clause)).join("; ");
}

/** Words of a message without the marks of code around a name. */
export function plain(words) {
  return words.replaceAll("`", "");
}

/** 5572.34 EUR, and 5572 EUR where cents say nothing. */
export function money(amount, currency) {
  return `${number(amount, Math.abs(amount) >= 1000 ? 0 : 2)} ${currency}`;
}

/** 3 %, of a share of one; a little is not nothing, and not yet all is not all. */
export function percent(share) {
  return share > 0 && share < 0.01 ? "less than 1 %" : `${Math.floor(100 * share)} %`;
}

/** 0.191 EUR/kWh */
export function price(amount, currency) {
  return `${number(amount, 3)} ${currency}/kWh`;
}

/** An age that is looked at all day: what is fresh does not count. */
export function calm(seconds) {
  return seconds !== null && seconds < 10 ? "now" : age(seconds);
}

export function age(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 10) return `${number(seconds, 1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} d`;
}

/** A span as a person says it, fine enough that it is seen to count: 47 s, 3 min 05 s, 20 min, 5 h 20 min, 3 d 4 h. */
export function span(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const two = (large, big, small, little, wide) => `${Math.floor(whole / large)} ${big} ${String(Math.floor((whole % large) / small)).padStart(wide, "0")} ${little}`;
  if (whole < 90) return `${whole} s`;
  if (whole < 600) return two(60, "min", 1, "s", 2);
  if (whole < 7200) return `${Math.floor(whole / 60)} min`;
  return whole < 172_800 ? two(3600, "h", 60, "min", 2) : two(86_400, "d", 3600, "h", 1);
}

const formats = new Map();

function format(zone, options, language = "sv-SE") {
  const key = language + zone + JSON.stringify(options);
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat(language, { timeZone: zone, ...options }));
  return formats.get(key);
}

/** 14:05 */
export function clock(at, zone) {
  return format(zone, { hour: "2-digit", minute: "2-digit" }).format(new Date(at));
}

/** 2026-11-23 14:05:09 */
export function since(at, zone) {
  return format(zone, { dateStyle: "short", timeStyle: "medium" }).format(new Date(at));
}

const DAYS = { "-1": "yesterday ", 0: "", 1: "tomorrow " };

/** A moment as it is said at another one: 14:05 on that day, yesterday or tomorrow 14:05, else Mon 30 Nov 14:05, and of
 * another year with its date. */
export function when(at, zone, now, seconds = false) {
  const [there, here] = [since(at, zone), since(now, zone)];
  const days = (Date.parse(there.slice(0, 10)) - Date.parse(here.slice(0, 10))) / 86_400_000;
  const time = there.slice(11, seconds ? 19 : 16);
  if (DAYS[days] !== undefined) return DAYS[days] + time;
  if (there.slice(0, 4) !== here.slice(0, 4)) return `${there.slice(0, 10)} ${time}`;
  const part = Object.fromEntries(WEEK(zone).formatToParts(new Date(at)).map((one) => [one.type, one.value]));
  return `${part.weekday} ${part.day} ${part.month} ${time}`;
}

const WEEK = (zone) => format(zone, { weekday: "short", day: "numeric", month: "short" }, "en-GB");

/** 11-23, as in an ISO date: 23.11. or 11/23 would be read both ways. */
export function day(at, zone) {
  return since(at, zone).slice(5, 10);
}
