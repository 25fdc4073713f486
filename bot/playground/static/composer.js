// The message box: Enter sends, Shift+Enter breaks the line, "/" offers commands.
import { el, post } from "./dom.js";

export function composer(view, id, threadOf) {
  const box = el("textarea", { id, rows: "1", "aria-label": threadOf ? "Reply in thread" : "Message", autocomplete: "off", spellcheck: "true" });
  const offers = el("div", { class: "offers", role: "listbox", "aria-label": "Commands", hidden: true });
  const send = el("button", { class: "send", "aria-label": "Send", type: "button", disabled: true }, "➤");
  let editing = null;
  const past = [];

  const grow = () => { box.style.height = "auto"; box.style.height = Math.min(box.scrollHeight, 180) + "px"; send.disabled = !box.value.trim(); };
  const offer = () => {
    const word = box.value, open = !threadOf && /^\/\w*$/.test(word);
    const fits = Object.entries({ ...view.state?.commands, "/invite": "@mend" }).filter(([name]) => name.startsWith(word));
    offers.replaceChildren(...fits.map(([name, hint]) => el("button", { role: "option", type: "button", on: { click: () => { box.value = name + " "; offers.hidden = true; box.focus(); grow(); } } }, el("b", {}, name), " ", el("span", { class: "quiet" }, hint))));
    offers.hidden = !open || !fits.length;
  };
  const go = async () => {
    const text = box.value;
    if (!text.trim()) return;
    if (!view.state) { setTimeout(go, 100); return; } // typed before the page knows where it is
    const where = { user: view.state.me, channel: view.channel };
    past.push(text);
    box.value = "";
    offers.hidden = true;
    grow();
    const answer = editing ? await post("/local/do/edit", { ...where, ts: editing, text }) : await post("/local/do/type", { ...where, text, thread_ts: threadOf ? threadOf() : null });
    editing = null;
    if (!answer.ok && !box.value) { box.value = text; grow(); }
  };
  box.addEventListener("input", () => { grow(); offer(); });
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); go(); }
    if (event.key === "Tab" && !offers.hidden) { event.preventDefault(); offers.querySelector("button").click(); }
    if (event.key === "ArrowUp" && !box.value && past.length) { event.preventDefault(); box.value = past.at(-1); grow(); }
    if (event.key === "Escape" && (!offers.hidden || editing)) { event.stopPropagation(); offers.hidden = true; if (editing) { editing = null; box.value = ""; grow(); } }
  });
  send.addEventListener("click", go);
  const node = el("form", { class: "composer", on: { submit: (event) => { event.preventDefault(); go(); } } }, offers, box, el("div", { class: "composer-foot" }, el("span", { class: "quiet keys" }, "Enter sends · Shift+Enter for a new line"), send));
  return { node, box, hint: (text) => { box.placeholder = text; }, edit: (ts, text) => { editing = ts; box.value = text; grow(); box.focus(); } };
}
