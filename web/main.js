// The search page: a state, its address, and what is shown of it. Each change makes a new state;
// the newest question is the only one that is waited for.

import { having, narrowed, NONE, read, START, write } from "./address.js";
import { ask, keep, kept } from "./api.js";
import { counted, fill, find, make } from "./elements.js";
import { showChoices, showFacets } from "./facets.js";
import { showHits, showWaiting } from "./hits.js";
import { followKeys } from "./keys.js";
import { showPages } from "./pages.js";
import { answered, facetsOf, PAGE, question } from "./question.js";
import { followTheme } from "./theme.js";

const TYPING = 60; // milliseconds without a key until the server is asked
const PATIENCE = 150; // until it is shown that one waits
const NO_EMBEDDER = /embedder|vector/;
const MIDDLE = 50; // of the slider
const UNNAMED = "If it is right, it may not list the indexes: name one.";

let state = read(location.search);
let about = { embedder: null, facets: [], sorts: [], primaryKey: "id", of: null }; // of an index
let waiting = null; // the AbortController of the question on its way
let typing = null;
let shown = null; // the last answer on the page
const opened = new Set(); // facets that show all their values

// Changing

function change(changes) {
  move(changes);
  if (write(state) !== location.search) history.pushState(null, "", address());
  return search();
}

/** The same for what comes in many small steps, of which the last counts. */
function follow(changes) {
  move(changes);
  typing = setTimeout(() => {
    history.replaceState(null, "", address());
    search();
  }, TYPING);
}

function move(changes) {
  clearTimeout(typing);
  state = Object.freeze({ ...state, page: 1, ...changes });
}

function address() {
  return `${location.pathname}${write(state)}`;
}

async function turn(page) {
  await change({ page });
  scrollTo({ top: 0 });
  find("hits").focus({ preventScroll: true });
}

function choose(name, value, wanted) {
  const others = (state.chosen[name] ?? []).filter((other) => other !== value);
  change({ chosen: having(state.chosen, { [name]: wanted ? [...others, value] : others }) });
}

function bound(name, ends) {
  change({ ranges: having(state.ranges, { [name]: ends }) });
}

function clear() {
  change({ chosen: NONE, ranges: NONE });
}

// Asking

async function search() {
  waiting?.abort();
  const mine = new AbortController();
  waiting = mine;
  const slow = setTimeout(() => document.body.classList.add("busy"), PATIENCE);
  try {
    if (about.of !== state.index) await learn(state.index, mine.signal);
    const answer = answered(await asked(mine.signal), state);
    if (waiting === mine) show(answer);
  } catch (error) {
    if (waiting === mine && error.name !== "AbortError") fail(error);
  } finally {
    clearTimeout(slow);
    if (waiting === mine) document.body.classList.remove("busy");
  }
}

/** The answer to the state; by words alone where the index turns out to have no embedder. */
async function asked(signal) {
  try {
    return await ask("POST", "multi-search", question(state, about), signal);
  } catch (error) {
    if (!about.embedder || !NO_EMBEDDER.test(error.code ?? "")) throw error;
    about.embedder = null;
    return ask("POST", "multi-search", question(state, about), signal);
  }
}

/** Finds out what an index has: its embedder, facets, what it can be sorted by. */
async function learn(uid, signal) {
  if (shown === null) showWaiting(find("hits"));
  const path = `indexes/${encodeURIComponent(uid)}`;
  const every = { q: "", limit: 0, facets: ["*"], facetOrder: "count" };
  const [settings, facts, all] = await Promise.all([
    ask("GET", `${path}/settings`, undefined, signal).catch(allowed),
    ask("GET", path, undefined, signal).catch(allowed),
    ask("POST", `${path}/search`, every, signal),
  ]);
  const primaryKey = facts.primaryKey ?? "id";
  about = {
    of: uid,
    embedder: Object.keys(settings.embedders ?? {})[0] ?? "default",
    primaryKey,
    facets: facetsOf(all).filter((facet) => facet.name !== primaryKey),
    sorts: sortable(settings.sortableAttributes ?? [], all.facetStats ?? {}),
  };
}

/** A key that may only search does not see the settings; the page does without. */
function allowed(error) {
  if (error.wantsKey) return {};
  throw error;
}

function sortable(attributes, stats) {
  return attributes.includes("*") ? Object.keys(stats) : attributes;
}

// Showing

function show(answer) {
  shown = answer;
  fill(find("notice"));
  showControls();
  showSummary(answer);
  showChoices(find("choices"), state, choose, bound, clear);
  showFacets(find("facets"), about, state, answer.counts, opened, choose, bound);
  showHits(find("hits"), answer.hits, about.primaryKey, (state.page - 1) * PAGE + 1);
  if (answer.hits.length === 0) showNothing(answer.total);
  showPages(find("pages"), state.page, answer.pages, turn);
}

function showSummary({ total, took }) {
  const noun = total === 1 ? "result" : "results";
  const time = took < 1 ? "under 1 ms" : `${counted(Math.round(took))} ms`;
  fill(find("summary"), make("b", {}, counted(total)), ` ${noun}`);
  find("took").textContent = `in ${time}`; // not for the ear
}

function showControls() {
  document.title = state.query ? `${state.query} · hybridsearch` : "hybridsearch";
  if (find("query").value !== state.query) find("query").value = state.query;
  find("index").value = state.index;
  showMix();
  const orders = about.sorts.flatMap((name) => [
    [`${name}:asc`, `${name} ↑`],
    [`${name}:desc`, `${name} ↓`],
  ]);
  const options = [["", "relevance"], ...orders];
  fill(find("sort"), options.map(([value, text]) => make("option", { value }, text)));
  find("sort").value = state.sort;
  find("sorting").hidden = orders.length === 0;
  find("filters").hidden = about.of === state.index && about.facets.length === 0;
  const count = narrowed(state);
  find("narrowed").textContent = count > 0 ? String(count) : "";
}

function showMix() {
  const mixes = about.embedder !== null || about.of !== state.index;
  const said = mixes ? named(state.mix) : "words only";
  find("mix").disabled = !mixes;
  find("mix").value = state.mix ?? MIDDLE;
  find("mix").setAttribute("aria-valuetext", said);
  find("mixing").title = mixes ? "" : "This index has nothing to search by meaning with";
  find("mixed").textContent = said;
  find("unmix").hidden = !mixes || state.mix === null;
}

function named(mix) {
  if (mix === null) return "automatic";
  if (mix === 0) return "words only";
  return mix === 100 ? "meaning only" : `${mix} % meaning`;
}

function showNothing(total) {
  const ways = [];
  if (narrowed(state) > 0) ways.push(way("Search without filters", clear));
  if (about.embedder && state.mix === 0) ways.push(way("Search by meaning too", () => change({ mix: null })));
  if (state.page > 1) ways.push(way("Go to the first page", () => turn(1)));
  if (state.query) ways.push(way("Show every document", () => change({ ...START, index: state.index })));
  const text = make("p", {}, nothing(total));
  fill(find("hits"), make("li", { class: "empty" }, text, make("div", {}, ways)));
}

/** Why the page has no hits. */
function nothing(total) {
  if (total > 0) return "There is no such page.";
  if (state.query) return `Nothing is found for “${state.query}”.`;
  return narrowed(state) > 0 ? "No document fits these filters." : "There is nothing here yet.";
}

function way(text, onclick) {
  return make("button", { type: "button", onclick }, text);
}

function fail(error) {
  if (error.wantsKey) return enter(kept() ? error.message : "");
  if (error.passes) return wait(error);
  showControls();
  if (shown === null) fill(find("hits"));
  const ways = [way("Try again", () => start())];
  if (error.isOurs) ways.unshift(way("Start anew", () => anew(error)));
  return complain(error.message, make("code", {}, error.code), ways);
}

function complain(message, ...more) {
  fill(find("notice"), make("div", { class: "trouble" }, make("p", {}, message), ...more));
}

/** Forgets what is asked, and the index too if there is none of that name. */
function anew(error) {
  move({ ...START, index: error.code === "index_not_found" ? "" : state.index });
  history.pushState(null, "", address());
  start();
}

/** Says why there is no answer yet, and asks again. */
function wait(error) {
  fill(find("notice"), make("div", { class: "trouble patience" }, make("p", {}, error.message)));
  clearTimeout(typing);
  typing = setTimeout(search, 1000 * Math.max(error.again, 1));
}

/** Asks for a key, and for the index in case the key may not list them. */
function enter(refusal) {
  find("refusal").textContent = refusal && !state.index ? `${refusal} ${UNNAMED}` : refusal;
  find("named").value = state.index;
  if (!find("asking").open) find("asking").showModal();
}

function showNoIndex() {
  fill(find("summary"));
  const example = "hybridsearch index shop.duckdb films films.json";
  fill(
    find("hits"),
    make(
      "li",
      { class: "empty" },
      make("p", {}, "This database has no index yet. Make one from a file:"),
      make("pre", {}, example),
    ),
  );
}

// Beginning

async function start() {
  showControls();
  fill(find("notice"));
  if (shown === null) showWaiting(find("hits"));
  try {
    const { results } = await ask("GET", "indexes?limit=1000");
    showIndexes(results.map((index) => index.uid));
    if (results.length === 0) return showNoIndex();
    if (!state.index) state = Object.freeze({ ...state, index: results[0].uid });
  } catch (error) {
    if (!error.wantsKey || !kept() || !state.index) return fail(error);
    showIndexes([state.index]);
  }
  history.replaceState(null, "", address());
  return search();
}

function showIndexes(names) {
  const all = state.index && !names.includes(state.index) ? [state.index, ...names] : names;
  fill(find("index"), all.map((name) => make("option", { value: name }, name)));
  find("index").value = state.index || all[0] || "";
  find("index").disabled = all.length < 2;
}

function listen() {
  find("search").addEventListener("submit", (event) => {
    event.preventDefault();
    change({ query: find("query").value });
    if (touched.matches) find("query").blur(); // away with the keyboard on the glass
  });
  find("query").addEventListener("input", () => follow({ query: find("query").value }));
  find("mix").addEventListener("input", () => {
    follow({ mix: Number(find("mix").value) });
    showMix();
  });
  find("unmix").addEventListener("click", () => {
    change({ mix: null });
    find("mix").focus();
  });
  find("sort").addEventListener("change", () => change({ sort: find("sort").value }));
  find("index").addEventListener("change", () => {
    opened.clear();
    change({ ...START, index: find("index").value, query: state.query, mix: state.mix });
  });
  find("key").addEventListener("click", () => enter(""));
  find("cancel").addEventListener("click", () => find("asking").close("cancel"));
  find("asking").addEventListener("close", entered);
  addEventListener("popstate", () => {
    clearTimeout(typing);
    state = Object.freeze(read(location.search));
    start();
  });
  followKeys();
  followTheme(find("theme"));
}

function entered() {
  const secret = find("secret").value;
  find("secret").value = "";
  const wanted = find("asking").returnValue === "enter";
  find("asking").returnValue = "";
  if (!wanted) return shown === null ? complain("This server asks for a key.", unlock()) : undefined;
  keep(secret);
  about = { ...about, of: null };
  const index = find("named").value.trim();
  if (index) state = Object.freeze({ ...state, index });
  start();
}

function unlock() {
  return way("Enter a key", () => enter(""));
}

const touched = matchMedia("(pointer: coarse)");
const wide = matchMedia("(min-width: 60rem)");
wide.addEventListener("change", () => (find("filters").open = wide.matches));
find("filters").open = wide.matches;
listen();
start();
