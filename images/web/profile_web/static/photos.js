// The photos that a visitor adds: dropped or chosen, checked, sent, and taken away again.

import * as api from "./api.js";
import { ACCEPTED, refusal, sameFile, send } from "./sending.js";
import { say, t } from "./texts.js";
import { html, useEffect, useState } from "./vendor/htm-preact.js";

// Photos of forms by key: who leaves a form and comes back finds them, and what is being sent goes on.
const collections = new Map();

/** The photos of one form. `draft` is the request's name. */
class Collection {
  constructor(draft, limits) {
    this.draft = draft;
    this.limits = limits;
    this.photos = [];
    this.listeners = new Set();
    this.queue = Promise.resolve();
    this.leaving = Promise.resolve();
  }

  put(photos) {
    this.photos = photos;
    this.listeners.forEach((listener) => listener(photos));
  }

  change(photo, news) {
    this.put(this.photos.map((other) => (other.id === photo.id ? { ...other, ...news } : other)));
  }

  has(photo) {
    return this.photos.some((other) => other.id === photo.id);
  }

  /** Photos that are in the store already. */
  async restore() {
    const there = await api.photos(this.draft);
    const known = new Set(this.photos.map((photo) => photo.name));
    const fresh = there.filter((photo) => !known.has(photo.name));
    this.put([...fresh.map(({ name, url }) => ({ id: crypto.randomUUID(), name, url, state: "sent" })), ...this.photos]);
  }

  /** `present`: how many photos the request has besides. */
  add(files, present) {
    // One after the other: the order is kept, and a slow line serves one photo well instead of twenty badly.
    for (const file of files) this.queue = this.queue.then(() => this.addOne(file, present));
  }

  async addOne(file, present) {
    const photo = { id: crypto.randomUUID(), file, name: file.name, url: URL.createObjectURL(file), state: "new" };
    const room = present + this.photos.filter((other) => other.state !== "refused").length < this.limits.mostPhotos;
    const twice = this.photos.some((other) => sameFile(other.file, file));
    const why = (twice && "photo.twice") || (!room && "photo.tooMany") || (await refusal(file, this.limits));
    this.put([...this.photos, why ? { ...photo, state: "refused", why } : photo]);
    if (!why) await this.send(photo);
  }

  async send(photo) {
    this.change(photo, { state: "sending", percent: 0 });
    try {
      // What was taken away still counts until the store has forgotten it: a twentieth photo would be one too many.
      await this.leaving;
      const name = await send(this.draft, photo.file, {
        tell: (percent) => this.change(photo, { state: "sending", percent }),
        wait: () => this.change(photo, { state: "waiting" }),
        wanted: () => this.has(photo),
      });
      if (name === null) return;
      if (this.has(photo)) this.change(photo, { state: "sent", name });
      // It was taken away while it was being sent.
      else await api.forgetPhoto(this.draft, name).catch(() => null);
    } catch (failure) {
      this.change(photo, { state: "failed", failure });
    }
  }

  async take(photo) {
    this.put(this.photos.filter((other) => other.id !== photo.id));
    if (photo.file) URL.revokeObjectURL(photo.url);
    if (photo.state !== "sent") return;
    const forgotten = api.forgetPhoto(this.draft, photo.name).catch(() => null);
    this.leaving = Promise.all([this.leaving, forgotten]);
    await forgotten;
  }
}

/** The form with this key is done with. */
export function forgetPhotos(key) {
  collections.get(key)?.photos.forEach((photo) => photo.file && URL.revokeObjectURL(photo.url));
  collections.delete(key);
}

/** `photos` and what to do with them; `key` tells forms of one draft apart, `present` is how many photos there are
 * besides, `restored` asks the store for those that were sent before the page was loaded. */
export function usePhotos(key, draft, limits, { present = 0, restored = false } = {}) {
  if (!collections.has(key)) {
    collections.set(key, new Collection(draft, limits));
    if (restored) collections.get(key).restore().catch(() => null);
  }
  const collection = collections.get(key);
  const [photos, setPhotos] = useState(collection.photos);
  useEffect(() => {
    setPhotos(collection.photos);
    collection.listeners.add(setPhotos);
    return () => collection.listeners.delete(setPhotos);
  }, [collection]);
  const sent = photos.filter((photo) => photo.state === "sent").length;
  const busy = photos.some((photo) => ["new", "sending", "waiting"].includes(photo.state));
  useEffect(() => {
    // Photos that were sent are there after a reload; those that are being sent are not.
    const warn = (event) => event.preventDefault();
    if (busy) addEventListener("beforeunload", warn);
    return () => removeEventListener("beforeunload", warn);
  }, [busy]);
  return {
    photos, sent, busy,
    add: (files) => collection.add(files, present),
    take: (photo) => collection.take(photo),
    again: (photo) => collection.send(photo),
  };
}

export function PhotoDrop({ limits, add }) {
  const [over, setOver] = useState(false);
  const drop = (event) => {
    event.preventDefault();
    setOver(false);
    add([...event.dataTransfer.files]);
  };
  const choose = (event) => {
    add([...event.target.files]);
    event.target.value = "";
  };
  const drag = (event) => {
    event.preventDefault();
    setOver(true);
  };
  return html`
    <label class=${over ? "drop over" : "drop"} onDrop=${drop} onDragOver=${drag} onDragLeave=${() => setOver(false)}>
      <input type="file" class="hidden" multiple accept=${ACCEPTED} onChange=${choose} />
      <strong>${t("new.drop")}</strong>
      <span>${t("new.types", { megabytes: megabytes(limits) })}</span>
    </label>
  `;
}

export function PhotoList({ photos, sent, limits, take, again }) {
  if (!photos.length) return null;
  const wanted = photos.filter((photo) => photo.state !== "refused").length;
  return html`
    <p class="hint count" aria-live="polite">${t("photo.count", { sent, count: wanted })}</p>
    <ul class="photos" aria-live="polite">
      ${photos.map(
        (photo) => html`
          <li key=${photo.id} class=${`photo ${photo.state}`}>
            <${Picture} url=${photo.url} />
            <span class="name">${photo.name}</span>
            <span class="state">${stateText(photo, limits)}</span>
            ${photo.state === "sending" &&
            html`<progress max="100" value=${photo.percent} aria-label=${photo.name}></progress>`}
            ${photo.state === "failed" &&
            html`<button type="button" class="small" onClick=${() => again(photo)}>
              ${t("photo.again", { name: photo.name })}
            </button>`}
            <${Remove} name=${photo.name} remove=${() => take(photo)} />
          </li>
        `,
      )}
    </ul>
  `;
}

export function Remove({ name, remove }) {
  return html`
    <button type="button" class="remove" aria-label=${t("photo.remove", { name })} onClick=${remove}>×</button>
  `;
}

/** A photo, or an empty place for one that this browser cannot show, such as HEIC. */
export function Picture({ url, lazy = false }) {
  const [broken, setBroken] = useState("");
  if (!url || broken === url) return html`<span class="blank" aria-hidden="true"></span>`;
  return html`<img src=${url} alt="" loading=${lazy ? "lazy" : "eager"} onError=${() => setBroken(url)} />`;
}

function stateText(photo, limits) {
  if (photo.state === "refused") {
    return t(photo.why, { megabytes: megabytes(limits), most: limits.mostPhotos });
  }
  if (photo.state === "failed") return `${t("photo.failed")}: ${say(photo.failure)}`;
  if (photo.state === "waiting") return t("photo.waiting");
  return t(photo.state === "sent" ? "photo.sent" : "photo.sending", { percent: photo.percent ?? 0 });
}

const megabytes = (limits) => Math.floor(limits.photoBytes / 1e6);
