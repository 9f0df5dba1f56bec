// How are results narrowed? By facets: values with counts, of which any may be ticked, and numbers
// between two ends. What is chosen stays in sight, also when nothing has it any more.

import { counted, fill, make } from "./elements.js";

const FEW = 8;

/** Shows the facets. `change(name, values)` and `changeRange(name, ends)` tell of a choice; `opened`
 *  holds the names of those that show all their values. */
export function showFacets(place, about, state, counts, opened, change, changeRange) {
  const again = () => showFacets(place, about, state, counts, opened, change, changeRange);
  const held = document.activeElement?.id;
  fill(
    place,
    about.facets.map((facet) =>
      facet.kind === "range"
        ? range(facet, state.ranges[facet.name] ?? [null, null], changeRange)
        : values(facet.name, state.chosen[facet.name] ?? [], counts[facet.name] ?? {}, opened, change, again),
    ),
  );
  if (held) document.getElementById(held)?.focus();
}

/** Shows what is chosen as buttons that take it back. */
export function showChoices(place, state, change, changeRange, clear) {
  const chosen = Object.entries(state.chosen).flatMap(([name, picked]) =>
    picked.map((value) =>
      choice(`${name}: ${named(value)}`, () => change(name, picked.filter((other) => other !== value))),
    ),
  );
  const ends = Object.entries(state.ranges)
    .filter(([, [least, most]]) => least !== null || most !== null)
    .map(([name, [least, most]]) =>
      choice(`${name}: ${least ?? "…"} – ${most ?? "…"}`, () => changeRange(name, [null, null])),
    );
  const all = [...chosen, ...ends];
  if (all.length > 1) {
    all.push(make("li", {}, make("button", { type: "button", class: "plain", onclick: clear }, "Clear all")));
  }
  fill(place, all);
}

function choice(text, remove) {
  const label = `Remove the filter ${text}`;
  return make(
    "li",
    {},
    make("button", { type: "button", "aria-label": label, onclick: remove }, text, make("span", {}, "×")),
  );
}

function values(name, picked, counts, opened, change, again) {
  const there = Object.entries(counts);
  if (there.length > FEW) there.sort(([, a], [, b]) => b - a); // the most frequent are seen first
  const gone = picked.filter((value) => !(value in counts)).map((value) => [value, 0]);
  const all = [...there, ...gone];
  const open = opened.has(name);
  const hidden = all.length - FEW;
  const shown = open || hidden <= 2 ? all : all.filter(([value], n) => n < FEW || picked.includes(value));
  const more = () => {
    if (open) opened.delete(name);
    else opened.add(name);
    again();
  };
  return make(
    "fieldset",
    { class: "facet" },
    make("legend", {}, name),
    shown.map(([value, count], n) => tick(name, n, value, count, picked, change)),
    hidden > 2 &&
      make(
        "button",
        { type: "button", class: "plain", id: `more-${name}`, onclick: more },
        open ? "Show fewer" : `Show ${counted(hidden)} more`,
      ),
    all.length === 0 ? make("p", { class: "small" }, "None here") : null,
  );
}

/** The value as it is shown: a box beside nothing would be a riddle. */
function named(value) {
  return value.trim() === "" ? "(empty)" : value;
}

function tick(name, n, value, count, picked, change) {
  const box = make("input", {
    type: "checkbox",
    id: `tick-${name}-${n}`,
    checked: picked.includes(value),
    onchange: () =>
      change(name, box.checked ? [...picked, value] : picked.filter((other) => other !== value)),
  });
  return make(
    "label",
    { class: "tick" },
    box,
    make("span", { class: "value" }, named(value)),
    make("span", { class: "count" }, counted(count)),
  );
}

function range(facet, [least, most], changeRange) {
  const id = `range-${facet.name}`;
  const end = (side, value, bound) =>
    make("input", {
      type: "number",
      id: `${id}-${side}`,
      step: "any",
      value: value ?? "",
      placeholder: bound,
      "aria-label": `${facet.name}, ${side === "least" ? "at least" : "at most"}`,
      onchange: () => changeRange(facet.name, [number(`${id}-least`), number(`${id}-most`)]),
    });
  return make(
    "fieldset",
    { class: "facet" },
    make("legend", {}, facet.name),
    make("div", { class: "ends" }, end("least", least, facet.min), "–", end("most", most, facet.max)),
  );
}

function number(id) {
  const text = document.getElementById(id).value;
  return text === "" || !Number.isFinite(Number(text)) ? null : Number(text);
}
