// The modal on top of the stack, as a native dialog: focus stays inside, Escape closes.
import { el, post } from "./dom.js";
import { blocks, values } from "./blocks.js";

const dialog = document.getElementById("modal");
let shown = "";

function remember(body) {
  return [...body.querySelectorAll("input, textarea, select")].map((node) => [node.value, node.checked]);
}

function restore(body, kept) {
  body.querySelectorAll("input, textarea, select").forEach((node, i) => {
    if (!kept[i]) return;
    if (node.type === "checkbox" || node.type === "radio") node.checked = kept[i][1];
    else node.value = kept[i][0];
  });
}

export function showModal(state) {
  const view = state.modal, key = view ? view.id + view.hash + JSON.stringify(state.modal_errors) : "";
  if (key === shown) return;
  const same = view && shown.startsWith(view.id + view.hash);
  const kept = same ? remember(dialog) : [];
  shown = key;
  if (!view) { dialog.close(); dialog.replaceChildren(); return; }
  const body = el("div", { class: "modal-body" });
  const act = (action_id, block_id, value) => post("/local/do/press_in_view", { action_id, block_id, value, user: state.me, state: values(body) });
  const general = state.modal_errors[""];
  body.append(...(general ? [el("p", { class: "wrong-text", role: "alert" }, "⚠ " + general)] : []), blocks(view.blocks, act, { me: state.me, users: state.users, errors: state.modal_errors }));
  const close = () => post("/local/do/close_modal", { user: state.me });
  const submit = (event) => { event.preventDefault(); post("/local/do/submit", { user: state.me, values: values(body) }); };
  const form = el("form", { novalidate: true, on: { submit } },
    el("div", { class: "modal-head" }, avatarOfApp(), el("h2", {}, view.title.text), el("button", { class: "icon", type: "button", "aria-label": "Close", on: { click: close } }, "✕")), body,
    el("div", { class: "modal-foot" }, el("button", { class: "button", type: "button", on: { click: close } }, view.close?.text ?? (view.submit ? "Cancel" : "Close")), view.submit ? el("button", { class: "button primary", type: "submit" }, view.submit.text) : null));
  dialog.replaceChildren(form);
  dialog.setAttribute("aria-label", view.title.text);
  dialog.oncancel = (event) => { event.preventDefault(); close(); };
  if (same) restore(dialog, kept);
  if (!dialog.open) dialog.showModal();
}

function avatarOfApp() {
  return el("span", { class: "avatar bot small", "aria-hidden": "true", color: "#4a154b" }, "⚡");
}
