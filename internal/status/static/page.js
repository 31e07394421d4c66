// The page is whole without this: here it is kept up to date.
"use strict";
const main = document.getElementById("main");
const live = document.getElementById("live");
const events = new EventSource("events");
events.onopen = () => { live.textContent = "Live."; };
events.onmessage = (event) => { main.innerHTML = event.data; };
events.onerror = () => { live.textContent = "The gate does not answer: this is how it was."; };
