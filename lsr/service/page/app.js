// The search page: its state is in the address (?q=&index=&k=&explain=1), everything else follows from it.

import { curl, listIndexes, search } from "./api.js";
import { chips, element, hitItem, hueOf, why } from "./render.js";

const STEPS = [10, 20, 50, 100];
const TYPING_PAUSE_MS = 250;
const byId = (id) => document.getElementById(id);
const box = byId("query");

let indexes = [];
let state = { q: "", index: "", k: STEPS[0], explain: false };
let running = null;
let typing = 0;
let typed = false; // whether the last step of the history is a query still being typed

function readAddress() {
  const given = new URLSearchParams(location.search);
  const index = given.get("index");
  state = {
    q: given.get("q") ?? "",
    index: indexes.some((one) => one.name === index) ? index : indexes[0]?.name ?? "",
    k: STEPS.find((step) => step >= Number(given.get("k"))) ?? STEPS.at(-1),
    explain: given.get("explain") === "1",
  };
}

function address() {
  const wanted = new URLSearchParams();
  if (state.q) wanted.set("q", state.q);
  if (state.index !== indexes[0]?.name) wanted.set("index", state.index);
  if (state.k !== STEPS[0]) wanted.set("k", state.k);
  if (state.explain) wanted.set("explain", "1");
  return wanted.size ? `?${wanted}` : location.pathname;
}

// Change the state, its address and what is shown; `keep` makes it a step of the browser's history.
function go(change, keep = true) {
  state = { ...state, ...change };
  if (address() !== (location.search || location.pathname)) history[keep ? "pushState" : "replaceState"](null, "", address());
  show();
}

async function show() {
  clearTimeout(typing);
  running?.abort();
  const blank = !state.q.trim();
  document.title = blank ? "lsr" : `${state.q} · lsr`;
  document.body.classList.toggle("start", blank);
  if (document.activeElement !== box || box.value.trim() !== state.q.trim()) box.value = state.q;
  byId("index").value = state.index;
  byId("explain").ariaPressed = `${state.explain}`;
  byId("problem").hidden = true;
  showStart(blank);
  if (blank) {
    document.body.classList.remove("waiting");
    return;
  }
  const own = (running = new AbortController());
  const slow = setTimeout(() => document.body.classList.add("waiting"), 150);
  const asked = { ...state };
  try {
    showAnswer(await search(asked, own.signal), asked);
  } catch (error) {
    if (error.name !== "AbortError") showProblem(error);
  } finally {
    clearTimeout(slow);
    if (running === own) document.body.classList.remove("waiting");
  }
}

function showStart(blank) {
  const index = indexes.find((one) => one.name === state.index);
  const count = index ? `${index.documents.toLocaleString("en")} ${index.documents === 1 ? "document" : "documents"}` : "";
  byId("headline").replaceChildren(`Search ${state.index}`, element("small", {}, index ? `${count}, ${index.encoder}` : ""));
  const examples = index?.examples ?? [];
  byId("examples").hidden = !blank || !examples.length;
  byId("examples").replaceChildren(
    element("p", {}, "For example"),
    ...examples.map((q) => element("button", { type: "button", onclick: () => go({ q, k: STEPS[0] }) }, q)));
  if (blank) clear();
}

function clear() {
  for (const id of ["terms", "tools", "more"]) byId(id).hidden = true;
  byId("results").replaceChildren();
}

function showAnswer(answer, asked) {
  const colour = hueOf(answer.terms);
  const { hits } = answer;
  byId("terms").hidden = !answer.terms.length;
  byId("terms").replaceChildren(...chips(answer.terms, colour));
  byId("tools").hidden = false;
  const found = hits.length === 1 ? "1 hit" : `${hits.length} hits`;
  byId("status").textContent =
    `${found} in ${answer.took_ms.toFixed(answer.took_ms < 10 ? 1 : 0)} ms${answer.exact ? ", exact" : ", approximate"}`;
  byId("status").title = `generation ${answer.generation}`;
  const explainOne = (place) => async (event) => {
    const button = event.currentTarget;
    const open = button.closest(".hit").querySelector(".why");
    if (open) {
      open.remove();
    } else {
      try {
        const explained = await explanations(asked, answer);
        button.closest(".acts").before(why(explained.hits[place], hits[0].score, colour));
      } catch (error) {
        showProblem(error);
        return;
      }
    }
    button.ariaExpanded = `${!open}`;
  };
  byId("results").replaceChildren(
    ...hits.map((hit, place) => hitItem(hit, asked.index, hits[0].score, colour, explainOne(place))));
  if (!hits.length) byId("results").replaceChildren(nothing(answer));
  byId("more").hidden = hits.length < asked.k || asked.k >= STEPS.at(-1);
}

function nothing(answer) {
  const known = answer.terms.length;
  return element("li", { className: "empty" },
    element("b", {}, "Nothing found"),
    known ? "No document has any of these terms." : "The index knows none of these words. Try others, or check the spelling.");
}

// The same search explained, once for all hits of an answer; a newer generation would explain other hits.
async function explanations(asked, answer) {
  answer.explained ??= search({ ...asked, explain: true });
  const explained = await answer.explained.catch((error) => {
    delete answer.explained;
    throw error;
  });
  if (explained.generation !== answer.generation) {
    show();
    throw Object.assign(new Error("The index has changed meanwhile; the results are new."), { code: "changed" });
  }
  return explained;
}

function showProblem(error) {
  if (error.code !== "changed") clear();
  byId("problem").hidden = false;
  byId("problem").replaceChildren(
    element("b", {}, error.code ? "That did not work" : "The page failed"),
    element("p", {}, error.message),
    element("code", {}, error.code ?? error.name));
}

async function copyCurl() {
  const text = curl(state);
  const button = byId("curl");
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    window.prompt("Copy this command:", text); // no clipboard without https or localhost
  }
  setTimeout(() => (button.textContent = "Copy as curl"), 1500);
}

byId("form").onsubmit = (event) => {
  event.preventDefault();
  typed = false;
  go({ q: box.value.trim(), k: STEPS[0] });
};
box.oninput = () => {
  clearTimeout(typing);
  typing = setTimeout(() => {
    go({ q: box.value.trim(), k: STEPS[0] }, !typed);
    typed = true;
  }, TYPING_PAUSE_MS);
};
box.onblur = () => (typed = false);
byId("index").onchange = (event) => go({ index: event.target.value, k: STEPS[0] });
byId("explain").onclick = () => go({ explain: !state.explain });
byId("more").onclick = () => go({ k: STEPS.find((step) => step > state.k) });
byId("curl").onclick = copyCurl;
document.onkeydown = (event) => {
  const typingNow = event.target.matches("input, textarea, select");
  if (event.key === "/" && !typingNow && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    box.focus();
    box.select();
  } else if (event.key === "Escape" && event.target === box) {
    box.blur();
  }
};
window.onpopstate = () => {
  readAddress();
  typed = false;
  box.blur();
  show();
};

try {
  indexes = await listIndexes();
  byId("index").replaceChildren(...indexes.map((one) => element("option", { value: one.name }, one.name)));
  byId("picker").hidden = indexes.length < 2;
  readAddress();
  show();
  if (!state.q) box.focus();
} catch (error) {
  showProblem(error);
}
