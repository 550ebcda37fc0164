// The parts of joulebus: one line while all are well, and each that is not at once.
import { GRADE } from "./devices.js";
import { $, fill, lamp, rows, say } from "./rows.js";
import { age, news } from "./words.js";

/** What dispatch says of itself stands in its own card; here stands what does not. */
function draw(node, one, why) {
  lamp(node.querySelector(".lamp"), GRADE[one.state], one.state);
  const words = one.state === "online" ? [age(one.lag), one.version, one.service === "dispatch" ? news(one.detail, why) : one.detail] : [one.detail || `last word ${age(one.age)} ago`];
  fill(node, { name: one.service, words: words.filter(Boolean).join(" · ") });
}

export function drawServices({ services, why }) {
  const well = services.filter((one) => one.state === "online");
  const others = services.filter((one) => one.state !== "online");
  rows($("services-away"), "t-service", others, "service", (node, one) => draw(node, one, why));
  rows($("services-well"), "t-service", well, "service", (node, one) => draw(node, one, why));
  say($("services").querySelector("summary"), `${well.length}${others.length ? ` of ${services.length}` : ""} parts online`);
  $("services-all").hidden = !well.length;
}
