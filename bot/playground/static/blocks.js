// Block Kit as DOM. `act(action_id, block_id, value)` is called when a person presses or picks something.
import { el, link, safeUrl } from "./dom.js";
import { emoji, markdown, mrkdwn, richText, textObject } from "./text.js";

const STATUS = { pending: ["○", "Not done"], in_progress: ["", "Running"], complete: ["✓", "Done"], error: ["✕", "Failed"] };

function ask(confirm) {
  if (!confirm) return Promise.resolve(true);
  return new Promise((done) => {
    const end = (yes) => { box.close(); box.remove(); done(yes); };
    const box = el("dialog", { class: "modal small", "aria-label": confirm.title.text, on: { cancel: () => end(false) } },
      el("div", { class: "modal-head" }, el("h2", {}, emoji(confirm.title.text))), el("div", { class: "modal-body" }, textObject(confirm.text)),
      el("div", { class: "modal-foot" }, el("button", { class: "button", on: { click: () => end(false) } }, confirm.deny.text),
        el("button", { class: "button " + (confirm.style === "danger" ? "danger" : "primary"), on: { click: () => end(true) } }, confirm.confirm.text)));
    document.body.append(box);
    box.showModal();
  });
}

function button(item, block, act, me) {
  if (item.visible_to_user_ids && !item.visible_to_user_ids.includes(me)) return null;
  const press = async () => { if (await ask(item.confirm)) act(item.action_id, block.block_id, item.value ?? null); };
  const props = { class: "button " + (item.style ?? ""), "aria-label": item.accessibility_label, data: { action: item.action_id } };
  if (safeUrl(item.url) && item.url) return el("a", { ...props, href: item.url, target: "_blank", rel: "noopener noreferrer", on: { click: press } }, emoji(item.text.text));
  return el("button", { ...props, type: "button", on: { click: press } }, emoji(item.text.text));
}

function optionNode(option, initial) {
  return el("option", { value: option.value, selected: initial.includes(option.value) }, emoji(option.text.text));
}

function staticSelect(item, block, act) {
  const many = item.type.startsWith("multi_");
  const initial = [item.initial_option, ...(item.initial_options ?? [])].filter(Boolean).map((o) => o.value);
  const groups = item.option_groups?.map((g) => el("optgroup", { label: g.label.text }, g.options.map((o) => optionNode(o, initial))));
  const hint = item.placeholder?.text ?? "Select an option";
  const box = el("select", { class: "select", "aria-label": hint, multiple: many, data: { block: block.block_id, field: item.action_id } },
    many ? null : el("option", { value: "" }, emoji(hint)), groups ?? item.options?.map((o) => optionNode(o, initial)) ?? []);
  box.addEventListener("change", () => box.value && act?.(item.action_id, block.block_id, many ? [...box.selectedOptions].map((o) => o.value) : box.value));
  return box;
}

function choices(item, block, act) {
  const kind = item.type === "checkboxes" ? "checkbox" : "radio", name = block.block_id + item.action_id;
  const initial = [item.initial_option, ...(item.initial_options ?? [])].filter(Boolean).map((o) => o.value);
  const box = el("div", { class: "choices", role: kind === "radio" ? "radiogroup" : "group", data: { block: block.block_id, field: item.action_id, kind } });
  for (const o of item.options) {
    box.append(el("label", {}, el("input", { type: kind, name, value: o.value, checked: initial.includes(o.value) }), el("span", {}, textObject(o.text), o.description ? el("small", {}, textObject(o.description)) : null)));
  }
  box.addEventListener("change", () => {
    const on = [...box.querySelectorAll("input:checked")].map((i) => i.value);
    act?.(item.action_id, block.block_id, kind === "radio" ? on[0] : on);
  });
  return box;
}

function overflow(item, block, act) {
  const menu = el("div", { class: "menu", hidden: true, role: "menu" }, item.options.map((o) =>
    el("button", { role: "menuitem", on: { click: () => { menu.hidden = true; act(item.action_id, block.block_id, o.value); } } }, emoji(o.text.text))));
  return el("span", { class: "menu-holder" }, el("button", { class: "button", "aria-label": "More", on: { click: () => { menu.hidden = !menu.hidden; } } }, "⋯"), menu);
}

function typed(item, block) {
  const kind = { number_input: "number", email_text_input: "email", url_text_input: "url", datepicker: "date", timepicker: "time" }[item.type] ?? "text";
  const props = { class: "field", placeholder: item.placeholder?.text, data: { block: block.block_id, field: item.action_id }, autofocus: item.focus_on_load };
  const box = item.multiline ? el("textarea", { ...props, rows: "4" }) : el("input", { ...props, type: kind });
  box.value = item.initial_value ?? item.initial_date ?? item.initial_time ?? "";
  return box;
}

function people(item, block, act, users) {
  const options = Object.values(users ?? {}).map((u) => ({ value: u.id, text: { text: u.real_name } }));
  return staticSelect({ ...item, type: "static_select", options, initial_option: item.initial_user ? { value: item.initial_user } : null }, block, act);
}

function feedback(item, block, act) {
  const half = (part, sign) => el("button", { class: "button quiet-button", "aria-label": part.accessibility_label, on: { click: () => act(item.action_id, block.block_id, part.value) } }, `${sign} ${emoji(part.text.text)}`);
  return el("span", { class: "feedback" }, half(item.positive_button, "👍"), half(item.negative_button, "👎"));
}

function element(item, block, act, ctx) {
  if (item.type === "button" || item.type === "workflow_button") return button(item, block, act, ctx.me);
  if (item.type.endsWith("static_select")) return staticSelect(item, block, act);
  if (item.type === "users_select") return people(item, block, act, ctx.users);
  if (item.type === "overflow") return overflow(item, block, act);
  if (item.type === "checkboxes" || item.type === "radio_buttons") return choices(item, block, act);
  if (item.type === "feedback_buttons") return feedback(item, block, act);
  if (item.type === "icon_button") return el("button", { class: "button quiet-button", "aria-label": item.accessibility_label ?? item.text.text, on: { click: () => act(item.action_id, block.block_id, item.value ?? null) } }, "🗑");
  if (item.type === "image") return image(item);
  return typed(item, block);
}

function image(item) {
  const url = safeUrl(item.image_url ?? "");
  return url && !item.image_url.startsWith("mailto") ? el("img", { src: url, alt: item.alt_text, class: "picture" }) : el("span", {}, item.alt_text);
}

function task(item) {
  const [sign, word] = STATUS[item.status] ?? STATUS.pending;
  return el("li", { class: "task " + (item.status ?? "pending") }, el("span", { class: "task-sign", "aria-hidden": "true" }, sign),
    el("div", { class: "task-body" }, el("div", { class: "task-title" }, el("span", { class: "hidden" }, `${word}: `), emoji(item.title)),
      item.details ? el("div", { class: "task-more" }, richText(item.details)) : null,
      item.output ? el("div", { class: "task-more output" }, richText(item.output)) : null,
      item.sources?.length ? el("div", { class: "task-more" }, item.sources.map((s) => el("span", { class: "source" }, link(s.url, s.text)))) : null));
}

function plan(block) {
  return el("details", { class: "plan", open: true }, el("summary", {}, emoji(block.title)), el("ul", {}, (block.tasks ?? []).map(task)));
}

function table(block) {
  const cell = (c, tag, i) => el(tag, { class: "align-" + (block.column_settings?.[i]?.align ?? "left") }, c.type === "rich_text" ? richText(c) : String(c.text ?? c.value ?? ""));
  const [head, ...rows] = block.rows;
  return el("div", { class: "table", tabindex: "0" }, el("table", {}, el("thead", {}, el("tr", {}, head.map((c, i) => cell(c, "th", i)))), el("tbody", {}, rows.map((r) => el("tr", {}, r.map((c, i) => cell(c, "td", i)))))));
}

function inputBlock(block, act, ctx) {
  const error = ctx.errors?.[block.block_id];
  const field = element(block.element, block, block.dispatch_action ? act : null, ctx);
  return el("div", { class: "input" + (error ? " wrong" : "") }, el("label", {}, el("span", { class: "label" }, emoji(block.label.text), block.optional ? el("i", {}, " (optional)") : null), field),
    error ? el("p", { class: "wrong-text", role: "alert" }, "⚠ " + error) : null, block.hint ? el("p", { class: "hint" }, emoji(block.hint.text)) : null);
}

const MAKE = {
  header: (b) => el("h3", { class: "b-header", dir: "auto" }, emoji(b.text.text)),
  section: (b, act, ctx) => el("div", { class: "b-section" }, el("div", { class: "b-main" }, b.text ? textObject(b.text) : null,
    b.fields ? el("div", { class: "fields" }, b.fields.map((f) => el("div", {}, textObject(f)))) : null), b.accessory ? el("div", { class: "accessory" }, element(b.accessory, b, act, ctx)) : null),
  actions: (b, act, ctx) => el("div", { class: "b-actions" }, b.elements.map((e) => element(e, b, act, ctx))),
  context_actions: (b, act, ctx) => el("div", { class: "b-actions" }, b.elements.map((e) => element(e, b, act, ctx))),
  context: (b) => el("div", { class: "b-context" }, b.elements.map((e) => (e.type === "image" ? image(e) : el("span", {}, textObject(e))))),
  divider: () => el("hr"), plan, table, task_card: (b) => el("ul", { class: "plan" }, task(b)), markdown: (b) => markdown(b.text), rich_text: richText,
  image: (b) => el("figure", {}, b.title ? el("figcaption", {}, emoji(b.title.text)) : null, image(b)), input: inputBlock,
  alert: (b) => el("div", { class: "alert " + (b.level ?? "") }, textObject(b.text)),
  container: (b, act, ctx) => el("div", {}, b.title ? el("strong", {}, textObject(b.title)) : null, blocks(b.child_blocks, act, ctx)),
};

export function blocks(list, act, ctx = {}) {
  return el("div", { class: "blocks" }, (list ?? []).map((b) => (MAKE[b.type] ? MAKE[b.type](b, act, ctx) : el("p", { class: "quiet" }, `[${b.type}]`))));
}

// What stands in the inputs of a message or modal now: {block_id: {action_id: value}}.
export function values(root) {
  const found = {};
  for (const node of root.querySelectorAll("[data-field]")) {
    const on = [...node.querySelectorAll("input:checked")].map((i) => i.value);
    let value = node.value ?? null;
    if (node.multiple) value = [...node.selectedOptions].map((o) => o.value);
    if (node.dataset.kind) value = node.dataset.kind === "radio" ? (on[0] ?? null) : on;
    (found[node.dataset.block] ??= {})[node.dataset.field] = value;
  }
  return found;
}
export { mrkdwn };
