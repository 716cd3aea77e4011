// Talks to the service: what it answers, or an Error with `code` that says what a person can do.

async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw problem("unreachable", "The server does not answer. Is it still running?");
  }
  let record;
  try {
    record = await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw problem(`http_${response.status}`, "The server's answer cannot be read.");
  }
  if (!response.ok) {
    const { code, message } = record.error ?? { code: `http_${response.status}`, message: response.statusText };
    throw problem(code, message);
  }
  return record;
}

function problem(code, message) {
  return Object.assign(new Error(message), { code });
}

function searchRequest(state) {
  const body = { query: state.q, k: state.k, explain: state.explain };
  return { path: `/v1/indexes/${encodeURIComponent(state.index)}/search`, body };
}

export async function listIndexes() {
  return (await ask("/v1/indexes")).indexes;
}

export function search(state, signal) {
  const { path, body } = searchRequest(state);
  return ask(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
    signal,
  });
}

export function documentPath(index, id) {
  return `/v1/indexes/${encodeURIComponent(index)}/documents/${encodeURIComponent(id)}`;
}

// The same search for a shell; a single quote cannot stand within single quotes.
export function curl(state) {
  const { path, body } = searchRequest(state);
  const quoted = `'${JSON.stringify(body).replaceAll("'", "'\\''")}'`;
  return `curl -s ${location.origin}${path} \\\n  -H 'Content-Type: application/json' \\\n  -d ${quoted}`;
}
