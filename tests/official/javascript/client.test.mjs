// What programs do with Meilisearch's JavaScript client works here.

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { Meilisearch, MeilisearchApiError } from "newest";
import { generateTenantToken } from "newest/token";
import { admin as client, films, host, ids, masterKey, settings } from "./films.mjs";

const index = client.index("films");

async function finished(promise) {
  const task = await promise.waitTask();
  assert.equal(task.status, "succeeded", JSON.stringify(task.error));
  return task;
}

const refused = (promise, code, status) =>
  assert.rejects(promise, (error) => {
    assert.ok(error instanceof MeilisearchApiError, String(error));
    assert.equal(error.cause.code, code);
    assert.equal(error.response.status, status);
    return true;
  });

before(async () => {
  await finished(client.createIndex("films", { primaryKey: "id" }));
  await finished(index.updateSettings(settings));
  await finished(index.addDocuments(films));
});

describe("the server", () => {
  test("is well and says who it is", async () => {
    assert.deepEqual(await client.health(), { status: "available" });
    assert.equal(await client.isHealthy(), true);
    assert.match((await client.getVersion()).pkgVersion, /^\d+\./);
  });

  test("counts", async () => {
    const stats = await client.getStats();
    assert.equal(stats.indexes.films.numberOfDocuments, 5);
    const own = await index.getStats();
    assert.equal(own.fieldDistribution.title, 5);
  });

  test("keeps switches", async () => {
    const on = await client.updateExperimentalFeatures({ containsFilter: true });
    assert.equal(on.containsFilter, true);
    assert.equal((await client.getExperimentalFeatures()).containsFilter, true);
  });

  test("tells what is not there, and who may not come in", async () => {
    await refused(client.getIndex("none"), "index_not_found", 404);
    await refused(client.index("none").search("x"), "index_not_found", 404);
    const stranger = new Meilisearch({ host, apiKey: "wrong" });
    await refused(stranger.getIndexes(), "invalid_api_key", 403);
    const nobody = new Meilisearch({ host });
    await refused(nobody.index("films").search(""), "missing_authorization_header", 401);
  });
});

describe("indexes", () => {
  test("are made, listed, changed, swapped and removed", async () => {
    await finished(client.createIndex("one"));
    await finished(client.createIndex("two", { primaryKey: "key" }));
    const listed = await client.getIndexes({ limit: 100 });
    assert.ok(listed.results.some((found) => found.uid === "one"));
    assert.equal((await client.getRawIndex("two")).primaryKey, "key");
    await finished(client.updateIndex("one", { primaryKey: "id" }));
    assert.equal(await client.index("one").fetchPrimaryKey(), "id");
    await finished(client.index("two").addDocuments([{ key: "a", word: "here" }]));
    await finished(client.swapIndexes([{ indexes: ["one", "two"] }]));
    assert.deepEqual((await client.index("one").search("here")).hits, [{ key: "a", word: "here" }]);
    await finished(client.deleteIndex("one"));
    assert.equal(await client.deleteIndexIfExists("two"), true);
    await refused(client.getIndex("one"), "index_not_found", 404);
    const task = await client.createIndex("films").waitTask();
    assert.equal(task.error.code, "index_already_exists");
  });

  test("are compacted", async () => {
    await finished(index.compact());
  });
});

describe("documents", () => {
  const scratch = client.index("scratch");

  test("are added, merged, read and deleted", async () => {
    const task = await finished(scratch.addDocuments([{ id: 1, a: "x" }, { id: 2, a: "y" }]));
    assert.deepEqual(task.details, { receivedDocuments: 2, indexedDocuments: 2 });
    await finished(scratch.updateDocuments([{ id: 1, b: "z" }]));
    assert.deepEqual(await scratch.getDocument(1), { id: 1, a: "x", b: "z" });
    assert.deepEqual(await scratch.getDocument(1, { fields: ["b"] }), { b: "z" });
    await finished(scratch.deleteDocument(2));
    await refused(scratch.getDocument(2), "document_not_found", 404);
    await Promise.all(
      scratch.addDocumentsInBatches([{ id: 3 }, { id: 4 }, { id: 5 }], 2).map(finished),
    );
    await finished(scratch.deleteDocuments([3, 4]));
    assert.equal((await scratch.getDocuments()).total, 2);
    await finished(scratch.deleteAllDocuments());
    assert.equal((await scratch.getDocuments()).total, 0);
  });

  test("come as lines and as a table", async () => {
    await finished(scratch.addDocumentsFromString('{"id": 7}\n{"id": 8}\n', "application/x-ndjson"));
    const table = "id;size:number\n9;1.5\n";
    const options = { csvDelimiter: ";" };
    await finished(scratch.addDocumentsFromString(table, "text/csv", options));
    assert.equal((await scratch.getDocument(9)).size, 1.5);
    assert.equal((await scratch.getDocuments({ limit: 1, offset: 2 })).results.length, 1);
  });

  test("are found by filter, in an order, with their vectors", async () => {
    const found = await index.getDocuments({
      filter: "genres = space", sort: ["year:desc"], fields: ["id"], retrieveVectors: true, limit: 2,
    });
    assert.deepEqual(found.results.map((one) => one.id), [4, 1]);
    assert.equal(found.total, 3);
    const near = found.results[0]._vectors.own.embeddings[0];
    assert.ok(Math.abs(near[0] - 0.8) < 1e-3);
  });

  test("that are unfit fail their task, which says which", async () => {
    const task = await scratch.addDocuments([{ id: 1 }, { id: {} }]).waitTask();
    assert.equal(task.status, "failed");
    assert.equal(task.error.code, "invalid_document_id");
  });

  test("are deleted by filter", async () => {
    const away = client.index("away");
    await finished(away.updateFilterableAttributes(["kind"]));
    await finished(away.addDocuments([{ id: 1, kind: "a" }, { id: 2, kind: "b" }]));
    const task = await finished(away.deleteDocuments({ filter: "kind = a" }));
    assert.equal(task.details.deletedDocuments, 1);
    assert.deepEqual((await away.getDocuments()).results, [{ id: 2, kind: "b" }]);
  });
});

describe("settings", () => {
  const kept = client.index("kept");

  test("are read, changed and reset, one and all", async () => {
    await finished(kept.updateSettings({ stopWords: ["the"], synonyms: { film: ["movie"] } }));
    assert.deepEqual((await kept.getSettings()).stopWords, ["the"]);
    await finished(kept.updateTypoTolerance({ minWordSizeForTypos: { oneTypo: 4 } }));
    assert.equal((await kept.getTypoTolerance()).minWordSizeForTypos.oneTypo, 4);
    await finished(kept.updateRankingRules(["words", "year:desc"]));
    assert.deepEqual(await kept.getRankingRules(), ["words", "year:desc"]);
    await finished(kept.updateFaceting({ maxValuesPerFacet: 7, sortFacetValuesBy: { "*": "count" } }));
    assert.deepEqual(await kept.getFaceting(), {
      maxValuesPerFacet: 7, sortFacetValuesBy: { "*": "count" },
    });
    await finished(kept.updatePagination({ maxTotalHits: 3 }));
    assert.deepEqual(await kept.getPagination(), { maxTotalHits: 3 });
    await finished(kept.updateDistinctAttribute("kind"));
    assert.equal(await kept.getDistinctAttribute(), "kind");
    await finished(kept.updateSearchCutoffMs(500));
    assert.equal(await kept.getSearchCutoffMs(), 500);
    await finished(kept.updateDictionary(["J. R. R."]));
    await finished(kept.updateSeparatorTokens(["|"]));
    assert.deepEqual(await kept.getSeparatorTokens(), ["|"]);
    await finished(kept.updateProximityPrecision("byAttribute"));
    await finished(kept.updatePrefixSearch("disabled"));
    await finished(kept.updateFacetSearch(false));
    assert.equal(await kept.getFacetSearch(), false);
    await finished(kept.resetStopWords());
    assert.deepEqual(await kept.getStopWords(), []);
    await finished(kept.resetSettings());
    assert.deepEqual((await kept.getSettings()).synonyms, {});
    assert.equal(await kept.getDistinctAttribute(), null);
  });

  test("that are unfit are refused at once", async () => {
    await refused(kept.updateStopWords(7), "invalid_settings_stop_words", 400);
  });
});

describe("search", () => {
  test("finds by words, prefixes, phrases and typos", async () => {
    assert.deepEqual(ids(await index.search("alien")).slice(0, 2), [1, 4]);
    assert.deepEqual(ids(await index.search("sola")), [3]);
    assert.deepEqual(ids(await index.search('"deep space"')), [1]);
    assert.deepEqual(ids(await index.search("soalris")), [3]);
    assert.deepEqual(ids(await index.search("space -station")), [1]);
    assert.equal((await index.search()).estimatedTotalHits, 5);
  });

  test("filters, sorts, counts and pages", async () => {
    const found = await index.search("", {
      filter: ["year < 2000", ["genres = Space", "genres = Action"]],
      sort: ["year:asc"], facets: ["genres", "year"], limit: 2, offset: 1,
    });
    assert.deepEqual(ids(found), [1, 4]);
    assert.equal(found.estimatedTotalHits, 3);
    assert.deepEqual(found.facetDistribution.genres, { Action: 1, Drama: 1, Horror: 1, Space: 3 });
    assert.deepEqual(found.facetStats.year, { min: 1972, max: 1986 });
    const pages = await index.search("", { hitsPerPage: 2, page: 3, sort: ["year:asc"] });
    assert.deepEqual([pages.totalHits, pages.totalPages, pages.hits.length], [5, 3, 1]);
    assert.deepEqual(ids(await index.search("", { distinct: "maker", limit: 1 })).length, 1);
  });

  test("marks, crops, and tells scores", async () => {
    const { hits: [hit] } = await index.search("deadly", {
      attributesToRetrieve: ["id"], attributesToHighlight: ["plot"], attributesToCrop: ["plot"],
      cropLength: 3, highlightPreTag: "[", highlightPostTag: "]", showMatchesPosition: true,
      showRankingScore: true, showRankingScoreDetails: true,
    });
    assert.deepEqual(Object.keys(hit).filter((name) => name[0] !== "_"), ["id"]);
    assert.equal(hit._formatted.plot, "…a [deadly] stranger…");
    assert.deepEqual(hit._matchesPosition.plot, [{ start: 48, length: 6 }]);
    assert.ok(hit._rankingScore > 0 && hit._rankingScore <= 1);
    assert.equal(hit._rankingScoreDetails.words.matchingWords, 1);
    assert.equal(hit._rankingScoreDetails.bm25.score, hit._rankingScore);
  });

  test("goes by the strategy and the threshold", async () => {
    const one = { matchingStrategy: "all" };
    assert.deepEqual(ids(await index.search("wife boy", one)), [5]);
    assert.equal((await index.search("alien", { rankingScoreThreshold: 1 })).hits.length, 0);
    assert.deepEqual(ids(await index.search("wim", { attributesToSearchOn: ["title"] })), []);
  });

  test("finds by place", async () => {
    const found = await index.search("", { sort: ["_geoPoint(51.5, -0.1):asc"], limit: 1 });
    assert.equal(found.hits[0]._geoDistance, 0);
    assert.deepEqual(ids(await index.search("", { filter: "_geoRadius(37.8, -122.3, 1000)" })), [2]);
  });

  test("finds by meaning, with vectors and without", async () => {
    const near = await index.search("", {
      vector: [1, 0], hybrid: { embedder: "own", semanticRatio: 1 }, limit: 3, retrieveVectors: true,
    });
    assert.deepEqual(ids(near), [1, 3, 4]);
    assert.equal(near.semanticHitCount, 3);
    assert.deepEqual(near.hits[0]._vectors.own.embeddings, [[1, 0]]);
    const mixed = await index.search("balloons", { vector: [1, 0], hybrid: { embedder: "own" } });
    assert.equal(mixed.estimatedTotalHits, 5);
    const like = await index.searchSimilarDocuments({ id: 1, embedder: "own", limit: 2 });
    assert.deepEqual(ids(like), [3, 4]);
  });

  test("answers a GET alike", async () => {
    const options = { filter: "year > 1980", sort: ["year:desc"], facets: ["maker"], limit: 2 };
    const one = await index.searchGet("", options);
    const two = await index.search("", options);
    assert.deepEqual(one.hits, two.hits);
    assert.deepEqual(one.facetDistribution, two.facetDistribution);
  });

  test("searches facets", async () => {
    const found = await index.searchForFacetValues({ facetName: "genres", facetQuery: "spa" });
    assert.deepEqual(found.facetHits, [{ value: "Space", count: 3 }]);
    await refused(
      index.searchForFacetValues({ facetName: "title" }), "invalid_facet_search_facet_name", 400,
    );
  });

  test("answers several searches, and several as one", async () => {
    const queries = [
      { indexUid: "films", q: "balloons", attributesToRetrieve: ["id"] },
      { indexUid: "films", q: "solaris", attributesToRetrieve: ["id"] },
    ];
    const { results } = await client.multiSearch({ queries });
    assert.deepEqual(results.map(ids), [[2], [3]]);
    const whole = await client.multiSearch({
      federation: { limit: 5, facetsByIndex: { films: ["genres"] } },
      queries: [queries[0], { ...queries[1], federationOptions: { weight: 0.1 } }],
    });
    assert.deepEqual(ids(whole), [2, 3]);
    assert.equal(whole.hits[0]._federation.indexUid, "films");
    assert.equal(whole.facetsByIndex.films.distribution.genres.Drama, 2);
  });

  test("says what is wrong with a search", async () => {
    await refused(index.search("", { filter: "title = x" }), "invalid_search_filter", 400);
    await refused(index.search("", { sort: ["title:asc"] }), "invalid_search_sort", 400);
    await refused(index.search("", { limit: -1 }), "invalid_search_limit", 400);
  });
});

describe("keys", () => {
  test("are made, read, changed and removed", async () => {
    const key = await client.createKey({
      name: "reader", actions: ["search"], indexes: ["films"], expiresAt: null,
    });
    assert.equal((await client.getKey(key.key)).uid, key.uid);
    assert.equal((await client.updateKey(key.uid, { description: "x" })).description, "x");
    assert.ok((await client.getKeys({ limit: 50 })).results.some((one) => one.uid === key.uid));
    const reader = new Meilisearch({ host, apiKey: key.key });
    assert.equal((await reader.index("films").search("up")).hits[0].id, 2);
    await refused(reader.getStats(), "invalid_api_key", 403);
    await client.deleteKey(key.uid);
    await refused(reader.index("films").search("up"), "invalid_api_key", 403);
  });

  test("sign tokens for tenants, who see only their own", async () => {
    const { results } = await client.getKeys();
    const { key, uid } = results.find((one) => one.name === "Default Search API Key");
    const given = { apiKey: key, apiKeyUid: uid };
    const searchRules = { films: { filter: "genres = Space" } };
    const token = await generateTenantToken({ ...given, searchRules });
    const tenant = new Meilisearch({ host, apiKey: token });
    assert.deepEqual(ids(await tenant.index("films").search("")).sort(), [1, 3, 4]);
    const several = await tenant.multiSearch({ queries: [{ indexUid: "films", q: "up" }] });
    assert.ok(!ids(several.results[0]).includes(2));
    const facets = await tenant.index("films").searchForFacetValues({ facetName: "maker" });
    assert.deepEqual(facets.facetHits.map((one) => one.value), ["Andrei", "James", "Ridley"]);
    await refused(tenant.index("kept").search(""), "invalid_api_key", 403);
    const past = await generateTenantToken({ ...given, expiresAt: new Date(2001, 1, 1), searchRules });
    const late = new Meilisearch({ host, apiKey: past });
    await refused(late.index("films").search(""), "invalid_api_key", 403);
  });
});

describe("tasks", () => {
  test("are listed, waited for, canceled and deleted", async () => {
    const task = await finished(client.index("tasks").addDocuments([{ id: 1 }]));
    assert.equal((await client.tasks.getTask(task.uid)).type, "documentAdditionOrUpdate");
    const listed = await client.tasks.getTasks({ indexUids: ["tasks"], statuses: ["succeeded"] });
    assert.equal(listed.total, 1);
    const [again] = await client.tasks.waitForTasks([task.uid]);
    assert.equal(again.status, "succeeded");
    const batches = await client.batches.getBatches({ limit: 1 });
    assert.equal((await client.batches.getBatch(batches.results[0].uid)).progress, null);
    const canceled = await finished(client.tasks.cancelTasks({ statuses: ["enqueued"] }));
    assert.equal(canceled.type, "taskCancelation");
    const removed = await finished(client.tasks.deleteTasks({ uids: [task.uid] }));
    assert.equal(removed.details.deletedTasks, 1);
    await refused(client.tasks.getTask(task.uid), "task_not_found", 404);
  });

  test("write dumps and snapshots", async () => {
    assert.match((await finished(client.createDump())).details.dumpUid, /^\d{8}-\d+$/);
    await finished(client.createSnapshot());
  });
});

test("webhooks are kept, with their secrets masked", async () => {
  const hook = await client.createWebhook({
    url: "http://127.0.0.1:9/hook", headers: { authorization: "a long secret" },
  });
  assert.notEqual((await client.getWebhook(hook.uuid)).headers.authorization, "a long secret");
  assert.equal((await client.getWebhooks()).results.length, 1);
  const changed = await client.updateWebhook(hook.uuid, { url: "http://127.0.0.1:9/other" });
  assert.equal(changed.url, "http://127.0.0.1:9/other");
  await client.deleteWebhook(hook.uuid);
  assert.equal((await client.getWebhooks()).results.length, 0);
});

test("a search can be given up", async () => {
  const giving = new AbortController();
  giving.abort();
  await assert.rejects(index.search("x", {}, { signal: giving.signal }));
  assert.deepEqual(ids(await index.search("solaris")), [3]);
});
