// The curves as a table, a row an hour: for who hears them, and for who wants the numbers.
import { number } from "./words.js";

const POWERS = ["grid", "pv", "battery", "load"];
const COLUMNS = [
  ...POWERS.flatMap((name) => [[name, 1000, 1], [`plan_${name}`, 1000, 1]]),
  ["soc", 1, 0], ["plan_soc", 1, 0], ["price_import", 1, 3], ["price_export", 1, 3],
];

/** The rows of what the server gave: the means of each hour, of a state of charge its last. */
export function hourly(found, name) {
  const hours = new Map();
  found.at.forEach((at, place) => {
    const key = Math.floor(at / 3600) * 3600;
    if (!hours.has(key)) hours.set(key, []);
    hours.get(key).push(place);
  });
  return [...hours].map(([at, places]) => [name(at), ...COLUMNS.map(([column, unit, digits]) => cell(found.columns[column], places, column, unit, digits))]);
}

function cell(values, places, name, unit, digits) {
  const known = places.map((place) => values?.[place]).filter((value) => value !== null && value !== undefined);
  if (!known.length) return "–";
  const value = name.endsWith("soc") ? known.at(-1) : known.reduce((sum, one) => sum + one, 0) / known.length;
  return number(value / unit, digits);
}

export function drawTable(body, lines) {
  while (body.rows.length > lines.length) body.deleteRow(-1);
  lines.forEach((line, place) => {
    const row = body.rows[place] ?? head(body.insertRow());
    line.forEach((text, column) => { (row.cells[column] ?? row.insertCell()).textContent = text; });
  });
}

function head(row) {
  const first = document.createElement("th");
  first.scope = "row";
  row.append(first);
  return row;
}
