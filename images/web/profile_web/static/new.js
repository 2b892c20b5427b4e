// A new request: photos, looks, cuts.

import * as api from "./api.js";
import { PhotoDrop, PhotoList, usePhotos } from "./photos.js";
import { styleTitle, t } from "./texts.js";
import { html, useEffect, useState } from "./vendor/htm-preact.js";

const NOUNS = ["person", "woman", "man"];
const FIRST_STYLES = ["studio-warm", "studio-cool"];
const FIRST_LAYOUTS = ["square", "employee-card", "resume"];
const MOST_PORTRAITS = 8;

/** Each new request has a draft of its own; the heading stands, and keeps the focus, while that is fetched. */
export function New({ fail }) {
  const [session, setSession] = useState(null);
  useEffect(() => {
    api.session().then(setSession, fail);
  }, []);
  return html`
    <p><a href="#/">← ${t("back")}</a></p>
    <h1 tabindex="-1">${t("new.heading")}</h1>
    ${session && html`<${Form} session=${session} fail=${fail} />`}
  `;
}

function Form({ session, fail }) {
  const { limits, layouts, draft } = session;
  const chosen = usePhotos(draft, limits);
  const [styles, setStyles] = useState([]);
  const [wish, setWish] = useState({ title: "", noun: "person", styles: FIRST_STYLES, layouts: FIRST_LAYOUTS, portraits: 4 });
  const [consent, setConsent] = useState(false);
  const [told, setTold] = useState([]);
  const [refused, setRefused] = useState("");
  const [starting, setStarting] = useState(false);
  const change = (news) => setWish((before) => ({ ...before, ...news }));

  useEffect(() => {
    api.styles().then((found) => {
      setStyles(found);
      const offered = found.map((style) => style.name);
      setWish((before) => ({ ...before, styles: before.styles.filter((name) => offered.includes(name)) }));
    }, fail);
  }, []);

  const missing = problemsOf(wish, chosen, consent, limits);
  // What was told and is mended goes; nothing new is told before the visitor asks again.
  const problems = [refused, ...told.filter((problem) => missing.includes(problem))].filter(Boolean);

  async function start(event) {
    event.preventDefault();
    setRefused("");
    setTold(missing);
    if (missing.length) return;
    setStarting(true);
    try {
      const request = await api.create({ draft, ...wish });
      location.hash = `#/request/${request.name}`;
    } catch (error) {
      setRefused(error.message);
      setStarting(false);
    }
  }

  return html`
    <form onSubmit=${start} class="new" novalidate>
      <fieldset>
        <legend>${t("new.photos")}</legend>
        <p class="hint">${t("new.photosHint", { fewest: limits.fewestPhotos, most: limits.mostPhotos })}</p>
        <${PhotoDrop} limits=${limits} add=${chosen.add} />
        <${PhotoList} ...${chosen} limits=${limits} />
        <label class="field">
          ${t("new.noun")}
          <select value=${wish.noun} onChange=${(event) => change({ noun: event.target.value })}>
            ${NOUNS.map((noun) => html`<option key=${noun} value=${noun}>${t(`noun.${noun}`)}</option>`)}
          </select>
        </label>
      </fieldset>
      <fieldset>
        <legend>${t("new.styles")}</legend>
        <p class="hint">${t("new.stylesHint")}</p>
        <div class="styles">
          ${styles.map(
            (style) => html`
              <${StyleChoice}
                key=${style.name}
                style=${style}
                checked=${wish.styles.includes(style.name)}
                toggle=${() => change({ styles: toggled(wish.styles, style.name) })}
              />
            `,
          )}
        </div>
        <label class="field">
          ${t("new.portraits")}
          <input
            type="number"
            min="1"
            max=${MOST_PORTRAITS}
            value=${wish.portraits}
            onInput=${(event) => change({ portraits: event.target.valueAsNumber || 1 })}
          />
        </label>
      </fieldset>
      <fieldset>
        <legend>${t("new.layouts")}</legend>
        <div class="layouts">
          ${layouts.map(
            (layout) => html`
              <label key=${layout.name} class="choice">
                <input
                  type="checkbox"
                  checked=${wish.layouts.includes(layout.name)}
                  onChange=${() => change({ layouts: toggled(wish.layouts, layout.name) })}
                />
                <span>
                  ${t(`layout.${layout.name}`)}
                  <small>${t("layout.size", { width: layout.widthMm, height: layout.heightMm })}</small>
                </span>
              </label>
            `,
          )}
        </div>
      </fieldset>
      <label class="field">
        ${t("new.title")}
        <input
          type="text"
          maxlength="60"
          value=${wish.title}
          aria-describedby="title-hint"
          onInput=${(event) => change({ title: event.target.value })}
        />
      </label>
      <p class="hint" id="title-hint">${t("new.titleHint")}</p>
      <label class="choice consent">
        <input type="checkbox" checked=${consent} onChange=${(event) => setConsent(event.target.checked)} />
        <span>${t("new.consent")}</span>
      </label>
      <div role="alert" class="problems">${problems.map((problem) => html`<p key=${problem}>${problem}</p>`)}</div>
      <button class="button primary" disabled=${starting}>${t(starting ? "new.starting" : "new.start")}</button>
    </form>
  `;
}

function StyleChoice({ style, checked, toggle }) {
  return html`
    <label class="style">
      <input type="checkbox" checked=${checked} onChange=${toggle} />
      ${style.sample
        ? html`<img src=${style.sample} alt="" />`
        : html`<span class="swatch" style=${{ background: style.background }} aria-hidden="true"></span>`}
      <span>${styleTitle(style)}</span>
      <small>${t(`tone.${style.tone}`)}</small>
    </label>
  `;
}

function toggled(names, name) {
  return names.includes(name) ? names.filter((one) => one !== name) : [...names, name];
}

function problemsOf(wish, chosen, consent, limits) {
  const missing = limits.fewestPhotos - chosen.sent;
  return [
    chosen.busy && t("new.waitUploads"),
    !chosen.busy && missing > 0 && t("new.needPhotos", { count: missing }),
    !wish.styles.length && t("new.needStyles"),
    !wish.layouts.length && t("new.needLayouts"),
    !consent && t("new.needConsent"),
  ].filter(Boolean);
}
