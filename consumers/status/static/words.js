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

export function age(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 10) return `${number(seconds, 1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} d`;
}

const formats = new Map();

function format(zone, options) {
  const key = zone + JSON.stringify(options);
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat("sv-SE", { timeZone: zone, ...options }));
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

/** 11-23, as in an ISO date: 23.11. or 11/23 would be read both ways. */
export function day(at, zone) {
  return since(at, zone).slice(5, 10);
}
