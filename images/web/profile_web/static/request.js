// One request, live: its steps, the verdict on each photo, its portraits.

import * as api from "./api.js";
import { AnotherLook } from "./another.js";
import { Gallery } from "./gallery.js";
import { tellDeleted, titleOf } from "./home.js";
import { Preview } from "./preview.js";
import { PhotoDrop, PhotoList, Picture, Remove, forgetPhotos, usePhotos } from "./photos.js";
import { knows, t } from "./texts.js";
import { html, useEffect, useRef, useState } from "./vendor/htm-preact.js";

const STAGES = ["preprocess", "train", "generate", "finish"];
// Up to here seconds are told, beyond it minutes.
const MOST_SECONDS = 90;
// Links live for an hour.
const LINK_MILLISECONDS = 40 * 60_000;

export function Request({ name, session, fail }) {
  const [request, setRequest] = useState(null);
  const [progress, setProgress] = useState(null);
  const [away, setAway] = useState(false);
  const [gone, setGone] = useState(false);
  useEffect(() => {
    // The first look tells what is wrong in words; the stream would only end.
    let stop = () => null;
    api.request(name).then((first) => {
      setRequest(first);
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
        failed: fail,
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
      ${request.toyModel && html`<p class="note">${t("toy", { model: request.toyModel })}</p>`}
      ${request.omitted && html`<p class="note">${t("request.omitted")} ${omittedText(request)}</p>`}
      <${Warnings} warnings=${request.warnings} />
    </div>
    ${!done && request.state !== "Stalled" && html`<${Steps} request=${request} progress=${progress} />`}
    ${!done && request.portraits.length === 0 && html`<${Preview} request=${request} />`}
    ${request.portraits.length > 0 && html`<${Gallery} request=${request} fail=${fail} />`}
    <${AnotherLook} request=${request} session=${session} fail=${fail} />
    <${Photos} request=${request} session=${session} fail=${fail} />
    <${Deletion} request=${request} fail=${fail} />
  `;
}

/** Links are signed anew with every look. A picture that is shown already must not be loaded again while its link
 * lives; what is saved later needs the newer link, since the older one ends. */
function withOldLinks(news, before) {
  const known = new Map();
  const visit = (value, use) => {
    if (Array.isArray(value)) return value.map((item) => visit(item, use));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, visit(field, use)]));
    }
    return typeof value === "string" && isPicture(value) ? use(value) : value;
  };
  const path = (url) => url.split("?")[0];
  visit(before, (url) => known.set(path(url), url));
  return visit(news, (url) => (lives(known.get(path(url))) ? known.get(path(url)) : url));
}

const isPicture = (text) => text.startsWith("http") && !text.includes("response-content-disposition");

/** Whether a link was signed so lately that it will be good for a while. */
function lives(url) {
  const time = url && new URL(url).searchParams.get("X-Amz-Date");
  const parts = time?.match(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/)?.slice(1).map(Number);
  if (!parts) return false;
  const [year, month, ...rest] = parts;
  return Date.now() - Date.UTC(year, month - 1, ...rest) < LINK_MILLISECONDS;
}

function Gone() {
  return html`<h1 tabindex="-1">${t("gone")}</h1>
    <p><a href="#/">← ${t("back")}</a></p>`;
}

/** What is worth knowing about the photos, although nothing stops for it. */
function Warnings({ warnings }) {
  if (!warnings.length) return null;
  return html`
    <ul class="note warnings">
      ${warnings.map(({ kind, photos }) => html`<li key=${kind}>${t(`warning.${kind}`, { count: photos.length })}</li>`)}
    </ul>
  `;
}

function readyText(request) {
  const count = request.portraits.length;
  const likeness = request.bestLikeness;
  return likeness > 0 ? t("request.ready", { count, likeness }) : t("request.readyPlain", { count });
}

/** Why nothing was drawn in some look, while others were. */
function omittedText({ omitted }) {
  const key = `reason.${omitted}`;
  return knows(key) ? t(key) : t("reason.other", { reason: omitted });
}

function stalledText(request) {
  const key = `reason.${request.reason}`;
  return knows(key) ? t(key) : t("reason.other", { reason: request.reason });
}

function Steps({ request, progress }) {
  const now = request.stage ? STAGES.indexOf(request.stage) : -1;
  const newest = progress && progress.stage === request.stage ? progress : request;
  const waits = knows(`waits.${request.reason}`);
  return html`
    <section aria-labelledby="steps-heading">
      <h2 id="steps-heading" class="hidden">${t("stages")}</h2>
      <ol class="steps">
        ${STAGES.map((stage, index) => {
          const state = index < now ? "done" : index === now ? "now" : "later";
          return html`
            <li key=${stage} class=${state} aria-current=${state === "now" ? "step" : undefined}>
              <span class="what">${t(`stage.${stage}`)}</span>
              <span class="when">
                ${state !== "now" ? t(`stage.${state}`) : waits ? t(`waits.${request.reason}`) : remainingText(newest)}
              </span>
              ${state === "now" &&
              !waits &&
              html`<progress max="100" value=${newest.percent ?? undefined} aria-label=${t(`stage.${stage}`)}></progress>`}
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
    remainingSeconds < MOST_SECONDS
      ? t("remaining.seconds", { count: remainingSeconds })
      : t("remaining.minutes", { count: Math.round(remainingSeconds / 60) });
  return `${share}, ${left}`;
}

/** The verdict on each photo; where the visitor has to mend something, photos can be taken away and added. */
function Photos({ request, session, fail }) {
  const wanted = request.state === "Stalled" && request.reason !== "Unreadable";
  const [there, setThere] = useState(null);
  const [taken, setTaken] = useState([]);
  useEffect(() => {
    setTaken([]);
    // Before they were looked at, and when there are too many to be, only the store knows them.
    if (wanted) api.photos(request.name).then(setThere, fail);
  }, [wanted, request.revision]);

  const verdicts = new Map(request.photos.map((photo) => [photo.name, photo]));
  const stored = (there ?? []).map((photo) => verdicts.get(photo.name) ?? photo);
  const photos = wanted && there ? stored.filter((photo) => !taken.includes(photo.name)) : request.photos;
  if (!photos.length && !wanted) return null;
  const accepted = photos.filter((photo) => photo.accepted).length;
  const refused = photos.filter((photo) => photo.accepted === false);
  const needed = session.limits.fewestPhotos - accepted;
  const take = (photo) =>
    api.forgetPhoto(request.name, photo.name).then(
      () => setTaken((before) => [...before, photo.name]),
      (failure) => (failure.code === "photo-not-found" ? setTaken((before) => [...before, photo.name]) : fail(failure)),
    );
  // Against what was looked at, whenever that changed: in another tab, or before the page was loaded.
  const changed = there !== null && (photos.length !== verdicts.size || photos.some((photo) => !verdicts.has(photo.name)));
  // Those that could not be used make room for others.
  const present = photos.filter((photo) => photo.accepted !== false).length;
  return html`
    <section aria-labelledby="photos-heading">
      <h2 id="photos-heading">${t("request.photos")}</h2>
      <p class="hint">
        ${t("request.photosSummary", { accepted, count: photos.length })}
        ${wanted && verdicts.size > 0 && needed > 0 && html` <strong>${t("new.needPhotos", { count: needed })}</strong>`}
      </p>
      ${wanted &&
      refused.length > 1 &&
      html`<button type="button" class="small" onClick=${() => refused.forEach(take)}>
        ${t("request.removeRefused", { count: refused.length })}
      </button>`}
      <ul class="photos verdicts">
        ${ordered(photos, wanted).map((photo) => html`<${Verdict} key=${photo.name} photo=${photo} warnings=${request.warnings} take=${wanted && take} />`)}
      </ul>
      ${wanted &&
      html`<${MorePhotos} request=${request} session=${session} present=${present} changed=${changed} fail=${fail} />`}
    </section>
  `;
}

/** Photos that cannot be used stand together: first where something has to be done about them, else last. */
function ordered(photos, wanted) {
  const refused = photos.filter((photo) => photo.accepted === false);
  const others = photos.filter((photo) => photo.accepted !== false);
  return wanted ? [...refused, ...others] : [...others, ...refused];
}

function Verdict({ photo, warnings, take }) {
  const { name, accepted, reason } = photo;
  const concerned = warnings.filter((warning) => warning.photos.includes(name));
  const state = reason ? (accepted ? "good" : "refused") : "";
  return html`
    <li class=${`photo ${state}`}>
      <${Picture} url=${photo.url} lazy />
      <span class="name">${name}</span>
      <span class="state">${accepted ? "✓ " : ""}${reason ? t(`photo.${reason}`) : ""}</span>
      ${concerned.map(({ kind }) => html`<span key=${kind} class="state warned">${t(`warned.${kind}`)}</span>`)}
      ${take && html`<${Remove} name=${name} remove=${() => take(photo)} />`}
    </li>
  `;
}

function MorePhotos({ request, session, present, changed, fail }) {
  const key = `${request.name} ${request.revision}`;
  const chosen = usePhotos(key, request.name, session.limits, { present });
  const look = () => api.lookAgain(request.name).then(() => forgetPhotos(key), fail);
  return html`
    <h3>${t("request.addPhotos")}</h3>
    <${PhotoDrop} limits=${session.limits} add=${chosen.add} />
    <${PhotoList} ...${chosen} limits=${session.limits} />
    <button
      type="button"
      class="button primary"
      disabled=${chosen.busy || !(chosen.sent || changed)}
      onClick=${look}
    >
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
    api.remove(request.name).then(() => {
      tellDeleted(request);
      location.hash = "#/";
    }, fail);
  };
  if (request.state === "Deleting") return null;
  return html`
    <section class="deletion">
      <button type="button" class="button danger" onClick=${() => setAsking(true)}>${t("request.delete")}</button>
      ${asking &&
      html`
        <dialog ref=${dialog} aria-labelledby="delete-ask" onClose=${() => setAsking(false)}>
          <p id="delete-ask">${t(request.retain ? "request.deleteAskRetain" : "request.deleteAsk")}</p>
          <div class="row">
            <button type="button" class="button" autofocus onClick=${() => setAsking(false)}>
              ${t("request.deleteNo")}
            </button>
            <button type="button" class="button danger" onClick=${go}>${t(request.retain ? "request.deleteYesRetain" : "request.deleteYes")}</button>
          </div>
        </dialog>
      `}
    </section>
  `;
}
