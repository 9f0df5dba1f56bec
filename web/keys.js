// Which keys does the page know? "/" to the search field, the arrows through the hits, Escape back.
// Enter opens a hit, as it presses any button.

import { find } from "./elements.js";

/** Listens for them. */
export function followKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.isComposing) return; // the keys are those of an input method
    if (document.querySelector("dialog[open]")) return;
    const act = { "/": toField, ArrowDown: () => walk(1), ArrowUp: () => walk(-1), Escape: back }[event.key];
    if (act && act(event)) event.preventDefault();
  });
}

function toField(event) {
  if (isField(event.target)) return false;
  find("query").focus();
  find("query").select();
  return true;
}

/** To the next or the previous hit; from the first one back to the search field. */
function walk(step) {
  const field = find("query");
  const at = document.activeElement;
  const titles = [...document.querySelectorAll("#hits .open")];
  const place = titles.indexOf(at.closest?.(".hit")?.querySelector(".open"));
  if (place < 0 && ![field, document.body, find("hits")].includes(at)) return false;
  if (place < 0 && step < 0) return false;
  const next = titles[place + step];
  if (next) next.focus();
  else if (step < 0) field.focus();
  return true;
}

function back() {
  const field = find("query");
  const hit = document.activeElement.closest?.(".hit");
  const open = hit?.querySelector('.open[aria-expanded="true"]');
  if (open) {
    open.click();
    open.focus();
  } else if (document.activeElement !== field) {
    field.focus();
  } else if (field.value) {
    field.value = "";
    field.dispatchEvent(new Event("input"));
  }
  return true;
}

function isField(node) {
  return node.matches?.("input:not([type=checkbox]):not([type=range]), select, textarea") ?? false;
}
