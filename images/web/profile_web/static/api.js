// The page's own HTTP interface. Every function throws an Error whose message may be shown.

const HEADERS = { "X-Profile-Studio": "page" };

async function call(method, path, body) {
  const options = { method, headers: { ...HEADERS } };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  const answer = await fetch(path, options);
  if (answer.status === 204) return null;
  const found = await answer.json().catch(() => ({ message: answer.statusText }));
  if (!answer.ok) throw new Error(found.message || answer.statusText);
  return found;
}

export const session = () => call("GET", "/api/session");
export const styles = () => call("GET", "/api/styles");
export const requests = () => call("GET", "/api/requests");
export const request = (name) => call("GET", `/api/requests/${name}`);
export const comparisons = (name) => call("GET", `/api/requests/${name}/comparisons`);
export const create = (wish) => call("POST", "/api/requests", wish);
export const lookAgain = (name) => call("POST", `/api/requests/${name}/look-again`);
export const remove = (name) => call("DELETE", `/api/requests/${name}`);
export const uploadForms = (draft, photos) => call("POST", "/api/uploads", { draft, photos });
export const forgetPhoto = (draft, name) =>
  call("DELETE", `/api/uploads/${draft}/${encodeURIComponent(name)}`);
export const zipPath = (name) => `/api/requests/${name}/portraits.zip`;

/** Follow a request; `handlers` by event: request, progress, away, gone. Returns what ends it. */
export function follow(name, handlers) {
  const source = new EventSource(`/api/requests/${name}/events`);
  for (const [event, handle] of Object.entries(handlers)) {
    source.addEventListener(event, (message) => handle(JSON.parse(message.data)));
  }
  source.onerror = () => handlers.away({});
  return () => source.close();
}
