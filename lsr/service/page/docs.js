// The reference of the API, written from /openapi.json, with a form to try each address. Loads nothing from elsewhere.

import { element } from "./render.js";

const spec = await (await fetch("/openapi.json")).json();
const plain = (text) => (text ?? "").replaceAll("`", "");
const resolve = (schema) => (schema?.$ref ? spec.components.schemas[schema.$ref.split("/").at(-1)] : schema ?? {});

// A type as one reads it: "integer, 1 to 1000", "list of Hit", "map of number".
function typeOf(given) {
  if (given?.$ref) return given.$ref.split("/").at(-1);
  const schema = given ?? {};
  if (schema.anyOf) return schema.anyOf.map(typeOf).join(" or ");
  if (schema.type === "array") return schema.prefixItems ? `[${schema.prefixItems.map(typeOf).join(", ")}]` : `list of ${typeOf(schema.items)}`;
  const values = schema.patternProperties ? Object.values(schema.patternProperties)[0] : schema.additionalProperties;
  if (schema.type === "object" && values) return `map of ${typeOf(values)}`;
  const bounds = [
    schema.minimum !== undefined ? `${schema.minimum} to ${schema.maximum}` : "",
    schema.exclusiveMinimum !== undefined ? `above ${schema.exclusiveMinimum}` : "",
    schema.maxLength ? `at most ${schema.maxLength} characters` : "",
  ].filter(Boolean);
  return [schema.type ?? "any value", ...bounds].join(", ");
}

function fields(given) {
  const schema = resolve(given);
  return element("table", {}, ...Object.entries(schema.properties ?? {}).map(([name, field]) =>
    element("tr", {},
      element("td", {}, name),
      element("td", {}, typeOf(field) + (field.default === undefined || field.default === null ? "" : `, default ${field.default}`)),
      element("td", {}, plain(field.description)))));
}

// The models that a schema leads to, itself first.
function models(given, seen = new Map()) {
  if (given?.$ref) {
    const name = given.$ref.split("/").at(-1);
    if (seen.has(name)) return seen;
    seen.set(name, given);
  }
  const schema = resolve(given);
  const inner = [...Object.values(schema.properties ?? {}), ...(schema.anyOf ?? []), schema.items].filter(Boolean);
  for (const one of inner) models(one, seen);
  return seen;
}

function tryIt(verb, path, operation) {
  const inputs = (operation.parameters ?? []).map((parameter) => {
    const value = parameter.name === "index" ? firstIndex : "";
    return { parameter, node: element("input", { value, placeholder: parameter.name, ariaLabel: parameter.name }) };
  });
  const body = operation.requestBody?.content["application/json"].schema;
  const area = element("textarea", { value: JSON.stringify(body?.examples?.[0] ?? {}, null, 2), ariaLabel: "Body", spellcheck: false });
  const output = element("pre", { hidden: true, tabIndex: 0 });
  const send = async () => {
    let address = path;
    const query = new URLSearchParams();
    for (const { parameter, node } of inputs) {
      if (parameter.in === "path") address = address.replace(`{${parameter.name}}`, encodeURIComponent(node.value));
      else if (node.value) query.set(parameter.name, node.value);
    }
    if (query.size) address += `?${query}`;
    const options = body ? { method: verb, body: area.value, headers: { "Content-Type": "application/json" } } : { method: verb };
    output.hidden = false;
    try {
      const response = await fetch(address, options);
      const text = await response.text();
      let shown = text;
      try {
        shown = JSON.stringify(JSON.parse(text), null, 2);
      } catch {}
      output.textContent = `${verb} ${address}\n${response.status} ${response.statusText}\n\n${shown}`;
    } catch {
      output.textContent = "The server does not answer.";
    }
  };
  return element("div", {},
    element("table", {}, ...inputs.map(({ parameter, node }) =>
      element("tr", {},
        element("td", {}, parameter.name + (parameter.required ? " *" : "")),
        element("td", {}, typeOf(parameter.schema)),
        element("td", {}, plain(parameter.description), node)))),
    body ? area : "",
    element("button", { type: "button", className: "quiet", onclick: send }, "Send"),
    output);
}

function operationItem(verb, path, operation) {
  const body = operation.requestBody?.content["application/json"].schema;
  const answer = operation.responses["200"].content["application/json"].schema;
  return element("details", { className: "op", id: operation.operationId },
    element("summary", {},
      element("span", { className: `verb ${verb}` }, verb.toUpperCase()), element("code", {}, path),
      element("span", {}, operation.description ?? operation.summary)),
    element("div", {},
      body ? element("h3", {}, "Body") : "", body ? fields(body) : "",
      element("h3", {}, "Try it"), tryIt(verb.toUpperCase(), path, operation),
      ...[...models(answer)].flatMap(([name, schema], place) =>
        [element("h3", {}, place ? name : `Answer: ${name}`), fields(schema)]),
      element("h3", {}, "Errors"),
      element("table", {}, ...Object.entries(operation.responses).filter(([status]) => status !== "200").map(([status, response]) =>
        element("tr", {}, element("td", {}, status), element("td", {}, response.description))))));
}

const firstIndex = (await (await fetch("/v1/indexes")).json()).indexes[0]?.name ?? "";
const groups = new Map();
for (const [path, verbs] of Object.entries(spec.paths)) {
  for (const [verb, operation] of Object.entries(verbs)) {
    const group = operation.tags?.[0] ?? "";
    groups.set(group, [...(groups.get(group) ?? []), operationItem(verb, path, operation)]);
  }
}
document.getElementById("doc").append(
  element("h1", {}, "API"),
  element("p", { className: "lead" }, plain(spec.info.description.trim()).replace(/([^\n])\n(?!\n)/g, "$1 ")),
  ...[...groups].flatMap(([group, items]) => [element("h2", {}, group), ...items]));
