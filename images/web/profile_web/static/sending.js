// Photos on their way to the store: checked here first, then sent straight there by forms that the page was given.

import * as api from "./api.js";

// What preprocessing reads. Some browsers give no type to those that they cannot show.
const TYPES = {
  "image/jpeg": ["jpg", "jpeg", "jpe", "jfif"],
  "image/png": ["png"],
  "image/webp": ["webp"],
  "image/heic": ["heic"],
  "image/heif": ["heif"],
  "image/avif": ["avif"],
};
export const ACCEPTED = [...Object.keys(TYPES), ".heic", ".heif", ".avif"].join(",");
const SELDOM_SHOWN = ["image/heic", "image/heif", "image/avif"];
// Preprocessing refuses faces smaller than that would hold.
const SMALLEST_EDGE = 256;
// A form lives for five minutes; one that has less left would end on a slow line.
const FORM_MILLISECONDS = 200_000;
const LONGEST_PAUSE = 15_000;
// What passes by itself.
const PASSING = ["network", "store-away", "cluster-away", "too-slow", "form-ended"];

/** A photo's content type, by what the browser says or by its ending; "" for what is none. */
export function typeOf(file) {
  if (file.type in TYPES) return file.type;
  const ending = file.name.split(".").pop().toLowerCase();
  if (file.type && file.type !== "application/octet-stream") return "";
  return Object.keys(TYPES).find((type) => TYPES[type].includes(ending)) ?? "";
}

/** Why a file is not sent: a text's key, or "" if nothing speaks against it. */
export async function refusal(file, limits) {
  const type = typeOf(file);
  if (!type) return "photo.wrongType";
  if (file.size > limits.photoBytes) return "photo.tooLarge";
  try {
    const picture = await createImageBitmap(file);
    const small = Math.min(picture.width, picture.height) < SMALLEST_EDGE;
    picture.close();
    return small ? "photo.tooSmall" : "";
  } catch {
    // What this browser cannot show may still be a photo: it is looked at later.
    return SELDOM_SHOWN.includes(type) ? "" : "photo.unreadable";
  }
}

export function sameFile(file, other) {
  return file?.name === other.name && file.size === other.size && file.lastModified === other.lastModified;
}

/** Send one photo, again and again while the line or the service is down. `tell` is called with per cent, `wait` when
 * it has to wait, `wanted` says whether it still shall be sent. Returns its name in the store; null if unwanted. */
export async function send(draft, file, { tell, wait, wanted }) {
  let form = null;
  for (let attempt = 0; wanted(); attempt += 1) {
    try {
      // The same form again: a photo that arrived although nobody heard of it is not sent twice under two names.
      if (!form || performance.now() > form.until) form = await newForm(draft, file);
      await post(form, file, tell);
      return form.name;
    } catch (failure) {
      if (!PASSING.includes(failure.code)) throw failure;
      if (failure.code === "form-ended") form = null;
      wait(failure);
      await pause(Math.min(1000 * 2 ** attempt, LONGEST_PAUSE));
    }
  }
  return null;
}

async function newForm(draft, file) {
  const until = performance.now() + FORM_MILLISECONDS;
  const [form] = await api.uploadForms(draft, [{ name: file.name, type: typeOf(file), bytes: file.size }]);
  return { ...form, until };
}

/** Until the time is over, or the line is back. */
function pause(milliseconds) {
  return new Promise((done) => {
    const go = () => {
      clearTimeout(timer);
      removeEventListener("online", go);
      done();
    };
    const timer = setTimeout(go, milliseconds);
    addEventListener("online", go);
  });
}

// fetch tells nothing about how far an upload is.
function post(form, file, tell) {
  const data = new FormData();
  for (const [name, value] of Object.entries(form.fields)) data.append(name, value);
  data.append("file", file);
  return new Promise((done, failed) => {
    const call = new XMLHttpRequest();
    call.open("POST", form.url);
    call.upload.onprogress = (event) => tell(Math.floor((100 * event.loaded) / event.total));
    call.onload = () => (call.status < 300 ? done() : failed(new api.Failure(refusalOf(call.status))));
    call.onerror = () => failed(new api.Failure("network"));
    call.send(data);
  });
}

function refusalOf(status) {
  if (status >= 500) return "store-away";
  return status === 403 ? "form-ended" : "store-refused";
}
