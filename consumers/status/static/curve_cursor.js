// The cursor of the charts without a mouse: arrow keys, and a finger that slides.

const STEPS = { ArrowLeft: -1, ArrowRight: 1, PageUp: -12, PageDown: 12, Home: -Infinity, End: Infinity };

/** Calls `move` with the number of the interval to look at, null for none; `at` gives the present one, `count` how many
 * there are, and `place` that under a point of the page; `touch` hears whether a finger was there last. */
export function steer(node, { at, count, place, move, touch }) {
  node.addEventListener("keydown", (event) => {
    if (event.key === "Escape") move(null);
    else if (event.key in STEPS && count()) move(Math.min(count() - 1, Math.max(0, at() + STEPS[event.key])));
    else return;
    event.preventDefault();
  });
  node.addEventListener("blur", () => move(null));
  for (const kind of ["pointerdown", "pointermove"]) {
    node.addEventListener(kind, (event) => {
      touch(event.pointerType !== "mouse");
      if (event.pointerType !== "mouse") move(place(event.clientX));
    });
  }
}
