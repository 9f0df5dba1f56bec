// The films that the scripts search, and how they are reached.

import { Meilisearch } from "newest";

export const host = process.env.HYBRIDSEARCH_URL;
export const masterKey = process.env.HYBRIDSEARCH_KEY;
export const admin = new Meilisearch({
  host, apiKey: masterKey, defaultWaitOptions: { timeout: 60_000, interval: 20 },
});

/** The key of those who may only search. */
export async function searchKey() {
  const { results } = await admin.getKeys();
  return results.find((one) => one.name === "Default Search API Key").key;
}

export const films = [
  {
    id: 1, title: "Alien", year: 1979, genres: ["Horror", "Space"], price: 4.5, maker: "Ridley",
    plot: "A crew in deep space answers a call and takes a deadly stranger on board",
    _geo: { lat: 51.5, lng: -0.1 }, _vectors: { own: [1, 0] },
  },
  {
    id: 2, title: "Up", year: 2009, genres: ["Animation", "Drama"], price: 9, maker: "Pete",
    plot: "An old man ties balloons to his house and flies away with a boy",
    _geo: { lat: 37.8, lng: -122.3 }, _vectors: { own: [0, 1] },
  },
  {
    id: 3, title: "Solaris", year: 1972, genres: ["Drama", "Space"], price: 3, maker: "Andrei",
    plot: "A psychologist meets his dead wife on a station in space above an ocean that thinks",
    _geo: { lat: 55.8, lng: 37.6 }, _vectors: { own: [0.9, 0.1] },
  },
  {
    id: 4, title: "Aliens", year: 1986, genres: ["Action", "Space"], price: 5, maker: "James",
    plot: "She goes back with soldiers, and the strangers are many",
    _vectors: { own: [0.8, 0.3] },
  },
  {
    id: 5, title: "Paris, Texas", year: 1984, genres: ["Drama"], price: 7, maker: "Wim",
    plot: "A man walks out of the desert and looks for his wife and his boy",
    _geo: { lat: 32.8, lng: -96.8 }, _vectors: { own: [-1, 0.2] },
  },
];

export const settings = {
  searchableAttributes: ["title", "plot", "maker"],
  filterableAttributes: ["genres", "year", "price", "maker", "_geo"],
  sortableAttributes: ["year", "price", "_geo"],
  embedders: { own: { source: "userProvided", dimensions: 2 } },
};

export const ids = (answer) => answer.hits.map((hit) => hit.id);
