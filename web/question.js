// How is a state asked of the server, and what does the answer say? Plain values in and out.
//
// A facet of which something is chosen is counted as if nothing of it were, so that its other
// values can be added: that takes one more query for each such facet, all in one request.

import { having } from "./address.js";
import { AFTER, BEFORE } from "./marks.js";

export const PAGE = 20;
const CROP = 45;
const LONGEST_VALUE = 60;
const FEWEST_SHARED = 2;
const LEAST_COVERED = 0.05;
const MOST_EXACT = 12;

/** The body of POST /multi-search for a state. `about` says what the index has; see `facetsOf`. */
export function question(state, about) {
  const shared = { indexUid: state.index, q: state.query, facetOrder: "count", ...mix(state, about) };
  const names = about.facets.map((facet) => facet.name);
  const main = {
    ...shared,
    page: state.page,
    hitsPerPage: PAGE,
    filter: filters(state),
    sort: state.sort ? [state.sort] : undefined,
    facets: names,
    attributesToHighlight: ["*"],
    attributesToCrop: ["*"],
    cropLength: CROP,
    highlightPreTag: BEFORE,
    highlightPostTag: AFTER,
    showRankingScore: state.query.trim() !== "",
  };
  const others = taken(state)
    .filter((name) => names.includes(name))
    .map((name) => ({ ...shared, hitsPerPage: 0, page: 1, filter: filters(state, name), facets: [name] }));
  return { queries: [main, ...others] };
}

/** What the answer to a state says: hits, how many there are, the facets' counts. */
export function answered(answer, state) {
  const [main, ...others] = answer.results;
  const found = having(main.facetDistribution);
  const counts = having(found);
  for (const other of others) {
    for (const [name, all] of Object.entries(other.facetDistribution)) {
      counts[name] = having(all, of(state.chosen[name] ?? [], having(found[name])));
    }
  }
  return {
    hits: main.hits,
    total: main.totalHits ?? main.estimatedTotalHits ?? main.hits.length,
    pages: main.totalPages ?? 1,
    took: answer.results.reduce((sum, result) => sum + (result.processingTimeMs ?? 0), 0),
    counts,
  };
}

/** The counts of some values alone: of what is chosen, how many are among the hits. */
function of(values, counts) {
  return Object.fromEntries(values.filter((value) => value in counts).map((value) => [value, counts[value]]));
}

/** Which facets are worth showing, from an answer over the whole index that lists the most frequent
 *  values: numbers, chosen by their ends where there are many, and short values that several
 *  documents share, unless next to none has one of them. */
export function facetsOf(answer) {
  const stats = having(answer.facetStats);
  return Object.entries(answer.facetDistribution ?? {})
    .map(([name, counts]) => facet(name, counts, stats[name], answer.estimatedTotalHits))
    .filter((found) => found !== null);
}

function facet(name, counts, stats, documents) {
  const values = Object.keys(counts);
  if (values.length === 0) return null;
  if (stats && values.length > MOST_EXACT) return { name, kind: "range", ...stats };
  const short = values.filter((value) => value.length <= LONGEST_VALUE).length;
  const shared = values.filter((value) => counts[value] >= FEWEST_SHARED).length;
  const covered = values.reduce((sum, value) => sum + counts[value], 0);
  if (short * 4 < values.length * 3 || shared * 4 < values.length) return null;
  return covered >= documents * LEAST_COVERED ? { name, kind: "values" } : null;
}

function mix(state, about) {
  if (!about.embedder || state.mix === 0 || !state.query.trim()) return {};
  const ratio = state.mix === null ? {} : { semanticRatio: state.mix / 100 };
  return { hybrid: { embedder: about.embedder, ...ratio } };
}

function taken(state) {
  return [...new Set([...Object.keys(state.chosen), ...Object.keys(state.ranges)])].filter(
    (name) => (state.chosen[name] ?? []).length > 0 || name in state.ranges,
  );
}

/** The filter of a state: each facet must fit, any of its values will do. Without `except`'s. */
export function filters(state, except = null) {
  const found = [];
  for (const [name, values] of Object.entries(state.chosen)) {
    if (name !== except && values.length > 0) {
      found.push(values.map((value) => `${quoted(name)} = ${quoted(value)}`));
    }
  }
  for (const [name, [least, most]] of Object.entries(state.ranges)) {
    if (name === except) continue;
    if (least !== null) found.push([`${quoted(name)} >= ${least}`]);
    if (most !== null) found.push([`${quoted(name)} <= ${most}`]);
  }
  return found.length > 0 ? found : undefined;
}

function quoted(text) {
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}
