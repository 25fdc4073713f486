// Small helpers. Text always goes in through textContent, never as markup.
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (key === "class") node.className = value;
    else if (key === "on") for (const [event, run] of Object.entries(value)) node.addEventListener(event, run);
    else if (key === "data") Object.assign(node.dataset, value);
    else if (key === "color") node.style.setProperty("--who", value);
    else if (key in node && typeof value !== "string") node[key] = value;
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== false));
  return node;
}

export function safeUrl(url) {
  try {
    return ["http:", "https:", "mailto:"].includes(new URL(url).protocol) ? url : null;
  } catch { return null; }
}

export function link(url, label) {
  const good = safeUrl(url);
  return good ? el("a", { href: good, target: "_blank", rel: "noopener noreferrer" }, label) : el("span", {}, label);
}

const token = document.querySelector("meta[name=local-token]").content;
export { token };

export async function post(path, body = {}) {
  const headers = { "content-type": "application/json", "x-local-token": token };
  const answer = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) }).then((r) => r.json());
  if (!answer.ok) toast(answer.error);
  return answer;
}

export async function read(path) {
  return fetch(path, { headers: { "x-local-token": token } }).then((r) => r.json());
}

let fading;
export function toast(text) {
  const box = document.getElementById("toast");
  box.textContent = String(text).replaceAll("_", " ");
  box.classList.add("shown");
  clearTimeout(fading);
  fading = setTimeout(() => box.classList.remove("shown"), 4500);
}

export function clock(ts) {
  return new Date(Number(ts) * 1000).toLocaleTimeString([], { hour: "numeric", minute: "2-digit" });
}
