// A page with InstantSearch finds here what it finds at Meilisearch, by instant-meilisearch.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { instantMeiliSearch } from "@meilisearch/instant-meilisearch";
import instantsearchModule from "instantsearch.js";
import connectors from "instantsearch.js/cjs/connectors/index.js";
import { admin, films, host, searchKey, settings } from "./films.mjs";

const instantsearch = instantsearchModule.default ?? instantsearchModule;
const key = { value: "" };

before(async () => {
  const index = admin.index("films");
  await index.updateSettings(settings).waitTask();
  await index.addDocuments(films).waitTask();
  key.value = await searchKey();
});

const ids = (found) => found.hits.map((hit) => hit.id);

async function asked(params, options = {}) {
  const { searchClient } = instantMeiliSearch(host, key.value, { keepZeroFacets: false, ...options });
  const { results } = await searchClient.search([{ indexName: "films", params }]);
  return results[0];
}

describe("the search client", () => {
  test("finds, with highlights of what was typed", async () => {
    const found = await asked({
      query: "sola", attributesToHighlight: ["*"], highlightPreTag: "__ais-highlight__",
      highlightPostTag: "__/ais-highlight__",
    });
    assert.deepEqual(ids(found), [3]);
    assert.equal(
      found.hits[0]._highlightResult.title.value, "__ais-highlight__Sola__/ais-highlight__ris",
    );
    assert.equal(found.hits[0]._highlightResult.genres[0].value, "Drama");
  });

  test("gives snippets", async () => {
    const found = await asked({ query: "deadly", attributesToSnippet: ["plot:3"] });
    assert.match(found.hits[0]._snippetResult.plot.value, /^…a .*deadly.* stranger…$/);
  });

  test("shows everything without a query", async () => {
    const found = await asked({ query: "" });
    assert.equal(found.nbHits, 5);
    assert.equal(found.hits.length, 5);
  });

  test("refines by facets, each group open to its other values", async () => {
    const facetFilters = [["genres:Space", "genres:Action"]];
    const found = await asked({ query: "", facets: ["genres", "year"], facetFilters });
    assert.deepEqual(ids(found).sort(), [1, 3, 4]);
    assert.deepEqual(found.facets.genres, { Action: 1, Drama: 1, Horror: 1, Space: 3 });
    const { min, max } = found.facets_stats.year;
    assert.deepEqual([min, max], [1972, 1986]);
  });

  test("filters by numbers, by text and by values with quotes", async () => {
    assert.deepEqual(ids(await asked({ query: "", numericFilters: ["year>=1986"] })).sort(), [2, 4]);
    assert.deepEqual(ids(await asked({ query: "", filters: "genres = Horror" })), [1]);
    assert.deepEqual(ids(await asked({ query: "", facetFilters: ['maker:a "b" \\ \'c\''] })), []);
  });

  test("pages", async () => {
    const finite = { finitePagination: true };
    const found = await asked({ query: "", hitsPerPage: 2, page: 1 }, finite);
    assert.deepEqual([found.nbHits, found.nbPages, found.page, found.hits.length], [5, 3, 1, 2]);
    const endless = await asked({ query: "", hitsPerPage: 2, page: 2 });
    assert.equal(endless.hits.length, 1);
  });

  test("looks around a place", async () => {
    const found = await asked({ query: "", aroundLatLng: "51.5,-0.1", aroundRadius: 1000 });
    assert.deepEqual(ids(found), [1]);
    assert.deepEqual(found.hits[0]._geoloc, { lat: 51.5, lng: -0.1 });
    const box = await asked({ query: "", insideBoundingBox: "40,-90,30,-100" });
    assert.deepEqual(ids(box), [5]);
  });

  test("searches by meaning where it is told to", async () => {
    const meilisearchParams = { hybrid: { embedder: "own", semanticRatio: 1 }, vector: [1, 0] };
    assert.deepEqual(ids(await asked({ query: "" }, { meiliSearchParams: meilisearchParams })).slice(0, 2), [1, 3]);
  });

  test("searches several indexes at once", async () => {
    const { searchClient } = instantMeiliSearch(host, key.value);
    const { results } = await searchClient.search([
      { indexName: "films", params: { query: "solaris" } },
      { indexName: "films:year:desc", params: { query: "" } },
    ]);
    assert.deepEqual(results.map((one) => one.hits[0].id), [3, 2]);
  });

  test("searches the values of a facet", async () => {
    const { searchClient } = instantMeiliSearch(host, key.value);
    const [found] = await searchClient.searchForFacetValues([
      { indexName: "films", params: { facetName: "genres", facetQuery: "spa" } },
    ]);
    assert.deepEqual(found.facetHits.map(({ value, count }) => [value, count]), [["Space", 3]]);
  });
});

describe("a page of InstantSearch", () => {
  const shown = {};
  const widget = (name, params = {}) => {
    const connect = connectors[`connect${name}`];
    return connect((state) => { shown[name] = state; })(params);
  };
  let search;

  async function doing(act) {
    const old = search.mainIndex.getResults();
    act();
    for (let tries = 0; tries < 500; tries += 1) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      const found = search.mainIndex.getResults();
      if (found && found !== old && search.status === "idle") return;
    }
    throw new Error(`no answer: ${search.status} ${search.error ?? ""}`);
  }

  before(async () => {
    const { searchClient } = instantMeiliSearch(host, key.value, { finitePagination: true });
    search = instantsearch({ indexName: "films", searchClient, future: { preserveSharedStateOnUnmount: true } });
    search.addWidgets([
      widget("SearchBox"), widget("Hits"), widget("Stats"),
      widget("RefinementList", { attribute: "genres", operator: "or" }),
      widget("Range", { attribute: "year" }), widget("Pagination"),
      widget("SortBy", {
        items: [{ value: "films", label: "best" }, { value: "films:year:asc", label: "oldest" }],
      }),
      widget("Configure", { searchParameters: { hitsPerPage: 2 } }),
    ]);
    await doing(() => search.start());
  });

  after(() => search.dispose());

  const hits = () => (shown.Hits.items ?? shown.Hits.hits).map((hit) => hit.id);

  test("shows a first page, facets and ends of ranges", async () => {
    assert.equal(shown.Stats.nbHits, 5);
    assert.equal(hits().length, 2);
    assert.deepEqual(
      shown.RefinementList.items.map(({ value, count }) => [value, count]).sort(),
      [["Action", 1], ["Animation", 1], ["Drama", 3], ["Horror", 1], ["Space", 3]],
    );
    assert.deepEqual(shown.Range.range, { min: 1972, max: 2009 });
  });

  test("answers as one types", async () => {
    await doing(() => shown.SearchBox.refine("alien"));
    assert.deepEqual(hits(), [1, 4]);
    assert.match(shown.Hits.items[0]._highlightResult.title.value, /Alien/);
    await doing(() => shown.SearchBox.refine(""));
    assert.equal(shown.Stats.nbHits, 5);
  });

  test("refines by several values, and the others keep their counts", async () => {
    await doing(() => shown.RefinementList.refine("Horror"));
    assert.deepEqual(hits(), [1]);
    const counts = Object.fromEntries(shown.RefinementList.items.map((one) => [one.value, one.count]));
    assert.equal(counts.Drama, 3);
    await doing(() => shown.RefinementList.refine("Action"));
    assert.equal(shown.Stats.nbHits, 2);
    await doing(() => shown.RefinementList.refine("Horror"));
    await doing(() => shown.RefinementList.refine("Action"));
  });

  test("refines by a range", async () => {
    await doing(() => shown.Range.refine([1980, 1990]));
    assert.deepEqual(hits().sort(), [4, 5]);
    await doing(() => shown.Range.refine([undefined, undefined]));
  });

  test("sorts and pages", async () => {
    await doing(() => shown.SortBy.refine("films:year:asc"));
    assert.deepEqual(hits(), [3, 1]);
    await doing(() => shown.Pagination.refine(2));
    assert.deepEqual(hits(), [2]);
    assert.equal(shown.Pagination.nbPages, 3);
  });
});
