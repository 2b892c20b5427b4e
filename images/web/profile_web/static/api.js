// The page's own HTTP interface. Every function throws a Failure: a code, which texts.js says in the visitor's language.

// Proxies answer a script with 401 when the session is over, and do not lead it to a page for signing in.
const HEADERS = { "X-Profile-Studio": "page", Accept: "application/json" };
const RETRY_MILLISECONDS = 5000;

export class Failure extends Error {
  constructor(code, values = {}) {
    super(code);
    this.code = code;
    this.values = values;
  }
}

async function call(method, path, body) {
  const options = { method, headers: { ...HEADERS } };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  // fetch throws for a line that is down, and for nothing else here.
  const answer = await fetch(path, options).catch(() => {
    throw new Failure("network");
  });
  if (answer.status === 204) return null;
  // A proxy before the page answers in its own words.
  const content = await answer.json().catch(() => ({ code: [401, 403].includes(answer.status) ? "not-signed-in" : "cluster-away" }));
  if (!answer.ok) throw new Failure(content.code ?? "internal", content.values);
  return content;
}

export const session = () => call("GET", "/api/session");
export const styles = () => call("GET", "/api/styles");
export const requests = () => call("GET", "/api/requests");
export const request = (name) => call("GET", `/api/requests/${name}`);
export const preview = (name) => call("GET", `/api/requests/${name}/preview`);
export const comparisons = (name) => call("GET", `/api/requests/${name}/comparisons`);
export const checks = (name) => call("GET", `/api/requests/${name}/checks`);
export const create = (wish) => call("POST", "/api/requests", wish);
export const lookAgain = (name) => call("POST", `/api/requests/${name}/look-again`);
export const look = (name, wish) => call("POST", `/api/requests/${name}/look`, wish);
export const remove = (name) => call("DELETE", `/api/requests/${name}`);
export const photos = (draft) => call("GET", `/api/uploads/${draft}`);
export const uploadForms = (draft, wished) => call("POST", "/api/uploads", { draft, photos: wished });
export const forgetPhoto = (draft, name) =>
  call("DELETE", `/api/uploads/${draft}/${encodeURIComponent(name)}`);
export const zipPath = (name) => `/api/requests/${name}/portraits.zip`;

/** Follow a request; `handlers` by event: request, progress, away, gone, and failed with a Failure that only the
 * visitor can mend. Goes on by itself after an outage. Returns what ends it. */
export function follow(name, handlers) {
  let source = null;
  let timer = 0;
  let ended = false;

  function open() {
    if (ended) return;
    source = new EventSource(`/api/requests/${name}/events`);
    for (const event of ["request", "progress", "away", "gone"]) {
      source.addEventListener(event, (message) => handlers[event](JSON.parse(message.data)));
    }
    // The service lets no stream live for ever, so that sign-in is asked again.
    source.addEventListener("again", () => {
      source.close();
      open();
    });
    source.addEventListener("busy", later);
    source.onerror = () => {
      handlers.away({});
      if (source.readyState === EventSource.CLOSED) later();
    };
  }

  /** A stream that was refused does not say why, so the request is asked for. */
  function later() {
    source.close();
    timer = setTimeout(look, RETRY_MILLISECONDS);
  }

  async function look() {
    if (ended) return;
    try {
      handlers.request(await request(name));
    } catch (failure) {
      if (failure.code === "request-not-found") return handlers.gone({});
      if (failure.code === "not-signed-in") return handlers.failed(failure);
    }
    open();
  }

  open();
  return () => {
    ended = true;
    clearTimeout(timer);
    source.close();
  };
}
