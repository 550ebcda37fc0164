// Drawing in place: rows are kept, so that a button keeps the focus. Texts only ever enter as text.
import { kilowatts, number } from "./words.js";

export const $ = (id) => document.getElementById(id);

export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Texts for the fields that a node has; of a field that has none it says nothing. */
export function fill(node, words) {
  for (const [field, text] of Object.entries(words)) {
    const place = node.querySelector(`[data-f="${field}"]`);
    if (place) say(place, text);
  }
}

/** What has the focus keeps it while it is moved: a browser takes it from a node that changes its place. */
export function still(parent, move) {
  const held = parent.contains(document.activeElement) ? document.activeElement : null;
  move();
  if (held?.isConnected && held !== document.activeElement) held.focus({ preventScroll: true });
}

/** A child for each item, in their order, behind what has no key (the head of a table). */
export function rows(parent, template, items, key, draw) {
  const keyed = [...parent.children].filter((node) => node.dataset.key !== undefined);
  const known = new Map();
  for (const node of keyed) known.set(node.dataset.key, [...(known.get(node.dataset.key) ?? []), node]);
  const first = parent.children.length - keyed.length;
  items.forEach((item, place) => {
    const node = known.get(String(item[key]))?.shift() ?? $(template).content.firstElementChild.cloneNode(true);
    node.dataset.key = item[key];
    if (parent.children[first + place] !== node) still(parent, () => parent.insertBefore(node, parent.children[first + place] ?? null));
    draw(node, item);
  });
  for (const nodes of known.values()) for (const node of nodes) node.remove(); // two of one key, too
}

export function lamp(node, kind, text) {
  node.className = `lamp ${kind}`;
  say(node, text);
}

export function show(value, unit = "") {
  if (value === null || value === undefined) return "–";
  if (Array.isArray(value)) return value.length ? value.join(", ") : "none";
  if (typeof value !== "number") return String(value);
  if (unit === "Wh" && Math.abs(value) >= 1e9) return `${number(value / 1e6, 1)} MWh`;
  if (["W", "var", "VA", "Wh"].includes(unit)) return `${kilowatts(value)} k${unit}`;
  return `${number(value, Math.abs(value) >= 1000 ? 0 : value && Math.abs(value) < 10 && unit === "V" ? 3 : 1)}${unit ? ` ${unit === "degC" ? "°C" : unit}` : ""}`;
}
