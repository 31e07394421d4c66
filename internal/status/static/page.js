// The page is whole without this: here it is kept up to date.
"use strict";
const main = document.getElementById("main");
const live = document.getElementById("live");
const events = new EventSource("events");

// Text that somebody is marking, to copy it, stays until they are done.
function marked(part) {
  const selection = getSelection();
  return !selection.isCollapsed && selection.containsNode(part, true);
}

// tell says how the page stands to the gate; old is what may not be true any more.
function tell(text, old) {
  live.textContent = text;
  main.classList.toggle("old", old);
}

events.onopen = () => tell("Live.", false);
events.onerror = () => tell(events.readyState === EventSource.CLOSED
  ? "Not live, for too many pages are open: close one, and load this one again."
  : "The gate does not answer: this is how it was.", true);
events.onmessage = (event) => {
  const parts = [...new DOMParser().parseFromString(event.data, "text/html").body.children];
  if (parts.length !== main.children.length) {
    location.reload(); // another version answers
    return;
  }
  parts.forEach((part, i) => {
    const shown = main.children[i];
    if (!shown.isEqualNode(part) && !marked(shown)) shown.replaceWith(part);
  });
  document.title = document.getElementById("state").textContent + " - Sallyport";
};
