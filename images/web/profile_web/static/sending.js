// Photos on their way to the store: checked here first, then sent straight there by forms that the page was given.

import * as api from "./api.js";

const TYPES = ["image/jpeg", "image/png", "image/webp"];
// Preprocessing refuses faces smaller than that would hold.
const SMALLEST_EDGE = 256;

/** Why a file is not sent: a text's key, or "" if nothing speaks against it. */
export async function refusal(file, limits) {
  if (!TYPES.includes(file.type)) return "photo.wrongType";
  if (file.size > limits.photoBytes) return "photo.tooLarge";
  try {
    const picture = await createImageBitmap(file);
    const small = Math.min(picture.width, picture.height) < SMALLEST_EDGE;
    picture.close();
    return small ? "photo.tooSmall" : "";
  } catch {
    return "photo.unreadable";
  }
}

export function sameFile(one, other) {
  return one.name === other.name && one.size === other.size && one.lastModified === other.lastModified;
}

/** Send one photo; `tell` is called with per cent. Returns the name under which it stands in the store. */
export async function send(draft, file, tell) {
  const [form] = await api.uploadForms(draft, [{ name: file.name, type: file.type, bytes: file.size }]);
  const data = new FormData();
  for (const [name, value] of Object.entries(form.fields)) data.append(name, value);
  data.append("file", file);
  await post(form.url, data, tell);
  return form.name;
}

// fetch tells nothing about how far an upload is.
function post(url, data, tell) {
  return new Promise((done, failed) => {
    const call = new XMLHttpRequest();
    call.open("POST", url);
    call.upload.onprogress = (event) => tell(Math.floor((100 * event.loaded) / event.total));
    call.onload = () => (call.status < 300 ? done() : failed(new Error(`the store refused the photo (${call.status})`)));
    call.onerror = () => failed(new Error("the store cannot be reached"));
    call.send(data);
  });
}
