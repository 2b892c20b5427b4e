// A new request: photos, looks, cuts.

import * as api from "./api.js";
import { LayoutFields, StyleFields, amongOffered, lookProblems } from "./looks.js";
import { PhotoDrop, PhotoList, forgetPhotos, usePhotos } from "./photos.js";
import { say, t } from "./texts.js";
import { html, useEffect, useState } from "./vendor/htm-preact.js";

const NOUNS = ["woman", "man", "person"];
const FIRST_STYLES = ["studio-warm", "studio-cool"];
const FIRST_LAYOUTS = ["square", "employee-card", "resume"];
// What was chosen, for whoever reloads the page or comes back to it in this tab.
const KEPT = "profile-studio-draft";

function keptDraft(user) {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEPT));
    return kept?.user === user ? kept : null;
  } catch {
    return null;
  }
}

/** Each new request has a draft of its own; the heading stands, and keeps the focus, while that is fetched. */
export function New({ fail }) {
  const [session, setSession] = useState(null);
  useEffect(() => {
    api.session().then(setSession, fail);
  }, []);
  return html`
    <p><a href="#/">← ${t("back")}</a></p>
    <h1 tabindex="-1">${t("new.heading")}</h1>
    ${session && html`<${RequestForm} session=${session} fail=${fail} />`}
  `;
}

function RequestForm({ session, fail }) {
  const { limits, layouts } = session;
  const [kept] = useState(() => keptDraft(session.user));
  const draft = kept?.draft ?? session.draft;
  const chosen = usePhotos(draft, draft, limits, { restored: kept !== null });
  const [styles, setStyles] = useState([]);
  const [wish, setWish] = useState(
    kept?.wish ?? { title: "", noun: "", styles: FIRST_STYLES, layouts: FIRST_LAYOUTS, portraits: 4, source: null },
  );
  const [consent, setConsent] = useState(false);
  const [shown, setShown] = useState([]);
  const [refused, setRefused] = useState(null);
  const [starting, setStarting] = useState(false);
  const keep = (latest) => sessionStorage.setItem(KEPT, JSON.stringify({ user: session.user, draft, wish: latest }));
  const change = (news) => {
    setWish((before) => {
      const after = { ...before, ...news };
      // At once: who reloads right after a choice has no patience for effects.
      keep(after);
      return after;
    });
  };

  useEffect(() => keep(wish), [wish]);
  useEffect(() => {
    api.styles().then((offered) => {
      setStyles(offered);
      setWish((before) => amongOffered(before, offered));
    }, fail);
  }, []);

  const missing = problemsOf(wish, chosen, consent, limits);
  // What was said and is mended goes; nothing new is said before the visitor asks again.
  const problems = [refused && say(refused), ...shown.filter((problem) => missing.includes(problem))].filter(Boolean);

  async function start(event) {
    event.preventDefault();
    setRefused(null);
    setShown(missing);
    if (missing.length) return;
    setStarting(true);
    try {
      await api.create({ draft, ...wish });
    } catch (failure) {
      // It was made, and the answer was lost.
      if (failure.code !== "name-taken") {
        setRefused(failure);
        setStarting(false);
        return;
      }
    }
    sessionStorage.removeItem(KEPT);
    forgetPhotos(draft);
    location.hash = `#/request/${draft}`;
  }

  return html`
    <form onSubmit=${start} class="new" novalidate>
      <fieldset>
        <legend>${t("new.photos")}</legend>
        <p class="hint">${t("new.photosHint", { fewest: limits.fewestPhotos, most: limits.mostPhotos })}</p>
        <${PhotoDrop} limits=${limits} add=${chosen.add} />
        <${PhotoList} ...${chosen} limits=${limits} />
        <p class="hint">${t("new.kept", { count: session.draftHours })}</p>
        <label class="field">
          ${t("new.noun")}
          <select value=${wish.noun} onChange=${(event) => change({ noun: event.target.value })}>
            <option value="" disabled>${t("noun.choose")}</option>
            ${NOUNS.map((noun) => html`<option key=${noun} value=${noun}>${t(`noun.${noun}`)}</option>`)}
          </select>
        </label>
      </fieldset>
      <fieldset>
        <legend>${t("new.styles")}</legend>
        <p class="hint">${t("new.stylesHint")}</p>
        <${StyleFields} look=${wish} change=${change} offered=${styles} limits=${limits} photos=${sentNames(chosen)} />
      </fieldset>
      <fieldset>
        <legend>${t("new.layouts")}</legend>
        <${LayoutFields} look=${wish} change=${change} layouts=${layouts} />
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

/** The names of the photos that are in the store. */
const sentNames = ({ photos }) => photos.filter((photo) => photo.state === "sent").map((photo) => photo.name);

function problemsOf(wish, chosen, consent, limits) {
  const missing = limits.fewestPhotos - chosen.sent;
  return [
    chosen.busy && t("new.waitUploads"),
    !chosen.busy && missing > 0 && t("new.needPhotos", { count: missing }),
    !wish.noun && t("new.needNoun"),
    ...lookProblems(wish, limits),
    !consent && t("new.needConsent"),
  ].filter(Boolean);
}
