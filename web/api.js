// How does the page ask the server? With the key that the person entered, if one is needed.

const KEY = "hybridsearch-key";
const INSIDE = /^Inside `[^`]*`: /; // where in the request: the page's own affair

/** An answer that is an error: its message, its code, its HTTP status (0: no answer at all). */
export class Failure extends Error {
  constructor(message, code, status, again = 0) {
    super(message);
    this.code = code;
    this.status = status;
    this.again = again;
  }

  /** Whether the same question will be answered before long; after `again` seconds. */
  get passes() {
    return this.status === 503 && this.again > 0;
  }

  /** Whether it is the question that is at fault. */
  get isOurs() {
    return this.status >= 400 && this.status < 500 && !this.wantsKey;
  }

  /** Whether another key would help. */
  get wantsKey() {
    return this.status === 401 || this.status === 403;
  }
}

/** Remembers the key until the tab is closed; an empty one is forgotten. */
export function keep(key) {
  if (key) sessionStorage.setItem(KEY, key);
  else sessionStorage.removeItem(KEY);
}

/** The key that was entered; null when none was. */
export function kept() {
  return sessionStorage.getItem(KEY);
}

/** The JSON that the server answers. Throws Failure, or AbortError once the signal is given. */
export async function ask(method, path, body, signal) {
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (kept()) headers.Authorization = `Bearer ${kept()}`;
  const sent = { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) };
  let response;
  try {
    response = await fetch(new URL(path, document.baseURI), sent);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failure("The server cannot be reached.", "unreachable", 0);
  }
  const answer = await parsed(response);
  if (response.ok) return answer;
  const message = answer.message?.replace(INSIDE, "") ?? `The server answered ${response.status}.`;
  const again = Number(response.headers.get("Retry-After") ?? 0);
  throw new Failure(message, answer.code ?? "unknown", response.status, again);
}

async function parsed(response) {
  const text = await response.text();
  try {
    return JSON.parse(text, exact);
  } catch {
    return {};
  }
}

/** Whole numbers that JavaScript would round stay as they are written, where the browser can. */
function exact(name, value, context) {
  const rounded = Number.isInteger(value) && !Number.isSafeInteger(value);
  return rounded && context?.source && JSON.rawJSON ? JSON.rawJSON(context.source) : value;
}
