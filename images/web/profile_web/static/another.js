// Another look for a person who was learnt already: the same request, drawn otherwise.

import * as api from "./api.js";
import { LayoutFields, StyleFields, amongOffered, lookProblems } from "./looks.js";
import { say, t } from "./texts.js";
import { html, useEffect, useState } from "./vendor/htm-preact.js";

// What other looks may mend.
const MENDED = [
  "StyleNotFound",
  "StyleNotUnderstood",
  "StyleAdapterNotReady",
  "NoLikenessReached",
  "SourceNotFound",
  "SourceRefused",
];

export function AnotherLook({ request, session, fail }) {
  const [open, setOpen] = useState(false);
  const may = request.state === "Ready" || (request.state === "Stalled" && MENDED.includes(request.reason));
  if (!may) return null;
  return html`
    <section aria-labelledby="another-heading">
      <h2 id="another-heading">${t("look.heading")}</h2>
      <p class="hint">${t("look.hint")}</p>
      ${open
        ? html`<${LookForm} request=${request} session=${session} fail=${fail} close=${() => setOpen(false)} />`
        : html`<button type="button" class="button" onClick=${() => setOpen(true)}>${t("look.open")}</button>`}
    </section>
  `;
}

function LookForm({ request, session, fail, close }) {
  const { limits, layouts } = session;
  const [offered, setOffered] = useState([]);
  const [look, setLook] = useState({
    styles: request.styles,
    layouts: request.layouts,
    portraits: request.portraitsEach,
    source: request.source ?? null,
  });
  const usable = request.photos.filter((photo) => photo.accepted).map((photo) => photo.name);
  const [problems, setProblems] = useState([]);
  const [asking, setAsking] = useState(false);
  const change = (news) => {
    setProblems([]);
    setLook((before) => ({ ...before, ...news }));
  };
  useEffect(() => {
    api.styles().then((styles) => {
      setOffered(styles);
      setLook((before) => amongOffered(before, styles));
    }, fail);
  }, []);

  async function go(event) {
    event.preventDefault();
    const missing = lookProblems(look, limits);
    if (!missing.length && isSame(look, request)) missing.push(t("look.same"));
    setProblems(missing);
    if (missing.length) return;
    setAsking(true);
    try {
      await api.look(request.name, look);
      close();
      scrollTo(0, 0);
    } catch (failure) {
      setProblems([say(failure)]);
      setAsking(false);
    }
  }

  return html`
    <form class="another" onSubmit=${go} novalidate>
      <fieldset>
        <legend>${t("look.styles")}</legend>
        <${StyleFields} look=${look} change=${change} offered=${offered} limits=${limits} photos=${usable} />
      </fieldset>
      <fieldset>
        <legend>${t("look.layouts")}</legend>
        <${LayoutFields} look=${look} change=${change} layouts=${layouts} />
      </fieldset>
      <div role="alert" class="problems">${problems.map((problem) => html`<p key=${problem}>${problem}</p>`)}</div>
      <div class="row">
        <button class="button primary" disabled=${asking}>${t(asking ? "new.starting" : "look.go")}</button>
        <button type="button" class="button" onClick=${close}>${t("look.cancel")}</button>
      </div>
    </form>
  `;
}

/** Sets: in another order they are the same. */
function isSame(look, request) {
  const equal = (names, other) => names.length === other.length && names.every((name) => other.includes(name));
  return (
    equal(look.styles, request.styles) &&
    equal(look.layouts, request.layouts) &&
    look.portraits === request.portraitsEach &&
    look.source === (request.source ?? null)
  );
}
