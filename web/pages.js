// How does one go from page to page?

import { fill, make } from "./elements.js";

const NEAR = 2;

/** Shows the way to other pages; nothing when there is one only. */
export function showPages(place, page, pages, go) {
  if (pages <= 1) return fill(place);
  const numbers = around(page, pages).map((number) =>
    number === null
      ? make("span", { "aria-hidden": "true" }, "…")
      : step(String(number), `Page ${number}`, number, number === page, go),
  );
  return fill(
    place,
    step("←", "Previous page", page - 1, false, go, page <= 1),
    numbers,
    step("→", "Next page", page + 1, false, go, page >= pages),
  );
}

/** The pages to offer, in order, with null for a gap: the ends and those near the present one. */
export function around(page, pages) {
  const wanted = new Set([1, pages]);
  for (let near = page - NEAR; near <= page + NEAR; near += 1) {
    if (near >= 1 && near <= pages) wanted.add(near);
  }
  const sorted = [...wanted].sort((a, b) => a - b);
  return sorted.flatMap((number, n) => (n > 0 && number - sorted[n - 1] > 1 ? [null, number] : [number]));
}

function step(text, label, to, current, go, disabled = false) {
  return make(
    "button",
    {
      type: "button",
      "aria-label": label,
      "aria-current": current ? "page" : null,
      disabled,
      onclick: () => go(to),
    },
    text,
  );
}
