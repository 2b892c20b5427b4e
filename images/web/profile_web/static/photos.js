// The photos that a visitor adds: dropped or chosen, checked, sent, and taken away again.

import * as api from "./api.js";
import { refusal, sameFile, send } from "./sending.js";
import { t } from "./texts.js";
import { html, useEffect, useRef, useState } from "./vendor/htm-preact.js";

/** `photos` and what to do with them; `draft` is the request's name, `present` how many it has already. */
export function usePhotos(draft, limits, present = 0) {
  const [photos, setPhotos] = useState([]);
  const all = useRef([]);
  const put = (next) => setPhotos((all.current = next));
  const change = (photo, news) => put(all.current.map((one) => (one.id === photo.id ? { ...one, ...news } : one)));

  async function sendOne(photo) {
    change(photo, { state: "sending", percent: 0 });
    try {
      const name = await send(draft, photo.file, (percent) => change(photo, { percent }));
      change(photo, { state: "sent", name });
    } catch (error) {
      change(photo, { state: "failed", why: error.message });
    }
  }

  async function add(files) {
    for (const file of files) {
      const photo = { id: crypto.randomUUID(), file, name: file.name, url: URL.createObjectURL(file), state: "new" };
      const room = present + all.current.filter((one) => one.state !== "refused").length < limits.mostPhotos;
      const twice = all.current.some((one) => sameFile(one.file, file));
      const why = (twice && "photo.twice") || (!room && "photo.tooMany") || (await refusal(file, limits));
      if (why) {
        put([...all.current, { ...photo, state: "refused", why }]);
        continue;
      }
      put([...all.current, photo]);
      // One after the other: the order is kept, and a slow line serves one photo well instead of twenty badly.
      await sendOne(photo);
    }
  }

  async function take(photo) {
    if (photo.state === "sent") await api.forgetPhoto(draft, photo.name).catch(() => null);
    URL.revokeObjectURL(photo.url);
    put(all.current.filter((one) => one.id !== photo.id));
  }

  useEffect(() => () => all.current.forEach((photo) => URL.revokeObjectURL(photo.url)), []);
  const sent = photos.filter((photo) => photo.state === "sent").length;
  const busy = photos.some((photo) => ["new", "sending"].includes(photo.state));
  return { photos, sent, busy, add, take, again: sendOne };
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
      <input type="file" class="hidden" multiple accept="image/jpeg,image/png,image/webp" onChange=${choose} />
      <strong>${t("new.drop")}</strong>
      <span>${t("new.types", { megabytes: megabytes(limits) })}</span>
    </label>
  `;
}

export function PhotoList({ photos, limits, take, again }) {
  if (!photos.length) return null;
  return html`
    <ul class="photos" aria-live="polite">
      ${photos.map(
        (photo) => html`
          <li key=${photo.id} class=${`photo ${photo.state}`}>
            <img src=${photo.url} alt="" />
            <span class="name">${photo.file.name}</span>
            <span class="state">${stateText(photo, limits)}</span>
            ${photo.state === "sending" &&
            html`<progress max="100" value=${photo.percent} aria-label=${photo.file.name}></progress>`}
            ${photo.state === "failed" &&
            html`<button type="button" class="small" onClick=${() => again(photo)}>
              ${t("photo.again", { name: photo.file.name })}
            </button>`}
            <button
              type="button"
              class="remove"
              aria-label=${t("photo.remove", { name: photo.file.name })}
              onClick=${() => take(photo)}
            >
              ×
            </button>
          </li>
        `,
      )}
    </ul>
  `;
}

function stateText(photo, limits) {
  if (photo.state === "refused") {
    return t(photo.why, { megabytes: megabytes(limits), most: limits.mostPhotos });
  }
  if (photo.state === "failed") return `${t("photo.failed")}: ${photo.why}`;
  return t(photo.state === "sent" ? "photo.sent" : "photo.sending", { percent: photo.percent ?? 0 });
}

const megabytes = (limits) => Math.floor(limits.photoBytes / 1e6);
