// All of a visitor's requests.

import * as api from "./api.js";
import { Picture } from "./photos.js";
import { dateText, t } from "./texts.js";
import { html, useEffect, useState } from "./vendor/htm-preact.js";

const EVERY_MILLISECONDS = 5000;

// The title of the request that was deleted last: said once, where the visitor is led then.
let deleted = "";

export function tellDeleted(request) {
  deleted = titleOf(request);
}

export function Home({ session, fail }) {
  const [requests, setRequests] = useState(null);
  const [gone] = useState(deleted);
  useEffect(() => {
    deleted = "";
    // What went wrong a moment ago is not said any longer than it is so.
    const look = () => api.requests().then((own) => (setRequests(own), fail(null)), fail);
    look();
    const timer = setInterval(look, EVERY_MILLISECONDS);
    return () => clearInterval(timer);
  }, []);
  const toy = (requests ?? []).map((request) => request.toyModel).find(Boolean);
  return html`
    <header class="head">
      <h1 tabindex="-1">${t("home.heading")}</h1>
      <a class="button primary" href="#/new">${t("home.new")}</a>
    </header>
    <div aria-live="polite">${gone && html`<p class="note good">${t("home.deleted", { title: gone })}</p>`}</div>
    ${toy && html`<p class="note">${t("toy", { model: toy })}</p>`}
    ${requests &&
    (requests.length
      ? html`<ul class="requests">
          ${requests.map((request) => html`<${Card} key=${request.name} request=${request} />`)}
        </ul>`
      : html`<p class="empty">${t("home.none")}</p>`)}
    <p class="promise">${t(session.retain ? "home.promiseRetain" : "home.promise")}</p>
  `;
}

function Card({ request }) {
  const title = titleOf(request);
  // While there is no portrait, a photo tells best whose request it is.
  const shown = request.portraits[0] ?? request.photos.find((photo) => photo.accepted);
  return html`
    <li class="card">
      <a href=${`#/request/${request.name}`} aria-label=${t("home.open", { title })}>
        <${Picture} url=${shown?.thumbnail || shown?.url} />
        <span class="title">${title}</span>
        <span class=${`badge ${request.state}`}>${t(`state.${request.state}`)}</span>
      </a>
    </li>
  `;
}

export function titleOf(request) {
  return request.title || t("untitled", { date: dateText(request.created) });
}
