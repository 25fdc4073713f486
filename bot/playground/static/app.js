// The page: keeps one picture from the server and shows it. Nodes are kept unless their message changed.
import { el, post, toast, token } from "./dom.js";
import { blocks, values } from "./blocks.js";
import { composer } from "./composer.js";
import { avatar, messageNode } from "./message.js";
import { showModal } from "./modal.js";
import { panel } from "./panel.js";
import { know, plain } from "./text.js";

const at = (id) => document.getElementById(id);
const view = { state: null, channel: "C0DATA", thread: null, tab: "messages", openThread, startEdit, pressed };
const seen = JSON.parse(sessionStorage.getItem("seen") ?? "{}");
let me = sessionStorage.getItem("actor") ?? "U0ALICE", socket, wanted = location.hash.slice(1).split("/");
const main = composer(view, "composer-main"), reply = composer(view, "composer-thread", () => view.thread);
at("composer-holder").append(main.node);
at("thread-composer").append(reply.node);
const sidePanel = panel(), nav = el("div");
at("side").append(nav, sidePanel);

const room = () => view.state.channels.find((c) => c.id === view.channel);
const inThread = (m, ts) => m.ts === ts || m.thread_ts === ts;
const top = (m) => !m.thread_ts || m.thread_ts === m.ts || m.subtype === "thread_broadcast";

function openThread(ts, focus = true) {
  view.thread = ts;
  at("thread").hidden = false;
  draw();
  if (focus) reply.box.focus();
}

function closeThread() {
  view.thread = null;
  at("thread").hidden = true;
  main.box.focus();
  draw();
}

function startEdit(message) {
  (view.thread && message.thread_ts && message.thread_ts !== message.ts ? reply : main).edit(message.ts, plain(message.text.replace(/<@(\w+)>/g, (all, id) => "@" + (view.state.users[id]?.name ?? id))));
}

function pressed(ts) {
  document.querySelectorAll(`[data-ts="${ts}"] .button`).forEach((b) => b.classList.add("waiting"));
  setTimeout(() => document.querySelectorAll(".waiting").forEach((b) => b.classList.remove("waiting")), 1500);
}

function go(channel, tab = "messages") {
  const dm = room()?.kind;
  Object.assign(view, { channel, tab, thread: null });
  at("thread").hidden = true;
  at("list").replaceChildren();
  document.body.classList.remove("side-open");
  at("menu").setAttribute("aria-expanded", "false");
  draw();
  if (room()?.kind === "im") post("/local/do/open_home", { user: me, tab });
  if (tab === "messages") main.box.focus();
  return dm;
}

function drawSide() {
  const item = (c) => {
    const last = c.messages.at(-1)?.ts ?? "", unread = c.id !== view.channel && last > (seen[c.id] ?? "");
    return el("button", { class: "place" + (unread ? " unread" : ""), "aria-current": c.id === view.channel ? "page" : null, on: { click: () => go(c.id) } },
      c.kind === "im" ? avatar(view.state.users[view.state.bot]) : el("span", { class: "hash", "aria-hidden": "true" }, c.kind === "group" ? "🔒" : "#"),
      el("span", {}, c.kind === "im" ? "Mend" : c.name), c.external ? el("span", { class: "badge" }, "SHARED") : null, unread ? el("span", { class: "hidden" }, " (unread)") : null);
  };
  const spots = view.state.channels;
  nav.replaceChildren(el("h2", {}, "Channels"), ...spots.filter((c) => c.kind !== "im").map(item), el("h2", {}, "Apps"), ...spots.filter((c) => c.kind === "im").map(item),
    el("p", { class: "link-state " + (view.state.app_connected ? "on" : "off") }, view.state.app_connected ? "● Mend is connected" : "○ Mend is not connected yet"));
}

function fill(list, messages, threaded) {
  const bottom = list.scrollHeight - list.scrollTop - list.clientHeight < 80 || !list.childElementCount;
  const old = new Map([...list.querySelectorAll("article")].map((n) => [n.dataset.ts, n]));
  let previous = null;
  const nodes = messages.map((m) => {
    const close = previous && previous.user === m.user && m.ts - previous.ts < 240 && !m.is_ephemeral && !previous.is_ephemeral && !m.bot_id && !previous.reply_count;
    previous = m;
    const kept = old.get(m.ts);
    const key = m.rev + (close ? "g" : "") + view.state.me + (m.reply_count ?? "");
    if (kept?.dataset.key === key) return kept;
    const made = messageNode(view, m, threaded, close);
    made.dataset.key = key;
    if (kept?.contains(document.activeElement)) setTimeout(() => list.focus(), 0);
    return made;
  });
  const day = el("div", { class: "day" }, el("span", {}, "Today"));
  const extra = threaded || !messages.length ? [] : [day];
  const before = [...list.children].filter((n) => n.matches("article"));
  if (before.length !== nodes.length || before.some((n, i) => n !== nodes[i])) {
    for (const node of [...list.children]) if (!nodes.includes(node)) node.remove();
    nodes.forEach((node, i) => { if (list.querySelectorAll(":scope > article")[i] !== node) list.insertBefore(node, list.querySelectorAll(":scope > article")[i] ?? null); });
    if (extra.length) list.prepend(...extra);
  }
  if (bottom) list.scrollTop = list.scrollHeight;
}

function welcome() {
  if (at("list").querySelector(".welcome")) return;
  at("list").replaceChildren(el("div", { class: "welcome" }, avatar(view.state.users[view.state.bot]), el("h2", {}, "Something is broken. Let Mend find out what."),
    el("p", {}, "Type ", el("code", {}, "/mend warehouse"), " below and press Enter. It opens a thread and leads you through the checks."),
    el("button", { class: "button primary", on: { click: () => { main.box.value = "/mend warehouse"; main.box.dispatchEvent(new Event("input")); main.box.focus(); } } }, "Put it in the box for me"),
    el("p", { class: "quiet" }, "When Mend says what an admin must do, do it under “What the admin would do now”", el("span", { class: "on-phone" }, ", behind ☰"), ". Then say ", el("b", {}, "done"), " in the thread: every button is also a word."),
    el("p", { class: "quiet" }, "Or say ", el("b", {}, "escalate"), " there: a support desk played on this machine takes the ticket, and its answer comes back to the thread."),
    el("p", { class: "quiet" }, "Or paste an error message here and choose “Troubleshoot this” in its ⋯ menu. @mend and direct messages to Mend work too.")));
}

function drawHome() {
  const home = view.state.home, list = at("list");
  if (list.dataset.home === (home?.hash ?? "none")) return;
  list.dataset.home = home?.hash ?? "none";
  const act = (action_id, block_id, value) => post("/local/do/press_in_view", { action_id, block_id, value, user: me, home: true, state: values(list) });
  list.replaceChildren(home ? el("div", { class: "home" }, blocks(home.blocks, act, { me, users: view.state.users })) : el("p", { class: "quiet pad" }, "Mend has not filled this page yet."));
}

function drawTabs(isDm) {
  const tab = (name, label) => el("button", { role: "tab", "aria-selected": String(view.tab === name), on: { click: () => go(view.channel, name) } }, label);
  at("tabs").replaceChildren(...(isDm ? [tab("home", "Home"), tab("messages", "Messages")] : []));
}

function draw() {
  if (!view.state) return;
  if (!room()) view.channel = view.state.channels[0]?.id;
  const here = room(), dm = here.kind === "im";
  seen[here.id] = here.messages.at(-1)?.ts ?? "";
  sessionStorage.setItem("seen", JSON.stringify(seen));
  at("title").textContent = dm ? "Mend" : (here.kind === "group" ? "🔒 " : "# ") + here.name;
  at("subtitle").textContent = dm ? "App" : `${here.members} members${here.bot_in ? "" : " · Mend is not in this channel"}`;
  drawTabs(dm);
  drawSide();
  const home = dm && view.tab === "home", tops = here.messages.filter(top);
  at("composer-holder").hidden = home;
  if (home) drawHome();
  else {
    delete at("list").dataset.home;
    at("list").querySelectorAll(":scope > :not(article):not(.day):not(.welcome)").forEach((n) => n.remove());
    if (tops.length) { at("list").querySelector(".welcome")?.remove(); fill(at("list"), tops, false); } else welcome();
  }
  main.hint(dm ? "Message Mend" : `Message #${here.name}, or type /mend`);
  reply.hint("Reply… (words work as well as buttons)");
  if (view.thread) {
    at("thread-room").textContent = dm ? "Mend" : "#" + here.name;
    fill(at("thread-list"), here.messages.filter((m) => inThread(m, view.thread)), true);
  }
  document.body.classList.toggle("with-thread", Boolean(view.thread));
  showModal(view.state);
}

function follow(before, after) {
  // A case that this person just opened: show its thread at once, as people expect from a demo.
  const old = new Set(before?.channels.flatMap((c) => c.messages.map((m) => m.ts)) ?? []);
  const here = after.channels.find((c) => c.id === view.channel);
  const fresh = here?.messages.filter((m) => !old.has(m.ts) && m.bot_id && m.thread_ts && m.thread_ts !== m.ts) ?? [];
  const root = fresh.at(-1)?.thread_ts;
  // However long a busy machine takes: a thread that Mend began after the last key or click, and not much later. The
  // message that it hangs on may be older: "Troubleshoot this".
  const begun = here?.messages.find((m) => m.bot_id && inThread(m, root))?.ts;
  const answers = 1000 * begun > view.typedAt - 1000 && Date.now() - view.typedAt < 90000;
  if (before && root && !view.thread && answers && innerWidth >= 700) openThread(root, false);
}

function drawActors() {
  const box = at("actor");
  if (box.options.length) return;
  for (const id of view.state.actors) box.append(el("option", { value: id, selected: id === me }, `${view.state.users[id].real_name} – ${view.state.users[id].title}`));
}

function connect() {
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/local/stream`);
  socket.onopen = () => socket.send(JSON.stringify({ token, user: me }));
  socket.onmessage = (event) => {
    const before = view.state?.me === me ? view.state : null;
    view.state = JSON.parse(event.data);
    know(view.state.users, view.state.channels);
    drawActors();
    if (wanted[0]) { view.channel = wanted[0]; view.thread = wanted[2] ?? null; at("thread").hidden = !view.thread; wanted = []; }
    draw();
    follow(before, view.state);
  };
  socket.onclose = (event) => {
    if (event.target !== socket) return;
    if (event.code === 4003) { toast("The local Slack was restarted. Reload this page."); return; }
    setTimeout(connect, 800);
  };
}

at("actor").addEventListener("change", () => { me = at("actor").value; sessionStorage.setItem("actor", me); at("list").replaceChildren(); closeThread(); const old = socket; connect(); old.close(); });
at("thread-close").addEventListener("click", closeThread);
at("menu").addEventListener("click", () => at("menu").setAttribute("aria-expanded", String(document.body.classList.toggle("side-open"))));
at("theme").addEventListener("click", () => {
  const dark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  localStorage.setItem("theme", (document.documentElement.dataset.theme = dark ? "light" : "dark"));
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter") view.typedAt = Date.now();
  if (event.key !== "Escape" || at("modal").open) return;
  const open = document.querySelector(".menu:not([hidden])");
  if (open) open.hidden = true;
  else if (document.body.classList.contains("side-open")) document.body.classList.remove("side-open");
  else if (view.thread) closeThread();
});
document.addEventListener("click", (event) => {
  view.typedAt = Date.now();
  if (!event.target.closest(".menu-holder")) document.querySelectorAll(".menu").forEach((m) => { m.hidden = true; });
});
connect();
