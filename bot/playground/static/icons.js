// Slack draws its emoji itself, so that they look alike everywhere; so do we: a machine may have no font for them.
const SVG = "http://www.w3.org/2000/svg", GREY = "#868b92", RED = "#e0304f", BLUE = "#3b88c3", GOLD = "#e0a01b";
const line = (d, stroke, width = 2) => ["path", { d, stroke, fill: "none", "stroke-width": width, "stroke-linecap": "round", "stroke-linejoin": "round" }];
const shape = (d, fill) => ["path", { d, fill }];
const disc = (cx, cy, r, fill) => ["circle", { cx, cy, r, fill }];
const ring = (cx, cy, r, stroke, width = 2) => ["circle", { cx, cy, r, stroke, fill: "none", "stroke-width": width }];
const box = (x, y, width, height, fill, rx = 2) => ["rect", { x, y, width, height, fill, rx }];

// Each on a field of 20 by 20.
const DRAWN = {
  white_check_mark: [box(1.5, 1.5, 17, 17, "#23915f", 4), line("M5.5 10.5l3.2 3.2L15 6.8", "#fff", 2.4)],
  x: [line("M4 4l12 12M16 4L4 16", RED, 3.4)],
  warning: [shape("M10 1.8 19 17.6H1z", "#f7c02d"), line("M10 7.4v4.6", "#33291a"), disc(10, 14.9, 1.2, "#33291a")],
  grey_question: [line("M6.4 6.8a3.6 3.6 0 1 1 5.5 3.1c-1.3.8-1.9 1.4-1.9 2.9", GREY, 2.6), disc(10, 16.6, 1.6, GREY)],
  heavy_minus_sign: [line("M4 10h12", GREY, 3)],
  white_circle: [ring(10, 10, 6.5, GREY)],
  hourglass_flowing_sand: [shape("M7.2 6.6h5.6L10 9.6zM6.6 16.6c.4-2 2-2.8 3.4-3.4 1.4.6 3 1.4 3.4 3.4z", GOLD), line("M5 2.8h10M5 17.2h10M6 2.8c0 4 3 5 3 7.2s-3 3.2-3 7.2M14 2.8c0 4-3 5-3 7.2s3 3.2 3 7.2", GREY, 1.7)],
  double_vertical_bar: [box(1.5, 1.5, 17, 17, BLUE, 4), box(6, 5.5, 2.8, 9, "#fff", 1), box(11.2, 5.5, 2.8, 9, "#fff", 1)],
  key: [ring(6.2, 10, 3.4, GOLD, 2.6), line("M9.8 10H17.5M13.8 10v3M17.2 10v2.6", GOLD, 2.4)],
  lock: [line("M6.5 9V6.5a3.5 3.5 0 0 1 7 0V9", GREY), box(4, 9, 12, 8.5, GOLD)],
  memo: [box(3, 2, 12, 16, "#c9ced4", 1.5), line("M6 6.5h6M6 10h6M6 13.5h3.5", "#5d646c", 1.5), line("M11.5 15.5l6-6", "#d9822b", 2.4)],
  no_entry_sign: [ring(10, 10, 7, RED, 2.4), line("M5.2 5.2l9.6 9.6", RED, 2.4)],
  telephone_receiver: [shape("M4.2 3.4 7 2.6l2.2 4.2-2 1.9c1 2 2.1 3.1 4.1 4.1l1.9-2 4.2 2.2-.8 2.8c-.4 1.2-1.3 1.7-2.5 1.6C8 16.7 3.3 12 2.6 5.9c-.1-1.2.4-2.1 1.6-2.5z", RED)],
  zzz: [line("M3.5 9.5h6l-6 7h6", BLUE), line("M11.5 3.5h5l-5 5.5h5", BLUE, 1.8)],
  rotating_light: [shape("M4.5 15V11a5.5 5.5 0 0 1 11 0v4z", RED), box(3, 15, 14, 3, GREY, 1), line("M10 1.5v2M3.2 4.2l1.4 1.4M16.8 4.2l-1.4 1.4", RED, 1.6)],
  calendar: [box(2.5, 3.5, 15, 14, "#c9ced4"), box(2.5, 3.5, 15, 4.5, RED), line("M6.5 2v3M13.5 2v3", GREY, 1.8), line("M6 11.5h8M6 14.5h5", "#5d646c", 1.5)],
  eye: [line("M1.5 10C4 6.2 7 4.5 10 4.5s6 1.7 8.5 5.5c-2.5 3.8-5.5 5.5-8.5 5.5S4 13.8 1.5 10z", "currentColor", 1.6), disc(10, 10, 2.6, "currentColor")],
  speech_balloon: [line("M3 4h14v9.5H9L5.5 17v-3.5H3z", "currentColor", 1.6)],
};

// The drawing, with the sign itself for who listens or copies; null where we have none.
export function icon(name, sign = "") {
  if (!DRAWN[name]) return null;
  const make = (tag, props) => {
    const node = document.createElementNS(SVG, tag);
    for (const [key, value] of Object.entries(props)) node.setAttribute(key, value);
    return node;
  };
  const holder = document.createElement("span"), said = document.createElement("span"), picture = make("svg", { viewBox: "0 0 20 20", "aria-hidden": "true" });
  picture.append(...DRAWN[name].map(([tag, props]) => make(tag, props)));
  holder.className = "drawn";
  said.textContent = sign;
  holder.append(picture, said);
  return holder;
}
