// "What the admin would do now": really mends or breaks the demo sources.
import { el, post, read, toast } from "./dom.js";

const box = el("section", { class: "panel", "aria-label": "What the admin would do now" });
let busy = false;

function card(action) {
  const word = action.broken === null ? "Cannot tell" : action.broken ? "Broken" : "Working";
  const kind = action.broken === null ? "unknown" : action.broken ? "bad" : "good";
  const what = action.broken === false ? "break" : "mend";
  const run = async (event) => {
    event.currentTarget.disabled = true;
    event.currentTarget.textContent = "Working on it…";
    const answer = await post(`/local/actions/${encodeURIComponent(action.id)}/${what}`);
    if (answer.ok) toast(what === "mend" ? `Done: ${action.title}. Now say “done” in the thread; a parked case goes on by itself.` : `${action.connection} is broken again.`);
    await refresh();
  };
  return el("details", { class: "deed" }, el("summary", {}, el("span", { class: "dot " + kind, "aria-hidden": "true" }), el("span", { class: "deed-name" }, action.connection), el("span", { class: "deed-word" }, word)),
    ...(what === "mend" ? [el("p", {}, action.title), el("pre", { tabindex: "0" }, action.detail)] : [el("p", {}, "Nothing is to be done here.")]), el("button", { class: "button " + (what === "mend" ? "primary" : ""), on: { click: run } }, what === "mend" ? "Do it" : "Break it again"));
}

export async function refresh() {
  if (busy) return;
  busy = true;
  const answer = await read("/local/actions").catch(() => ({ actions: [] }));
  busy = false;
  const open = new Set([...box.querySelectorAll("details[open] .deed-name")].map((n) => n.textContent));
  const cards = (answer.actions ?? []).map(card);
  cards.forEach((c) => { c.open = open.has(c.querySelector(".deed-name").textContent); });
  box.replaceChildren(...(cards.length ? [el("h2", {}, "What the admin would do now"), ...cards] : []));
}

export function panel() {
  refresh();
  setInterval(() => document.hidden || box.contains(document.activeElement) || refresh(), 15000);
  return box;
}
