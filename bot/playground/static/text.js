// Slack's mrkdwn, plain_text, standard markdown and rich_text, as DOM nodes.
import { el, link } from "./dom.js";
import { icon } from "./icons.js";

const EMOJI = {
  white_check_mark: "✅", heavy_check_mark: "✔️", x: "❌", warning: "⚠️", mag: "🔍", hourglass: "⌛", stopwatch: "⏱️",
  hourglass_flowing_sand: "⏳", eyes: "👀", tada: "🎉", wave: "👋", wrench: "🔧", hammer_and_wrench: "🛠️", key: "🔑",
  lock: "🔒", unlock: "🔓", link: "🔗", electric_plug: "🔌", satellite: "📡", rotating_light: "🚨", red_circle: "🔴",
  large_green_circle: "🟢", green_circle: "🟢", large_yellow_circle: "🟡", yellow_circle: "🟡", white_circle: "⚪",
  large_blue_circle: "🔵", black_circle: "⚫", information_source: "ℹ️", question: "❓", grey_question: "❔",
  exclamation: "❗", thumbsup: "👍", "+1": "👍", thumbsdown: "👎", "-1": "👎", bulb: "💡", ticket: "🎫", email: "📧",
  envelope: "✉️", clock1: "🕐", arrow_right: "➡️", arrows_counterclockwise: "🔄", repeat: "🔁", no_entry: "⛔",
  fast_forward: "⏩", rewind: "⏪", pause_button: "⏸️", double_vertical_bar: "⏸️", black_square_for_stop: "⏹️",
  speech_balloon: "💬", memo: "📝", shield: "🛡️", globe_with_meridians: "🌐", book: "📖", rocket: "🚀",
  construction: "🚧", zzz: "💤", sos: "🆘", bust_in_silhouette: "👤", raised_hand: "✋", star: "⭐", gear: "⚙️",
  heavy_minus_sign: "➖", no_entry_sign: "🚫", telephone_receiver: "📞", calendar: "📅",
};
let people = {}, rooms = {};
export function know(users, channels) {
  people = users;
  rooms = Object.fromEntries(channels.map((c) => [c.id, c]));
}

export const plain = (text) => text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
export const emoji = (text) => text.replace(/:([a-z0-9_+-]+):/g, (all, name) => EMOJI[name] ?? all);
// As pieces of a text: drawn where we have a drawing.
const pieces = (text) => text.split(/:([a-z0-9_+-]+):/).map((part, n) => (n % 2 === 0 ? part : icon(part, EMOJI[part]) ?? emoji(`:${part}:`))).filter(Boolean);
export const emojiNamed = (name) => EMOJI[name] ?? `:${name}:`;

function mention(id, label) {
  return el("span", { class: "mention" }, "@" + (people[id]?.real_name ?? label ?? id));
}

const DAYS = { "-1": "yesterday", 0: "today", 1: "tomorrow" }, LENGTHS = { short: "medium", long: "full" };

// https://docs.slack.dev/messaging/formatting-message-text#date-formatting
function dated(when, name) {
  const [, length, pretty] = name.match(/^date_?(short|long)?_?(pretty)?$/) ?? [];
  const midnight = (d) => new Date(d.getFullYear(), d.getMonth(), d.getDate());
  if (name.startsWith("time")) return when.toLocaleTimeString([], { timeStyle: name === "time_secs" ? "medium" : "short" });
  return (pretty && DAYS[Math.round((midnight(when) - midnight(new Date())) / 864e5)]) || when.toLocaleDateString([], { dateStyle: LENGTHS[length] ?? "long" });
}

function date(stamp, fallback, format = "{date_short_pretty} at {time}") {
  const when = new Date(Number(stamp) * 1000);
  if (isNaN(when)) return el("time", {}, fallback);
  return el("time", { datetime: when.toISOString(), title: when.toLocaleString() }, format.replace(/\{(date\w*|time\w*)\}/g, (all, name) => dated(when, name)));
}

function entity(inner) {
  const [target, label] = inner.split(/\|(.*)/s);
  if (target.startsWith("@")) return mention(target.slice(1), label);
  if (target.startsWith("#")) return el("span", { class: "mention" }, "#" + (rooms[target.slice(1)]?.name ?? label ?? target.slice(1)));
  if (target.startsWith("!date^")) return date(target.split("^")[1], label, target.split("^")[2]);
  if (target.startsWith("!subteam^")) return el("span", { class: "mention" }, label ?? "@group");
  if (target.startsWith("!")) return el("span", { class: "mention loud" }, "@" + target.slice(1));
  return /^(https?:|mailto:)/i.test(target) ? link(target, plain(label ?? target)) : `<${plain(inner)}>`;
}

const INLINE = [
  [/^<([^<>\n]+)>/, (m) => entity(m[1])],
  [/^`([^`\n]+)`/, (m) => el("code", {}, plain(m[1]))],
  [/^\*(?=\S)([^*\n]*[^*\s])\*(?!\w)/, (m) => el("strong", {}, inline(m[1]))],
  [/^_(?=\S)([^_\n]*[^_\s])_(?!\w)/, (m) => el("em", {}, inline(m[1]))],
  [/^~(?=\S)([^~\n]*[^~\s])~(?!\w)/, (m) => el("s", {}, inline(m[1]))],
];

function inline(text, rules = INLINE) {
  const out = [];
  let buffer = "", before = "";
  while (text) {
    const opens = before && /[\w]/.test(before) && /^[*_~]/.test(text);
    const hit = opens ? null : rules.map(([rule, make]) => [text.match(rule), make]).find(([m]) => m);
    if (hit) {
      if (buffer) out.push(...pieces(plain(buffer)));
      buffer = "";
      out.push(hit[1](hit[0]));
      before = " ";
      text = text.slice(hit[0][0].length);
    } else {
      before = text[0];
      buffer += text[0];
      text = text.slice(1);
    }
  }
  if (buffer) out.push(...pieces(plain(buffer)));
  return out;
}

function lines(text, rules) {
  const box = document.createDocumentFragment();
  let quote = null;
  text.split("\n").forEach((line, index, all) => {
    const quoted = line.match(/^(?:&gt;|>)\s?(.*)$/);
    if (quoted) {
      if (!quote) box.append((quote = el("blockquote")));
      else quote.append(el("br"));
      quote.append(...inline(quoted[1], rules));
      return;
    }
    const first = index === 0 || (quote && !(line === "" && index === all.length - 1));
    quote = null;
    if (!first) box.append(el("br"));
    box.append(...inline(line, rules));
  });
  return box;
}

export function mrkdwn(text) {
  const box = el("div", { class: "text", dir: "auto" });
  for (const [index, part] of String(text ?? "").split(/```\n?([\s\S]*?)\n?```/).entries()) {
    if (index % 2) box.append(el("pre", { tabindex: "0" }, plain(part)));
    else if (part.trim()) box.append(lines(index ? part.replace(/^\n/, "") : part, INLINE));
  }
  return box;
}

export function textObject(object) {
  if (!object) return "";
  if (typeof object === "string") return emoji(object);
  return object.type === "mrkdwn" ? mrkdwn(object.text) : emoji(object.text);
}

const MARKDOWN = [
  [/^`([^`\n]+)`/, (m) => el("code", {}, m[1])],
  [/^\*\*([^\n]+?)\*\*/, (m) => el("strong", {}, inline(m[1], MARKDOWN))],
  [/^[*_](?=\S)([^*_\n]*[^*_\s])[*_](?!\w)/, (m) => el("em", {}, inline(m[1], MARKDOWN))],
  [/^~~([^\n]+?)~~/, (m) => el("s", {}, inline(m[1], MARKDOWN))],
  [/^\[([^\]\n]+)\]\(([^)\s]+)\)/, (m) => link(m[2], m[1])],
  [/^<([@#!][^<>\n]+|https?:[^<>\n]+)>/, (m) => entity(m[1])],
];

export function markdown(source) {
  const box = el("div", { class: "text markdown", dir: "auto" });
  for (const [index, part] of source.split(/```\w*\n?([\s\S]*?)\n?```/).entries()) {
    if (index % 2) { box.append(el("pre", { tabindex: "0" }, part)); continue; }
    for (const block of part.split(/\n{2,}/)) {
      const rows = block.split("\n").filter((r) => r.trim());
      if (!rows.length) continue;
      const heading = rows[0].match(/^#{1,6}\s+(.*)/);
      const bullets = rows.every((r) => /^\s*[-*+]\s/.test(r)), numbers = rows.every((r) => /^\s*\d+[.)]\s/.test(r));
      if (heading) box.append(el("p", { class: "md-head" }, inline(heading[1], MARKDOWN)), ...(rows.length > 1 ? [el("p", {}, lines(rows.slice(1).join("\n"), MARKDOWN))] : []));
      else if (bullets || numbers) box.append(el(bullets ? "ul" : "ol", {}, rows.map((r) => el("li", {}, inline(r.replace(/^\s*([-*+]|\d+[.)])\s+/, ""), MARKDOWN)))));
      else box.append(el("p", {}, lines(rows.join("\n"), MARKDOWN)));
    }
  }
  return box;
}

function leaf(item) {
  let node = emoji(item.text ?? "");
  if (item.type === "link") node = link(item.url, item.text ?? item.url);
  if (item.type === "user") node = mention(item.user_id);
  if (item.type === "channel") node = entity("#" + item.channel_id);
  if (item.type === "broadcast") node = entity("!" + item.range);
  if (item.type === "emoji") node = emojiNamed(item.name);
  if (item.type === "date") node = date(item.timestamp, item.fallback ?? "", item.format);
  for (const [style, tag] of [["code", "code"], ["bold", "strong"], ["italic", "em"], ["strike", "s"]]) if (item.style?.[style]) node = el(tag, {}, node);
  return node;
}

export function richText(block) {
  const box = el("div", { class: "text", dir: "auto" });
  for (const part of block.elements ?? []) {
    if (part.type === "rich_text_list") box.append(el(part.style === "ordered" ? "ol" : "ul", {}, part.elements.map((e) => el("li", {}, e.elements.map(leaf)))));
    else {
      const tag = { rich_text_preformatted: "pre", rich_text_quote: "blockquote" }[part.type] ?? "div";
      box.append(el(tag, { class: tag === "div" ? "line" : undefined }, part.elements.map(leaf)));
    }
  }
  return box;
}
