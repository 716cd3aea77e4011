// Records to elements. Whatever comes from documents or queries goes in as text, never as HTML.

import { documentPath } from "./api.js";

const HUES = 8;

export function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

// Two decimals for a person, more where they would be zeros; the JSON has them all.
export function number(value) {
  return value === 0 || value >= 0.1 ? value.toFixed(2) : value.toPrecision(2);
}

// Each term of the query has one colour, in the chips and in every bar; the lightest share a grey.
export function hueOf(terms) {
  const places = new Map(terms.map((term, place) => [term.word, place]));
  return (node, word) => {
    node.style.setProperty("--hue", `var(--t${Math.min(places.get(word) ?? HUES, HUES)})`);
    return node;
  };
}

export function chips(terms, colour) {
  return terms.map((term) =>
    element("span", { className: "chip", title: `weight ${term.weight} in this query` },
      colour(element("i"), term.word), term.word, element("span", {}, number(term.weight))));
}

// Ranges count Unicode code points, JavaScript's strings count UTF-16 units: spread the text before cutting.
export function highlighted(text, matches) {
  const points = Array.from(text);
  const parts = [];
  let end = 0;
  for (const [start, stop] of matches) {
    parts.push(points.slice(end, start).join(""), element("mark", {}, points.slice(start, stop).join("")));
    end = stop;
  }
  parts.push(points.slice(end).join(""));
  return parts;
}

function link(url) {
  try {
    return ["http:", "https:"].includes(new URL(url).protocol) ? url : null;
  } catch {
    return null;
  }
}

function heading(hit) {
  const text = hit.title || hit.id;
  const url = typeof hit.metadata.url === "string" ? link(hit.metadata.url) : null;
  return element("h2", {}, url ? element("a", { href: url, rel: "noreferrer" }, text) : text);
}

function meta(hit) {
  const shown = Object.entries(hit.metadata).filter(
    ([name, value]) => name !== "url" && ["string", "number"].includes(typeof value) && `${value}`.length <= 60 && value !== "");
  const parts = shown.slice(0, 3).map(([name, value]) => element("span", { title: name }, `${value}`));
  if (hit.title && hit.title !== hit.id) parts.unshift(element("span", { title: "id" }, hit.id));
  return parts.length ? element("p", { className: "meta" }, ...parts) : "";
}

// A bar as long as the score is beside the best one's, cut into what each term adds, and the same as a table.
export function why(hit, best, colour) {
  const spoken = hit.explanation.map((term) => `${term.word} ${number(term.contribution)}`).join(", ");
  const stack = element("div", { className: "stack", role: "img", ariaLabel: `Score ${number(hit.score)}: ${spoken}` });
  stack.style.width = `${(100 * hit.score) / best}%`;
  for (const term of hit.explanation) {
    const part = colour(element("i", { title: `${term.word} ${number(term.contribution)}` }), term.word);
    part.style.flexGrow = term.contribution;
    stack.append(part);
  }
  const row = (term) =>
    element("tr", {},
      element("th", { scope: "row" }, colour(element("i"), term.word), term.word),
      element("td", {}, `${number(term.query_weight)} × ${number(term.document_weight)}`),
      element("td", {}, number(term.contribution)));
  return element("div", { className: "why" },
    element("div", { className: "track" }, stack),
    element("table", {},
      element("thead", {}, element("tr", {},
        element("th", { scope: "col" }, "term"), element("td", {}, "query × document"), element("td", {}, "adds"))),
      element("tbody", {}, ...hit.explanation.map(row)),
      element("tfoot", {}, element("tr", {},
        element("th", { scope: "row" }, "score"), element("td"), element("td", {}, number(hit.score))))));
}

export function hitItem(hit, index, best, colour, onWhy) {
  const snippet = element("p", { className: "snippet" }, ...highlighted(hit.snippet.text, hit.snippet.matches));
  const item = element("li", { className: "hit" },
    element("span", { className: "rank", ariaHidden: "true" }, `${hit.rank}`),
    element("header", {}, heading(hit), element("span", { className: "score", title: `score ${hit.score}` }, number(hit.score))),
    meta(hit), snippet);
  const actions = element("div", { className: "acts" });
  if (hit.explanation) {
    item.append(why(hit, best, colour));
  } else {
    actions.append(element("button", { type: "button", className: "quiet", ariaExpanded: "false", onclick: onWhy }, "Why this score"));
  }
  if (hit.text !== hit.snippet.text) {
    const button = element("button", { type: "button", className: "quiet", ariaExpanded: "false" }, "Full text");
    button.onclick = () => {
      const full = snippet.classList.toggle("full");
      snippet.replaceChildren(...(full ? [hit.text] : highlighted(hit.snippet.text, hit.snippet.matches)));
      button.ariaExpanded = `${full}`;
      button.textContent = full ? "Snippet" : "Full text";
    };
    actions.append(button);
  }
  actions.append(element("a", { className: "quiet", href: documentPath(index, hit.id) }, "JSON"));
  item.append(actions);
  return item;
}
