// One message: avatar, name, blocks or text, reactions, thread link, menu.
import { clock, el, post } from "./dom.js";
import { blocks, values } from "./blocks.js";
import { icon } from "./icons.js";
import { emoji, emojiNamed, markdown, mrkdwn, plain } from "./text.js";

export function avatar(user) {
  const letters = (user?.real_name ?? "?").split(" ").map((w) => w[0]).slice(0, 2).join("");
  return el("span", { class: "avatar" + (user?.is_bot ? " bot" : ""), color: "#" + (user?.color ?? "777"), "aria-hidden": "true" }, user?.id === "U0MEND" ? "⚡" : letters);
}

function badge(user) {
  const word = user?.is_bot ? "APP" : user?.external ? "EXTERNAL" : user?.guest ? "GUEST" : "";
  return word ? el("span", { class: "badge" }, word) : null;
}

function menu(view, message, me, channel) {
  const items = Object.entries(view.state.shortcuts).map(([id, name]) => [name, () => post("/local/do/shortcut", { ts: message.ts, user: me, channel, callback_id: id })]);
  if (message.user === me) {
    items.push(["Edit message", () => view.startEdit(message)]);
    items.push(["Delete message", () => post("/local/do/delete", { ts: message.ts, user: me, channel })]);
  }
  items.push(["Copy text", () => navigator.clipboard?.writeText(plain(message.text ?? ""))]);
  const list = el("div", { class: "menu", role: "menu", hidden: true }, items.map(([name, run]) => el("button", { role: "menuitem", on: { click: () => { list.hidden = true; run(); } } }, name)));
  const button = el("button", { class: "tool", "aria-label": "More actions", "aria-haspopup": "menu", on: { click: (event) => {
    event.stopPropagation();
    document.querySelectorAll(".menu").forEach((m) => m !== list && (m.hidden = true));
    list.hidden = !list.hidden;
    if (!list.hidden) list.querySelector("button").focus();
  } } }, "⋯");
  return el("span", { class: "menu-holder" }, button, list);
}

function tools(view, message, inThread) {
  if (message.is_ephemeral || message.subtype === "tombstone") return null;
  return el("div", { class: "tools" }, inThread ? null : el("button", { class: "tool", "aria-label": "Reply in thread", on: { click: () => view.openThread(message.thread_ts ?? message.ts) } }, icon("speech_balloon")), menu(view, message, view.state.me, view.channel));
}

function repliesLink(view, message) {
  if (!message.reply_count) return null;
  const faces = (message.reply_users ?? []).slice(0, 4).map((id) => avatar(view.state.users[id]));
  return el("button", { class: "replies", on: { click: () => view.openThread(message.ts) } }, el("span", { class: "faces" }, faces),
    el("b", {}, `${message.reply_count} ${message.reply_count === 1 ? "reply" : "replies"}`), el("span", { class: "quiet" }, `Last reply ${clock(message.latest_reply)}`));
}

function body(view, message, holder) {
  const act = (action_id, block_id, value) => {
    view.pressed(message.ts);
    return post("/local/do/press", { action_id, block_id, value, ts: message.ts, user: view.state.me, channel: view.channel, state: values(holder) });
  };
  const ctx = { me: view.state.me, users: view.state.users };
  const kit = message.blocks?.length && message.bot_id;
  const out = [kit ? blocks(message.blocks, act, ctx) : mrkdwn(message.text)];
  for (const a of message.attachments ?? []) out.push(el("div", { class: "attachment" }, a.blocks ? blocks(a.blocks, act, ctx) : mrkdwn(a.text ?? a.fallback ?? "")));
  return out;
}

export function messageNode(view, message, inThread, grouped) {
  const user = view.state.users[message.user];
  const node = el("article", { class: "message" + (message.is_ephemeral ? " ephemeral" : "") + (grouped ? " grouped" : ""), data: { ts: message.ts, rev: String(message.rev) }, "aria-label": `${user?.real_name ?? message.user}, ${clock(message.ts)}` });
  const content = el("div", { class: "content" });
  if (message.is_ephemeral) content.append(el("p", { class: "only-you" }, icon("eye"), " Only visible to you · ", el("button", { class: "as-link", on: { click: () => post("/local/do/dismiss", { ts: message.ts, user: view.state.me, channel: view.channel }) } }, "Dismiss")));
  if (message.subtype === "thread_broadcast") content.append(el("p", { class: "only-you" }, "replied to a thread"));
  if (!grouped) content.append(el("div", { class: "who" }, el("b", {}, user?.real_name ?? message.user), badge(user), el("time", { class: "quiet" }, clock(message.ts))));
  content.append(...body(view, message, content));
  if (message.edited) content.append(el("span", { class: "quiet edited" }, "(edited)"));
  if (message.reactions) content.append(el("div", { class: "reactions" }, message.reactions.map((r) => el("span", { class: "reaction" }, `${emojiNamed(r.name)} ${r.users.length}`))));
  if (!inThread) content.append(repliesLink(view, message) ?? "");
  node.append(grouped ? el("time", { class: "gutter quiet" }, clock(message.ts)) : avatar(user), content, tools(view, message, inThread) ?? "");
  return node;
}
export { emoji, markdown };
