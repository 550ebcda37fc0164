"""What a page must look like in a browser at any width; each expression gives the faults it finds."""

CONTRAST = """() => {
  const rgba = (text) => { const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number); return { r, g, b, a }; };
  const linear = (c) => c / 255 <= 0.03928 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4;
  const light = ({ r, g, b }) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const ground = (node) => {
    const colour = rgba(getComputedStyle(node).backgroundColor);
    return colour.a || !node.parentElement ? colour : ground(node.parentElement);
  };
  const weak = [];
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
    if (!own || !node.checkVisibility() || node.closest(".shape, dialog, .visually-hidden")) continue;
    const style = getComputedStyle(node);
    const [a, b] = [light(rgba(node instanceof SVGElement ? style.fill : style.color)), light(ground(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) weak.push(`${node.textContent.trim().slice(0, 30)}: ${ratio.toFixed(2)}`);
  }
  return weak;
}"""
"""Texts that are too faint for WCAG AA."""

FITS = """async () => {
  for (const _ of [1, 2, 3]) await new Promise(requestAnimationFrame); // charts follow the width they are given
  const faults = [], wide = document.documentElement.scrollWidth - innerWidth;
  const outside = (node) => node.getBoundingClientRect().right > innerWidth + 0.5 && !node.closest(".scroll");
  const far = wide > 0 ? [...document.querySelectorAll("body *")].filter(outside).slice(0, 3) : [];
  if (wide > 0) faults.push(`${wide} px to scroll sideways: ${far.map((one) => one.outerHTML.slice(0, 80)).join(" ")}`);
  const shown = (node) => node.checkVisibility() && node.getClientRects().length;
  const end = (node) => node.getBoundingClientRect().bottom;
  for (const card of document.querySelectorAll(".card")) {
    const height = card.getBoundingClientRect().height;
    const empty = (end(card) - Math.max(0, ...[...card.children].filter(shown).map(end))) / height;
    if (empty > 0.3) faults.push(`${card.className}: ${Math.round(100 * empty)} % of ${height} px is empty`);
  }
  const loose = [...document.querySelectorAll(".bar")].filter((one) => getComputedStyle(one).display === "block");
  if (loose.length) faults.push(`${loose.length} bars whose controls stand below each other`);
  const head = document.querySelector("header").getBoundingClientRect().height;
  if (innerWidth >= 1024 && head > 60) faults.push(`a header of ${head} px`);
  const touched = "button, select, input:not([type=radio]), a, summary, label:has([type=radio])";
  for (const node of innerWidth <= 640 ? document.querySelectorAll(touched) : []) {
    const { width, height } = node.getBoundingClientRect();
    if (shown(node) && Math.min(width, height) < 44) faults.push(`${width}x${height} ${node.outerHTML.slice(0, 80)}`);
  }
  const heads = [...document.querySelectorAll("h1, h2, h3, h4")].filter(shown);
  const levels = heads.map((one) => Number(one.localName[1]));
  levels.forEach((level, place) => {
    if (level > (levels[place - 1] ?? 0) + 1) faults.push(`h${level} after h${levels[place - 1]}`);
  });
  return faults;
}"""
"""Sideways scrolling, cards that are towers, a header of two lines, what a finger misses, headings out of order."""

UNNAMED = """() => [...document.querySelectorAll("button, a, select, input, summary")]
  .filter((node) => node.checkVisibility() && !(node.textContent.trim() || node.ariaLabel || node.labels?.length))
  .map((node) => node.outerHTML.slice(0, 90))"""
"""What a reader of the screen cannot name."""
