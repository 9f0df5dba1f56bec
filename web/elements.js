// How is a piece of the page made? By nodes alone: no text of anybody's is ever read as markup.
//
//     make("button", { type: "button", onclick: press }, "Press ", make("kbd", {}, "Enter"))

/** An element. Properties that begin with "on" are listeners; `class`, `data-…`, `aria-…` and the
 *  like are attributes; false, null and undefined leave one out. Children are nodes or texts; absent ones are left out. */
export function make(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...present(children));
  return node;
}

/** Puts the children in the place of what the node holds. */
export function fill(node, ...children) {
  node.replaceChildren(...present(children));
}

/** Puts the nodes in the place of what the place holds; those that are there are left as they are. */
export function settle(place, nodes) {
  for (const old of [...place.children]) if (!nodes.includes(old)) old.remove();
  nodes.forEach((node, n) => {
    if (place.children[n] !== node) place.insertBefore(node, place.children[n] ?? null);
  });
}

/** The child of that key, else a new one. */
export function keyed(place, key, build) {
  const found = [...place.children].find((node) => node.dataset.key === key) ?? build();
  found.dataset.key = key;
  return found;
}

function present(children) {
  return children.flat().filter((child) => child !== null && child !== undefined && child !== false);
}

/** The element of that id, which the page has. */
export function find(id) {
  return document.getElementById(id);
}

const WHOLE = new Intl.NumberFormat();

/** A whole number as people write it here. */
export function counted(number) {
  return WHOLE.format(number);
}
