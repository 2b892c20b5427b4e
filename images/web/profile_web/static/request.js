// One request, live: its steps, what was found about each photo, its portraits.

import * as api from "./api.js";
import { Gallery } from "./gallery.js";
import { titleOf } from "./home.js";
import { PhotoDrop, PhotoList, usePhotos } from "./photos.js";
import { knows, t } from "./texts.js";
import { html, useEffect, useRef, useState } from "./vendor/htm-preact.js";

const STAGES = ["preprocess", "train", "generate", "finish"];
const MINUTE = 90;

export function Request({ name, session, fail }) {
  const [request, setRequest] = useState(null);
  const [progress, setProgress] = useState(null);
  const [away, setAway] = useState(false);
  const [gone, setGone] = useState(false);
  useEffect(() => {
    // The first look tells what is wrong in words; the stream would only end.
    let stop = () => null;
    api.request(name).then((found) => {
      setRequest(found);
      stop = api.follow(name, {
        request: (news) => {
          setAway(false);
          setRequest((before) => withOldLinks(news, before));
        },
        progress: setProgress,
        away: () => setAway(true),
        gone: () => {
          stop();
          setGone(true);
        },
      });
    }, fail);
    return () => stop();
  }, [name]);

  // The heading comes after the address: who opened this by keyboard goes on from there.
  useEffect(() => {
    document.querySelector("h1")?.focus({ preventScroll: true });
  }, [request === null, gone]);

  if (gone) return html`<${Gone} />`;
  if (!request) return null;
  const done = request.state === "Ready";
  return html`
    <p><a href="#/">← ${t("back")}</a></p>
    <header class="head">
      <h1 tabindex="-1">${titleOf(request)}</h1>
      <span class=${`badge ${request.state}`}>${t(`state.${request.state}`)}</span>
    </header>
    <div aria-live="polite">
      ${away && html`<p class="note">${t("away")}</p>`} ${done && html`<p class="note good">${readyText(request)}</p>`}
      ${request.state === "Stalled" && html`<p class="note bad">${stalledText(request)}</p>`}
    </div>
    ${!done && request.state !== "Stalled" && html`<${Steps} request=${request} progress=${progress} />`}
    ${request.portraits.length > 0 && html`<${Gallery} request=${request} fail=${fail} />`}
    <${Photos} request=${request} session=${session} fail=${fail} />
    <${Deletion} request=${request} fail=${fail} />
  `;
}

/** Links are signed anew with every look. A picture that is shown already must not be loaded again; what is saved later
 * needs the newer link, since the older one ends. */
function withOldLinks(news, before) {
  const known = new Map();
  const visit = (value, use) => {
    if (Array.isArray(value)) return value.map((one) => visit(one, use));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, visit(one, use)]));
    }
    return typeof value === "string" && isPicture(value) ? use(value) : value;
  };
  const path = (url) => url.split("?")[0];
  visit(before, (url) => known.set(path(url), url));
  return visit(news, (url) => known.get(path(url)) ?? url);
}

const isPicture = (text) => text.startsWith("http") && !text.includes("response-content-disposition");

function Gone() {
  return html`<h1 tabindex="-1">${t("gone")}</h1>
    <p><a href="#/">← ${t("back")}</a></p>`;
}

function readyText(request) {
  const count = request.portraits.length;
  const likeness = request.bestLikeness;
  return likeness > 0 ? t("request.ready", { count, likeness }) : t("request.readyPlain", { count });
}

function stalledText(request) {
  const key = `reason.${request.reason}`;
  return knows(key) ? t(key) : t("reason.other", { message: request.message });
}

function Steps({ request, progress }) {
  const now = request.stage ? STAGES.indexOf(request.stage) : -1;
  const told = progress && progress.stage === request.stage ? progress : request;
  return html`
    <section aria-labelledby="steps-heading">
      <h2 id="steps-heading" class="hidden">${t("stages")}</h2>
      <ol class="steps">
        ${STAGES.map((stage, index) => {
          const state = index < now ? "done" : index === now ? "now" : "later";
          return html`
            <li key=${stage} class=${state} aria-current=${state === "now" ? "step" : undefined}>
              <span class="what">${t(`stage.${stage}`)}</span>
              <span class="when">${state === "now" ? remainingText(told) : t(`stage.${state}`)}</span>
              ${state === "now" &&
              html`<progress max="100" value=${told.percent ?? undefined} aria-label=${t(`stage.${stage}`)}></progress>`}
            </li>
          `;
        })}
      </ol>
    </section>
  `;
}

function remainingText({ percent, remainingSeconds }) {
  if (percent == null) return t("stage.now");
  const share = t("progress", { percent });
  if (remainingSeconds == null || percent === 100) return share;
  const left =
    remainingSeconds < MINUTE
      ? t("remaining.seconds", { count: remainingSeconds })
      : t("remaining.minutes", { count: Math.round(remainingSeconds / 60) });
  return `${share}, ${left}`;
}

function Photos({ request, session, fail }) {
  const { photos } = request;
  const wanted = request.state === "Stalled";
  if (!photos.length && !wanted) return null;
  const accepted = photos.filter((photo) => photo.accepted).length;
  return html`
    <section aria-labelledby="photos-heading">
      <h2 id="photos-heading">${t("request.photos")}</h2>
      <p class="hint">${t("request.photosSummary", { accepted, count: photos.length })}</p>
      <ul class="photos verdicts">
        ${photos.map(
          (photo) => html`
            <li key=${photo.name} class=${photo.accepted ? "photo good" : "photo refused"}>
              <img src=${photo.url} alt="" loading="lazy" />
              <span class="name">${photo.name}</span>
              <span class="state">${photo.accepted ? "✓ " : ""}${t(`photo.${photo.reason}`)}</span>
            </li>
          `,
        )}
      </ul>
      ${wanted && html`<${MorePhotos} request=${request} session=${session} fail=${fail} />`}
    </section>
  `;
}

function MorePhotos({ request, session, fail }) {
  const chosen = usePhotos(request.name, session.limits, request.photos.length);
  const look = () => api.lookAgain(request.name).catch(fail);
  return html`
    <h3>${t("request.addPhotos")}</h3>
    <${PhotoDrop} limits=${session.limits} add=${chosen.add} />
    <${PhotoList} ...${chosen} limits=${session.limits} />
    <button type="button" class="button primary" disabled=${chosen.busy || !chosen.sent} onClick=${look}>
      ${t("request.lookAgain")}
    </button>
  `;
}

function Deletion({ request, fail }) {
  const [asking, setAsking] = useState(false);
  const dialog = useRef(null);
  useEffect(() => {
    if (asking) dialog.current.showModal();
  }, [asking]);
  const go = () => {
    setAsking(false);
    api.remove(request.name).then(() => (location.hash = "#/"), fail);
  };
  if (request.state === "Deleting") return null;
  return html`
    <section class="deletion">
      <button type="button" class="button danger" onClick=${() => setAsking(true)}>${t("request.delete")}</button>
      ${asking &&
      html`
        <dialog ref=${dialog} aria-labelledby="delete-ask" onClose=${() => setAsking(false)}>
          <p id="delete-ask">${t("request.deleteAsk")}</p>
          <div class="row">
            <button type="button" class="button" autofocus onClick=${() => setAsking(false)}>
              ${t("request.deleteNo")}
            </button>
            <button type="button" class="button danger" onClick=${go}>${t("request.deleteYes")}</button>
          </div>
        </dialog>
      `}
    </section>
  `;
}
