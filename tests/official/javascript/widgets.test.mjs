// The widgets of an ordinary shop made with InstantSearch, and autocomplete, find here what they need.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import autocomplete from "@algolia/autocomplete-core";
import { getMeilisearchResults, meilisearchAutocompleteClient } from "@meilisearch/autocomplete-client";
import { instantMeiliSearch } from "@meilisearch/instant-meilisearch";
import instantsearchModule from "instantsearch.js";
import connectors from "instantsearch.js/cjs/connectors/index.js";
import { admin, host, searchKey } from "./films.mjs";

const instantsearch = instantsearchModule.default ?? instantsearchModule;
const MAKERS = [
  "Nord", "Süd", "Ost & Söhne", "O'West", 'Mitte "M"', "Åsa",
  "Zed", "Quer/Strich", "A:B", "C,D", "E\\F", "Inseln",
];
const KINDS = [
  ["Clothes", "Clothes > Shirts", "Clothes > Shirts > Linen"],
  ["Clothes", "Clothes > Shoes"],
  ["Tools", "Tools > Hammers"],
];
const goods = Array.from({ length: 60 }, (_, n) => {
  const [first, second, third] = KINDS[n % 3];
  return {
    id: n, name: `Thing ${n}`, text: `A thing of kind ${n % 3}, the best of its time`, price: n / 2,
    rating: 1 + (n % 5), inStock: n % 4 !== 0, maker: MAKERS[n % 12],
    categories: { lvl0: first, lvl1: second, ...(third && { lvl2: third }) },
    ...(n % 6 === 0 && { _geo: { lat: 50 + n / 60, lng: 3 } }),
  };
});
const settings = {
  searchableAttributes: ["name", "text"],
  filterableAttributes: ["price", "rating", "inStock", "maker", "categories", "_geo"],
  sortableAttributes: ["price", "_geo"],
};
const key = { value: "" };

before(async () => {
  const index = admin.index("goods");
  await index.updateSettings(settings).waitTask();
  const task = await index.addDocuments(goods, { primaryKey: "id" }).waitTask();
  assert.equal(task.status, "succeeded");
  key.value = await searchKey();
});

async function until(holds) {
  for (let tries = 0; tries < 2000; tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    if (holds()) return;
  }
  throw new Error("no answer");
}

/** A page with one widget of each of these; what they show is in `shown`, by name. */
function page(widgets, options = {}, initialUiState = {}) {
  const shown = {};
  const { searchClient, setMeiliSearchParams } = instantMeiliSearch(host, key.value, options);
  const search = instantsearch({
    indexName: "goods", searchClient, initialUiState, future: { preserveSharedStateOnUnmount: true },
  });
  search.addWidgets(
    Object.entries(widgets).map(([name, params]) =>
      connectors[`connect${name}`]((state) => { shown[name] = state; })(params)),
  );
  after(() => search.dispose());
  const doing = async (act) => {
    const old = search.mainIndex.getResults();
    act();
    await until(() => {
      const found = search.mainIndex.getResults();
      return found && found !== old && search.status === "idle";
    });
  };
  const ids = () => search.mainIndex.getResults().hits.map((hit) => hit.id);
  const total = () => search.mainIndex.getResults().nbHits;
  return { shown, search, doing, ids, total, setMeiliSearchParams };
}

const finite = { finitePagination: true };
const pairs = (items) => items.map(({ label, count }) => [label, count]);
const numbers = (from, to) => Array.from({ length: to - from + 1 }, (_, n) => from + n);

describe("widgets", () => {
  test("of a hierarchy lead down and back, with a trail", async () => {
    const attributes = ["categories.lvl0", "categories.lvl1", "categories.lvl2"];
    const { shown, search, doing, total } = page(
      { HierarchicalMenu: { attributes }, Breadcrumb: { attributes }, Hits: {} }, finite,
    );
    await doing(() => search.start());
    assert.deepEqual(pairs(shown.HierarchicalMenu.items), [["Clothes", 40], ["Tools", 20]]);
    await doing(() => shown.HierarchicalMenu.refine("Clothes"));
    assert.equal(total(), 40);
    assert.deepEqual(pairs(shown.HierarchicalMenu.items), [["Clothes", 40], ["Tools", 20]]);
    assert.deepEqual(pairs(shown.HierarchicalMenu.items[0].data), [["Shirts", 20], ["Shoes", 20]]);
    await doing(() => shown.HierarchicalMenu.refine("Clothes > Shirts"));
    assert.equal(total(), 20);
    assert.deepEqual(pairs(shown.HierarchicalMenu.items[0].data[0].data), [["Linen", 20]]);
    assert.deepEqual(pairs(shown.HierarchicalMenu.items[0].data), [["Shirts", 20], ["Shoes", 20]]);
    assert.deepEqual(shown.Breadcrumb.items.map((item) => item.label), ["Clothes", "Shirts"]);
    await doing(() => shown.Breadcrumb.refine(null));
    assert.equal(total(), 60);
  });

  test("of a refinement list search inside, show more, and take values with any characters", async () => {
    const { shown, search, doing, total, ids } = page(
      { RefinementList: { attribute: "maker", limit: 3, showMore: true, showMoreLimit: 20 }, Hits: {} },
      finite,
    );
    await doing(() => search.start());
    assert.equal(shown.RefinementList.items.length, 3);
    shown.RefinementList.toggleShowMore();
    assert.equal(shown.RefinementList.items.length, 12);
    for (const [place, maker] of MAKERS.entries()) {
      await doing(() => shown.RefinementList.refine(maker));
      assert.equal(total(), 5, maker);
      assert.ok(ids().every((id) => id % 12 === place), maker);
      await doing(() => shown.RefinementList.refine(maker));
    }
    const inside = async (typed) => {
      const old = shown.RefinementList;
      old.searchForItems(typed);
      await until(() => shown.RefinementList !== old);
      return pairs(shown.RefinementList.items);
    };
    assert.deepEqual(await inside("sö"), [["Ost & Söhne", 5]]);
    assert.deepEqual(await inside("sud"), [["Süd", 5]]);
    assert.deepEqual(await inside("xyz"), []);
    await doing(() => shown.RefinementList.refine("Süd"));
    assert.equal(total(), 5);
  });

  test("of several lists at once narrow each other, each open to its own values", async () => {
    const { shown, search, doing, total } = page({
      RefinementList: { attribute: "maker" }, Menu: { attribute: "categories.lvl0" },
      RatingMenu: { attribute: "rating", max: 5 }, ToggleRefinement: { attribute: "inStock", on: true },
      CurrentRefinements: {}, ClearRefinements: {}, Hits: {},
    }, finite);
    await doing(() => search.start());
    await doing(() => shown.Menu.refine("Tools"));
    assert.equal(total(), 20);
    assert.deepEqual(pairs(shown.Menu.items).sort(), [["Clothes", 40], ["Tools", 20]]);
    await doing(() => shown.ToggleRefinement.refine({ isRefined: false }));
    assert.equal(total(), 15);
    assert.equal(shown.ToggleRefinement.value.onFacetValue.count, 15);
    await doing(() => shown.RatingMenu.refine("4"));
    assert.equal(total(), goods.filter((one) => one.id % 3 === 2 && one.inStock && one.rating >= 4).length);
    await doing(() => shown.RefinementList.refine("Åsa"));
    assert.equal(
      total(), goods.filter((one) => one.id % 12 === 5 && one.inStock && one.rating >= 4).length,
    );
    assert.deepEqual(
      shown.CurrentRefinements.items.map((item) => item.attribute).sort(),
      ["categories.lvl0", "inStock", "maker", "rating"],
    );
    await doing(() => shown.ClearRefinements.refine());
    assert.equal(total(), 60);
  });

  test("of numbers take ends and steps", async () => {
    const { shown, search, doing, total } = page(
      { Range: { attribute: "price", precision: 1 }, NumericMenu: { attribute: "rating", items: [
        { label: "all" }, { label: "bad", end: 2 }, { label: "three", start: 3, end: 3 },
      ] }, Hits: {} }, finite,
    );
    await doing(() => search.start());
    assert.deepEqual(shown.Range.range, { min: 0, max: 29.5 });
    await doing(() => shown.Range.refine([10.5, 12]));
    assert.equal(total(), 4);
    await doing(() => shown.Range.refine([undefined, 2]));
    assert.equal(total(), 5);
    await doing(() => shown.Range.refine([undefined, undefined]));
    const choice = (label) => shown.NumericMenu.items.find((item) => item.label === label).value;
    await doing(() => shown.NumericMenu.refine(choice("bad")));
    assert.equal(total(), 24);
    await doing(() => shown.NumericMenu.refine(choice("three")));
    assert.equal(total(), 12);
  });

  test("of endless hits bring each hit once, in the order that is chosen", async () => {
    const { shown, search, doing } = page({
      InfiniteHits: {}, Configure: { searchParameters: { hitsPerPage: 25 } },
      SortBy: { items: [
        { value: "goods", label: "best" }, { value: "goods:price:desc", label: "dear first" },
      ] },
    });
    await doing(() => search.start());
    await doing(() => shown.SortBy.refine("goods:price:desc"));
    const got = () => (shown.InfiniteHits.items ?? shown.InfiniteHits.hits).map((hit) => hit.id);
    assert.deepEqual(got(), numbers(35, 59).reverse());
    await doing(() => shown.InfiniteHits.showMore());
    await doing(() => shown.InfiniteHits.showMore());
    assert.deepEqual(got(), numbers(0, 59).reverse());
    assert.equal(shown.InfiniteHits.isLastPage, true);
  });

  test("of pages and their size hold what Configure says", async () => {
    const { shown, search, doing, total, ids } = page({
      Pagination: {}, Hits: {}, Stats: {},
      HitsPerPage: { items: [
        { label: "7", value: 7, default: true }, { label: "30", value: 30 },
      ] },
      Configure: { searchParameters: {
        filters: "price >= 10", attributesToRetrieve: ["id"], attributesToSnippet: ["text:4"],
        attributesToHighlight: ["name"],
      } },
      SearchBox: {},
    }, finite);
    await doing(() => search.start());
    assert.equal(total(), 40);
    assert.equal(shown.Pagination.nbPages, 6);
    await doing(() => shown.Pagination.refine(5));
    assert.equal(ids().length, 5);
    await doing(() => shown.HitsPerPage.refine(30));
    assert.deepEqual([shown.Pagination.currentRefinement, ids().length], [0, 30]);
    await doing(() => shown.SearchBox.refine("thing 42"));
    const [hit] = search.mainIndex.getResults().hits;
    assert.equal(hit.id, 42);
    assert.ok(!("price" in hit));
    assert.match(hit._highlightResult.name.value, /<mark>Thing<\/mark> <mark>42<\/mark>/);
    assert.equal(hit._snippetResult.text.value, "A thing of kind…");
  });

  test("of a map find what is in sight", async () => {
    const { shown, search, doing } = page({ GeoSearch: {} }, finite);
    await doing(() => search.start());
    await doing(() => shown.GeoSearch.refine({
      northEast: { lat: 50.55, lng: 4 }, southWest: { lat: 50.25, lng: 2 },
    }));
    const found = () => shown.GeoSearch.items.map((hit) => hit.id).sort((a, b) => a - b);
    assert.deepEqual(found(), [18, 24, 30]);
    assert.equal(shown.GeoSearch.isRefinedWithMap(), true);
    await doing(() => shown.GeoSearch.clearMapRefinement());
    assert.deepEqual(found(), [0, 6, 12, 18]); // of the first page, those with a place
  });

  test("show what is set before they start, as from an address", async () => {
    const { search, doing, total } = page({
      RefinementList: { attribute: "maker" }, Menu: { attribute: "categories.lvl0" }, SearchBox: {},
      Range: { attribute: "price" }, Hits: {},
    }, finite, { goods: {
      query: "thing", menu: { "categories.lvl0": "Tools" }, range: { price: "5:20" },
      refinementList: { maker: ["O'West", 'Mitte "M"', "Åsa", "Zed"] },
    } });
    await doing(() => search.start());
    const wanted = goods.filter(({ id, price }) =>
      id % 3 === 2 && [3, 4, 5, 6].includes(id % 12) && price >= 5 && price <= 20);
    assert.equal(total(), wanted.length);
  });

  test("show the changed answer when the parameters of Meilisearch's own change", async () => {
    const { search, doing, total, ids, setMeiliSearchParams } = page({ Hits: {}, SearchBox: {} }, {
      ...finite, meiliSearchParams: { matchingStrategy: "all" },
    });
    await doing(() => search.start());
    await doing(() => search.helper.setQuery("thing 42 nowhere").search());
    assert.equal(total(), 0);
    setMeiliSearchParams({ matchingStrategy: "last" });
    await doing(() => { search.refresh(); });
    assert.equal(ids()[0], 42);
  });
});

test("autocomplete offers what fits, from several indexes", async () => {
  const searchClient = meilisearchAutocompleteClient({ url: host, apiKey: key.value });
  let state;
  const box = autocomplete.createAutocomplete({
    environment: { setTimeout, clearTimeout, addEventListener() {}, removeEventListener() {} },
    onStateChange: (changed) => { state = changed.state; },
    getSources: ({ query }) => [{
      sourceId: "goods",
      getItems: () => getMeilisearchResults({
        searchClient,
        queries: [
          { indexName: "goods", query, params: { hitsPerPage: 3 } },
          { indexName: "goods:price:desc", query: "", params: { hitsPerPage: 1 } },
        ],
      }),
    }],
  });
  box.setQuery("thing 1");
  await box.refresh();
  const items = state.collections[0].items.flat();
  assert.equal(items.length, 4);
  assert.match(items[0].name, /^Thing 1/);
  assert.equal(items[3].id, 59);
  assert.match(items[0]._highlightResult.name.value, /Thing/);
});
