// Shows the service's OpenAPI document. Everything is built from text nodes, so that nothing in a document can become
// markup, and everything is asked for relative to this script, so that a prefix before the service changes nothing.

const documentUrl = new URL("../openapi.json", import.meta.url);
const base = documentUrl.href.replace(/\/openapi\.json$/, "");
const verbs = ["get", "post", "put", "patch", "delete"];
const maxDepth = 6;

/** Makes an element; children may be nested lists, texts, elements or nothing. */
function el(name, attributes, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (value !== undefined && value !== false) node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== undefined && child !== null && child !== ""));
  return node;
}

/** The small part of Markdown that our own texts use: paragraphs, lists, code, strong words, links. */
function prose(text) {
  return (text ?? "").trim().split(/\n\s*\n/).filter(Boolean).map((block) => {
    const lines = block.split("\n");
    if (lines.every((line) => /^\s*[-*] /.test(line))) {
      return el("ul", {}, lines.map((line) => el("li", {}, inline(line.replace(/^\s*[-*] /, "")))));
    }
    return el("p", {}, inline(lines.join(" ")));
  });
}

function inline(text) {
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*|\[[^\]]+\]\(https?:[^)\s]+\))/).map((part) => {
    if (part.startsWith("`") && part.endsWith("`") && part.length > 2) return el("code", {}, part.slice(1, -1));
    if (part.startsWith("**")) return el("strong", {}, part.slice(2, -2));
    const link = /^\[([^\]]+)\]\((https?:[^)\s]+)\)$/.exec(part);
    return link ? el("a", { href: link[2], rel: "noreferrer" }, link[1]) : part;
  });
}

/** Follows a reference within the document. */
function resolve(spec, thing) {
  for (let hops = 0; thing?.$ref && hops < 10; hops++) {
    thing = thing.$ref.replace(/^#\//, "").split("/").reduce(
      (at, key) => at?.[key.replaceAll("~1", "/").replaceAll("~0", "~")], spec);
  }
  return thing ?? {};
}

/** Joins the parts of an `allOf`, and takes the one real part of a choice between it and null. */
function flatten(spec, schema) {
  let flat = resolve(spec, schema);
  const choices = flat.oneOf ?? flat.anyOf;
  if (choices) {
    const real = choices.filter((choice) => resolve(spec, choice).type !== "null");
    if (real.length === 1) {
      const { oneOf, anyOf, ...own } = flat;
      flat = { ...flatten(spec, real[0]), ...own };
    }
  }
  for (const part of flat.allOf ?? []) {
    const more = flatten(spec, part);
    flat = {
      ...more, ...flat, allOf: undefined,
      properties: { ...more.properties, ...flat.properties },
      required: [...(more.required ?? []), ...(flat.required ?? [])],
    };
  }
  return flat;
}

/** A schema's type in words. */
function typeName(spec, schema, depth = 0) {
  const name = schema?.$ref?.split("/").pop();
  const flat = resolve(spec, schema);
  if (depth > 3) return name ?? "any";
  const choices = flat.oneOf ?? flat.anyOf;
  if (choices) return [...new Set(choices.map((choice) => typeName(spec, choice, depth + 1)))].join(" or ");
  if (flat.const !== undefined) return JSON.stringify(flat.const);
  const types = [flat.type ?? (flat.properties || flat.allOf ? "object" : "any")].flat();
  return types.map((type) => {
    if (type === "array") return `list of ${typeName(spec, flat.items ?? {}, depth + 1)}`;
    if (type === "object" && !name && flat.additionalProperties?.type) {
      return `map of ${typeName(spec, flat.additionalProperties, depth + 1)}`;
    }
    if (type === "object") return name ?? flat.title ?? "object";
    return flat.format && type !== "null" ? `${type} (${flat.format})` : type;
  }).join(" or ");
}

/** What a value is bound to, in words. */
function bounds(schema) {
  const notes = [];
  if (schema.enum) notes.push(`one of ${schema.enum.map((value) => JSON.stringify(value)).join(", ")}`);
  if (schema.default !== undefined) notes.push(`default ${JSON.stringify(schema.default)}`);
  const range = [["minimum", "at least", ""], ["maximum", "at most", ""], ["exclusiveMinimum", "more than", ""],
    ["exclusiveMaximum", "less than", ""], ["minLength", "at least", " characters"], ["maxLength", "at most", " characters"],
    ["minItems", "at least", " elements"], ["maxItems", "at most", " elements"], ["pattern", "of the form", ""]];
  for (const [key, words, unit] of range) if (schema[key] !== undefined) notes.push(`${words} ${schema[key]}${unit}`);
  return notes.join("; ");
}

/** The properties worth showing below a schema, and what to call them. */
function inner(spec, schema) {
  const flat = flatten(spec, schema);
  if (flat.properties && Object.keys(flat.properties).length) return [{ label: "fields", schema: flat }];
  if (flat.items) return inner(spec, flat.items);
  if (flat.additionalProperties?.properties || flat.additionalProperties?.$ref) {
    return inner(spec, flat.additionalProperties);
  }
  return (flat.oneOf ?? flat.anyOf ?? []).flatMap((choice) =>
    inner(spec, choice).map((part) => ({ ...part, label: `fields of ${typeName(spec, choice)}` })));
}

function requiredMark(isRequired) {
  return isRequired ? el("span", { class: "required" }, "required") : "";
}

/** An object's fields as a table; nested ones open on demand, which also ends schemas that contain themselves. */
function fieldTable(spec, schema, caption, depth = 0) {
  const required = new Set(schema.required ?? []);
  const rows = Object.entries(schema.properties ?? {}).map(([name, field]) => {
    const flat = flatten(spec, field);
    return el("tr", {},
      el("th", { scope: "row" }, el("code", {}, name), requiredMark(required.has(name))),
      el("td", {}, typeName(spec, field)),
      el("td", {}, prose(field.description ?? flat.description), el("p", { class: "quiet" }, bounds(flat)),
        depth < maxDepth ? inner(spec, field).map((part) => lazily(spec, part, name, depth + 1)) : ""));
  });
  return el("div", { class: "scroll" }, el("table", { "aria-label": caption },
    el("thead", {}, el("tr", {}, ["Field", "Type", "Meaning"].map((head) => el("th", { scope: "col" }, head)))),
    el("tbody", {}, rows)));
}

function lazily(spec, part, name, depth) {
  const node = el("details", {}, el("summary", {}, `${part.label[0].toUpperCase()}${part.label.slice(1)}`));
  node.addEventListener("toggle", () => {
    if (node.open && node.children.length === 1) node.append(fieldTable(spec, part.schema, `${part.label} of ${name}`, depth));
  });
  return node;
}

/** What the content of a body or a response looks like. */
function content(spec, media, caption) {
  return Object.entries(media ?? {}).map(([type, { schema }]) => {
    const parts = schema ? inner(spec, schema) : [];
    return [
      el("p", {}, el("code", {}, type), schema ? ` ${typeName(spec, schema)}` : ""),
      parts.length === 1 ? fieldTable(spec, parts[0].schema, caption) : parts.map((part) => lazily(spec, part, caption, 1)),
    ];
  });
}

/** A value that fits a schema: its example where it has one. */
function sample(spec, schema, depth = 0) {
  const flat = flatten(spec, schema);
  const given = flat.example ?? flat.examples?.[0] ?? flat.default ?? flat.const ?? flat.enum?.[0];
  if (given !== undefined) return given;
  if (depth > 4) return null;
  const choice = (flat.oneOf ?? flat.anyOf)?.[0];
  if (choice) return sample(spec, choice, depth + 1);
  switch ([flat.type ?? (flat.properties ? "object" : "null")].flat()[0]) {
    case "array": return [sample(spec, flat.items ?? {}, depth + 1)];
    case "boolean": return true;
    case "integer": case "number": return flat.minimum ?? 1;
    case "string": return "text";
    case "object": {
      const required = new Set(flat.required ?? []);
      const fields = Object.entries(flat.properties ?? {}).filter(([name]) => required.has(name));
      return Object.fromEntries(fields.map(([name, field]) => [name, sample(spec, field, depth + 1)]));
    }
    default: return null;
  }
}

const quoted = (text) => `'${String(text).replaceAll("'", `'\\''`)}'`;

function curl({ spec, verb, path, operation, parameters, needsCaller }) {
  const value = (parameter) => parameter.example ?? sample(spec, parameter.schema ?? {}) ?? "text";
  const filled = path.replace(/\{(\w+)\}/g, (whole, name) => {
    const parameter = parameters.find((candidate) => candidate.in === "path" && candidate.name === name);
    return parameter ? encodeURIComponent(value(parameter)) : whole;
  });
  const query = parameters.filter((parameter) => parameter.in === "query" && parameter.required)
    .map((parameter) => `${parameter.name}=${encodeURIComponent(value(parameter))}`).join("&");
  const lines = [`curl ${verb === "get" ? "" : `-X ${verb.toUpperCase()} `}${quoted(base + filled + (query && `?${query}`))}`];
  if (needsCaller) lines.push(`-H "Authorization: Bearer $JAN_API_KEY"`);
  const [type, media] = Object.entries(resolve(spec, operation.requestBody).content ?? {})[0] ?? [];
  if (type) {
    const example = media.example ?? Object.values(media.examples ?? {})[0]?.value ?? sample(spec, media.schema ?? {});
    lines.push(`-H ${quoted(`Content-Type: ${type}`)}`);
    lines.push(`-d ${quoted(typeof example === "string" ? example : JSON.stringify(example))}`);
  }
  return lines.join(" \\\n  ");
}

function example(text, label) {
  const button = el("button", { type: "button", "aria-label": `Copy the example for ${label}` }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Select and copy by hand";
    }
  });
  return el("div", { class: "example" }, el("pre", { tabindex: "0" }, el("code", {}, text)), button);
}

function parameterTable(spec, parameters, caption) {
  return el("div", { class: "scroll" }, el("table", { "aria-label": caption },
    el("thead", {}, el("tr", {}, ["Parameter", "In", "Type", "Meaning"].map((head) => el("th", { scope: "col" }, head)))),
    el("tbody", {}, parameters.map((parameter) => el("tr", {},
      el("th", { scope: "row" }, el("code", {}, parameter.name), requiredMark(parameter.required)),
      el("td", {}, parameter.in),
      el("td", {}, typeName(spec, parameter.schema ?? {})),
      el("td", {}, prose(parameter.description),
        el("p", { class: "quiet" }, bounds(flatten(spec, parameter.schema ?? {})))))))));
}

/** What comes when it goes well is shown; what comes when it does not is there to be opened. */
function responses(spec, operation, label) {
  const all = Object.entries(operation.responses ?? {});
  const isGood = ([status]) => status.startsWith("2");
  const failures = all.filter((entry) => !isGood(entry));
  return [
    responseList(spec, all.filter(isGood), label),
    failures.length ? el("details", {}, el("summary", {}, `Failures: ${failures.map(([status]) => status).join(", ")}`),
      el("div", { class: "inner" }, responseList(spec, failures, label))) : "",
  ];
}

function responseList(spec, entries, label) {
  return entries.map(([status, reference]) => {
    const response = resolve(spec, reference);
    const summary = el("summary", {}, el("code", {}, status), " ", inline(response.description ?? ""));
    const headers = Object.entries(response.headers ?? {}).map(([name, header]) =>
      el("p", {}, el("code", {}, name), " ", inline(header.description ?? "")));
    const node = el("details", { open: status.startsWith("2") }, summary, headers);
    const fill = () => {
      if (node.open && !node.dataset.filled) {
        node.dataset.filled = "yes";
        node.append(...content(spec, response.content, `response ${status} of ${label}`).flat(Infinity));
      }
    };
    node.addEventListener("toggle", fill);
    fill();
    return node;
  });
}

function article(entry) {
  const { spec, verb, path, operation, parameters, needsCaller, id } = entry;
  const label = `${verb.toUpperCase()} ${path}`;
  const body = resolve(spec, operation.requestBody);
  return el("article", { id, "aria-labelledby": `${id}-title` },
    el("h3", { id: `${id}-title` }, el("span", { class: `verb ${verb}` }, verb.toUpperCase()), el("a", { href: `#${id}` }, path)),
    operation.deprecated ? el("p", { class: "required" }, "Deprecated") : "",
    el("p", { class: "summary" }, inline(operation.summary ?? "")),
    prose(operation.description),
    el("p", { class: "quiet" }, needsCaller ? "Needs an access token or an API key." : "Open to everybody."),
    parameters.length ? [el("h4", {}, "Parameters"), parameterTable(spec, parameters, `parameters of ${label}`)] : "",
    body.content ? [el("h4", {}, "Request body"), prose(body.description), content(spec, body.content, `body of ${label}`)] : "",
    el("h4", {}, "Example"), example(curl(entry), label),
    el("h4", {}, "Responses"), responses(spec, operation, label));
}

/** Every operation with what is shown of it, in the document's order. */
function entries(spec) {
  return Object.entries(spec.paths ?? {}).flatMap(([path, item]) => verbs.filter((verb) => item[verb]).map((verb) => {
    const operation = item[verb];
    const parameters = [...(item.parameters ?? []), ...(operation.parameters ?? [])].map((one) => resolve(spec, one));
    const security = operation.security ?? spec.security ?? [];
    return {
      spec, verb, path, operation, parameters,
      tag: operation.tags?.[0] ?? "other",
      needsCaller: security.length > 0 && security.every((scheme) => Object.keys(scheme).length > 0),
      id: `${verb}-${path}`.replace(/[^A-Za-z0-9]+/g, "-").replace(/-$/, ""),
      words: `${verb} ${path} ${operation.summary ?? ""} ${operation.tags ?? ""}`.toLowerCase(),
    };
  }));
}

function title(tag) {
  return tag.charAt(0).toUpperCase() + tag.slice(1).replaceAll("-", " ");
}

function show(spec) {
  const byTag = new Map();
  for (const entry of entries(spec)) byTag.set(entry.tag, [...(byTag.get(entry.tag) ?? []), entry]);
  document.title = `${spec.info?.title ?? "API"} reference`;
  byId("title").textContent = document.title;
  byId("meta").append(...inline(spec.info?.description ?? ""), ` Version ${spec.info?.version}. `,
    el("a", { href: documentUrl.href }, "The document"), " for tools.");

  const groups = [...byTag].map(([tag, list]) => {
    const about = spec.tags?.find((known) => known.name === tag)?.description;
    const items = list.map((entry) => el("li", {}, el("a", { href: `#${entry.id}` },
      el("span", { class: `verb ${entry.verb}` }, entry.verb.toUpperCase()), el("span", { class: "path" }, entry.path))));
    return {
      index: el("div", {}, el("h2", {}, title(tag)), el("ul", {}, items)),
      section: el("section", { "aria-label": title(tag) }, el("h2", {}, title(tag)), prose(about), list.map(article)),
      items, list,
    };
  });
  byId("index").append(...groups.map((group) => group.index));
  byId("state").hidden = true;
  byId("content").append(...groups.map((group) => group.section));
  byId("content").setAttribute("aria-busy", "false");
  byId("filter").addEventListener("input", () => filter(groups));
  if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
}

function filter(groups) {
  const wanted = byId("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  for (const { index, section, items, list } of groups) {
    const fits = list.map((entry) => wanted.every((word) => entry.words.includes(word)));
    list.forEach((entry, at) => {
      items[at].hidden = !fits[at];
      byId(entry.id).hidden = !fits[at];
    });
    index.hidden = section.hidden = !fits.includes(true);
    found += fits.filter(Boolean).length;
  }
  byId("found").textContent = wanted.length ? `${found} found` : "";
}

function byId(id) {
  return document.getElementById(id);
}

try {
  const response = await fetch(documentUrl);
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  show(await response.json());
} catch (error) {
  byId("content").setAttribute("aria-busy", "false");
  byId("content").append(el("p", { class: "failed", role: "alert" }, `The document cannot be shown: ${error.message}.`));
}
