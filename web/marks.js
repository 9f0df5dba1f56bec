// How do highlights come through without markup? The server is asked to put two characters from
// Unicode's private area around what matched; here they become <mark> nodes, and all else is text.

export const BEFORE = "\uE0F0";
export const AFTER = "\uE0F1";

/** The text as nodes, with what stands between the two characters marked. */
export function marked(text) {
  const nodes = [];
  for (const [place, part] of String(text).split(BEFORE).entries()) {
    const pieces = part.split(AFTER);
    const [inside, ...rest] = place === 0 ? [null, ...pieces] : pieces;
    if (inside) {
      const mark = document.createElement("mark");
      mark.textContent = inside;
      nodes.push(mark);
    }
    const plain = rest.join("");
    if (plain) nodes.push(document.createTextNode(plain));
  }
  return nodes;
}

/** The text without the two characters. */
export function unmarked(text) {
  return String(text).replaceAll(BEFORE, "").replaceAll(AFTER, "");
}

/** Whether something in it is marked. */
export function isMarked(text) {
  return String(text).includes(BEFORE);
}
