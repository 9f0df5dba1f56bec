// How is a search written in the page's address, so that it can be kept, shared and gone back to?
//
//     ?index=films&q=space&mix=70&sort=year:desc&page=2&is.genres=Drama&is.genres=Horror&in.year=1970,
//
// A state is a plain object that is never changed, only replaced; see START.

/** Nothing by any name: an attribute may be called "constructor". */
export const NONE = Object.freeze(Object.create(null));

export const START = Object.freeze({
  index: "",
  query: "",
  mix: null, // from 0, words alone, to 100, meaning alone; null: the server decides
  sort: "", // "" is by relevance; else "attribute:asc" or "attribute:desc"
  page: 1,
  chosen: NONE, // facet -> values, any of which will do
  ranges: NONE, // facet -> [least or null, most or null]
});

/** The state that an address's search part describes; what is unfit is left as at the start. */
export function read(search) {
  const given = new URLSearchParams(search);
  const state = { ...START, chosen: having(NONE), ranges: having(NONE) };
  state.index = given.get("index") ?? "";
  state.query = given.get("q") ?? "";
  state.sort = /^.+:(asc|desc)$/.test(given.get("sort") ?? "") ? given.get("sort") : "";
  state.mix = bounded(given.get("mix"), 0, 100, START.mix);
  state.page = bounded(given.get("page"), 1, 1e6, 1);
  for (const [name, value] of given) {
    if (name.startsWith("is.")) (state.chosen[name.slice(3)] ??= []).push(value);
    if (name.startsWith("in.")) state.ranges[name.slice(3)] = range(value);
  }
  return state;
}

/** The same by name, with others in their places. */
export function having(named, others) {
  return Object.assign(Object.create(null), named, others);
}

/** The search part of the address for a state; "" when all is as at the start. */
export function write(state) {
  const found = new URLSearchParams();
  if (state.index) found.set("index", state.index);
  if (state.query) found.set("q", state.query);
  if (state.mix !== START.mix) found.set("mix", state.mix);
  if (state.sort) found.set("sort", state.sort);
  if (state.page > 1) found.set("page", state.page);
  for (const [name, values] of Object.entries(state.chosen)) {
    for (const value of values) found.append(`is.${name}`, value);
  }
  for (const [name, [least, most]] of Object.entries(state.ranges)) {
    if (least !== null || most !== null) found.set(`in.${name}`, `${least ?? ""},${most ?? ""}`);
  }
  const text = found.toString();
  return text ? `?${text}` : "";
}

/** How many choices narrow the search. */
export function narrowed(state) {
  const values = Object.values(state.chosen).reduce((sum, chosen) => sum + chosen.length, 0);
  return values + Object.values(state.ranges).filter((ends) => ends.some((end) => end !== null)).length;
}

function bounded(text, least, most, otherwise) {
  const number = Number(text);
  const fits = text !== null && Number.isInteger(number) && number >= least && number <= most;
  return fits ? number : otherwise;
}

function range(text) {
  const ends = text.split(",").slice(0, 2).map((end) => {
    const number = Number(end);
    return end.trim() === "" || !Number.isFinite(number) ? null : number;
  });
  return [ends[0] ?? null, ends[1] ?? null];
}
