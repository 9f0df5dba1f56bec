// How is a hit shown? As a title, the passage that fits, and its other values; opened, as all of
// its document. Every value is shown as text.

import { counted, fill, make } from "./elements.js";
import { isMarked, marked, unmarked } from "./marks.js";

const TITLES = ["title", "name", "label", "headline", "subject", "heading"];
const LONG = 90;
const WORD = /\p{L}\p{L}/u;
const MOST_VALUES = 6;
const MOST_FIELDS = 6;

/** Puts the hits into the list; `first` is the place of the first one, counted from 1. */
export function showHits(list, hits, primaryKey, first) {
  list.setAttribute("start", first);
  fill(list, hits.map((hit) => row(hit, primaryKey)));
}

/** Grey shapes in the place of hits that are on their way. */
export function showWaiting(list, count = 10) {
  const shape = () =>
    make("li", { class: "hit waiting", "aria-hidden": "true" }, ...["", "", ""].map(() => make("i")));
  fill(list, Array.from({ length: count }, shape));
}

function row(hit, primaryKey) {
  const shown = parts(hit, primaryKey);
  const whole = make("pre", { class: "whole", hidden: true, tabindex: "0", "aria-label": "Document", dir: "auto" });
  const title = make(
    "button",
    { type: "button", class: "open", "aria-expanded": "false", onclick: () => toggle(title, whole, hit) },
    ...marked(shown.title),
  );
  const passage = shown.passage && make("p", { class: "passage", dir: "auto" }, ...marked(shown.passage));
  return make(
    "li",
    { class: "hit" },
    make("div", { class: "head" }, make("h2", { dir: "auto" }, title), score(hit._rankingScore)),
    passage,
    shown.fields.length > 0 ? make("dl", { class: "fields" }, shown.fields.map(field)) : null,
    whole,
  );
}

/** The hit's document without what the search added to it. */
export function plain(hit) {
  const added = ["_formatted", "_rankingScore", "_rankingScoreDetails", "_matchesPosition"];
  return Object.fromEntries(Object.entries(hit).filter(([name]) => !added.includes(name)));
}

function toggle(title, whole, hit) {
  const open = whole.hidden;
  if (open && !whole.firstChild) whole.textContent = JSON.stringify(plain(hit), null, 2);
  whole.hidden = !open;
  title.setAttribute("aria-expanded", String(open));
}

function score(value) {
  if (typeof value !== "number") return null;
  const bar = make("i");
  bar.style.width = `${Math.round(100 * Math.min(Math.max(value, 0), 1))}%`;
  const said = `Score ${value.toFixed(2)}`;
  return make("span", { class: "score", title: said, role: "img", "aria-label": said }, bar);
}

/** {title, passage, fields}: which value stands for the hit, which passage fits, what is left. */
function parts(hit, primaryKey) {
  const values = Object.keys(plain(hit)).flatMap((name) => leaves(name, hit._formatted?.[name] ?? hit[name]));
  const texts = values.filter(([, value]) => typeof value === "string" && unmarked(value).trim());
  const title = titled(texts, hit, primaryKey) ?? [primaryKey, hit._formatted?.[primaryKey] ?? ""];
  const long = texts.filter(([name, text]) => name !== title[0] && unmarked(text).length > LONG);
  long.sort(([, a], [, b]) => isMarked(b) - isMarked(a) || b.length - a.length);
  const passage = long[0] ?? [null, ""];
  const rest = values.filter(([name]) => ![title[0], passage[0], primaryKey].includes(name));
  const fields = rest.filter(([, value]) => !isEmpty(value) && !isLong(value));
  return { title: title[1], passage: passage[1], fields: fields.slice(0, MOST_FIELDS) };
}

/** [name, value] of what is nested in a value, under names joined by dots, lists of objects too. */
function leaves(name, value) {
  const items = Array.isArray(value) ? value : [value];
  if (!items.some((item) => item !== null && typeof item === "object")) return [[name, value]];
  const found = new Map();
  const inner = items.filter((item) => item !== null).flatMap((item) =>
    Object(item) === item && !Array.isArray(item)
      ? Object.entries(item).flatMap(([key, nested]) => leaves(`${name}.${key}`, nested))
      : leaves(name, item),
  );
  for (const [key, nested] of inner) found.set(key, [...(found.get(key) ?? []), ...[nested].flat()]);
  return [...found].map(([key, all]) => [key, all.length === 1 ? all[0] : all]);
}

/** What is called a title, else the first short text of letters. */
function titled(texts, hit, primaryKey) {
  for (const wanted of TITLES) {
    const found = texts.find(([name]) => name.toLowerCase() === wanted);
    if (found) return found;
  }
  const fits = ([name, text]) =>
    name !== primaryKey && typeof hit[name] === "string" && WORD.test(text) && !isLong(text);
  return texts.find(fits);
}

function isEmpty(value) {
  if (typeof value === "string") return value.trim() === "";
  return value === null || (typeof value === "object" && Object.keys(value).length === 0);
}

function isLong(value) {
  return typeof value === "string" && unmarked(value).length > LONG;
}

function field([name, value]) {
  const values = Array.isArray(value) ? value : [value];
  const shown = values.slice(0, MOST_VALUES).map((item) => make("span", { dir: "auto" }, ...marked(item)));
  const more = values.length - shown.length;
  if (more > 0) shown.push(make("span", { class: "more" }, `+${counted(more)}`));
  return make("div", {}, make("dt", {}, name), make("dd", {}, shown));
}
