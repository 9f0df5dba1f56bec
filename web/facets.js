// How are results narrowed? By facets: values with counts, of which any may be ticked, and numbers
// between two ends. What is chosen stays in sight, also when nothing has it any more. What is on the
// page already is changed in place, so that nobody's focus, click or half a number is lost.

import { counted, find, keyed, make, settle } from "./elements.js";

const FEW = 8;

/** Shows the facets. `choose(name, value, wanted)` and `bound(name, ends)` tell of a choice; `opened`
 *  holds the names of those that show all their values. */
export function showFacets(place, about, state, counts, opened, choose, bound) {
  const again = () => showFacets(place, about, state, counts, opened, choose, bound);
  settle(
    place,
    about.facets.map((facet) => {
      const { name } = facet;
      const node = keyed(place, `${about.of} ${name}`, () => group(name));
      if (facet.kind === "range") showEnds(node, facet, state.ranges[name] ?? [null, null], bound);
      else showValues(node, name, state.chosen[name] ?? [], counts[name] ?? {}, opened, choose, again);
      return node;
    }),
  );
}

/** Shows what is chosen as buttons that take it back; the focus goes on to the next of them. */
export function showChoices(place, state, choose, bound, clear) {
  const chosen = Object.entries(state.chosen).flatMap(([name, picked]) =>
    picked.map((value) => choice(`${name}: ${named(value)}`, () => choose(name, value, false))),
  );
  const ends = Object.entries(state.ranges)
    .filter(([, [least, most]]) => least !== null || most !== null)
    .map(([name, [least, most]]) =>
      choice(`${name}: ${least ?? "…"} – ${most ?? "…"}`, () => bound(name, [null, null])),
    );
  const all = [...chosen, ...ends];
  if (all.length > 1) {
    all.push(make("li", {}, make("button", { type: "button", class: "plain", onclick: clear }, "Clear all")));
  }
  const held = [...place.children].findIndex((item) => item.contains(document.activeElement));
  settle(place, all);
  if (held < 0) return;
  const next = all[Math.min(held, all.length - 1)]?.firstChild ?? find("query");
  next.focus();
}

function choice(text, remove) {
  const label = `Remove the filter ${text}`;
  return make(
    "li",
    {},
    make(
      "button",
      { type: "button", "aria-label": label, onclick: remove },
      make("span", { dir: "auto" }, text),
      make("span", { "aria-hidden": "true" }, "×"),
    ),
  );
}

function group(name) {
  return make("fieldset", { class: "facet" }, make("legend", {}, name));
}

function showValues(node, name, picked, counts, opened, choose, again) {
  const there = Object.entries(counts);
  if (there.length > FEW) there.sort(([, a], [, b]) => b - a); // few numbers stay in their own order
  const gone = picked.filter((value) => !Object.hasOwn(counts, value)).map((value) => [value, 0]);
  const all = [...there, ...gone];
  const hidden = all.length - FEW;
  const open = opened.has(name) || hidden <= 2;
  const shown = open ? all : all.filter(([value], n) => n < FEW || picked.includes(value));
  const nodes = shown.map(([value, count]) => {
    const label = keyed(node, `value ${value}`, () => tick(name, value, choose));
    label.querySelector("input").checked = picked.includes(value);
    label.querySelector(".count").textContent = counted(count);
    return label;
  });
  if (hidden > 2) nodes.push(more(node, opened, name, hidden, again));
  if (all.length === 0) nodes.push(keyed(node, "none", () => make("p", { class: "small" }, "None here")));
  settle(node, [node.firstChild, ...nodes]);
}

function more(node, opened, name, hidden, again) {
  const button = keyed(node, "more", () => make("button", { type: "button", class: "plain" }));
  button.textContent = opened.has(name) ? "Show fewer" : `Show ${counted(hidden)} more`;
  button.onclick = () => {
    if (!opened.delete(name)) opened.add(name);
    again();
  };
  return button;
}

/** The value as it is shown: a box beside nothing would be a riddle. */
function named(value) {
  return value.trim() === "" ? "(empty)" : value;
}

function tick(name, value, choose) {
  const box = make("input", { type: "checkbox", onchange: () => choose(name, value, box.checked) });
  return make(
    "label",
    { class: "tick" },
    box,
    make("span", { class: "value", dir: "auto", title: value }, named(value)),
    make("span", { class: "count" }),
  );
}

function showEnds(node, facet, ends, bound) {
  const place = keyed(node, "ends", () => range(facet, bound));
  [...place.querySelectorAll("input")].forEach((input, n) => {
    const half = input === document.activeElement && input.value !== input.dataset.told;
    if (!half) tell(input, ends[n] ?? "");
  });
  settle(node, [node.firstChild, place]);
}

function range(facet, bound) {
  const end = (side, edge) =>
    make("input", {
      type: "number",
      step: "any",
      min: facet.min, // where the arrows begin
      placeholder: edge,
      "aria-label": `${facet.name}, ${side}`,
      onchange: () => {
        [least, most].forEach((input) => tell(input, input.value));
        bound(facet.name, [number(least), number(most)]);
      },
    });
  const [least, most] = [end("at least", facet.min), end("at most", facet.max)];
  return make("div", { class: "ends" }, least, "–", most);
}

/** Sets an input's value, and remembers it as no half a number. */
function tell(input, value) {
  input.value = value;
  input.dataset.told = input.value;
}

function number(input) {
  return input.value === "" ? null : input.valueAsNumber;
}
