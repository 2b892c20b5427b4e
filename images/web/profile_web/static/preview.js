// A photo and what was drawn over it, one above the other with a slider between them; and the first picture that can
// be seen while a person is learnt.

import * as api from "./api.js";
import { styleTitle, t } from "./texts.js";
import { html, useEffect, useState } from "./vendor/htm-preact.js";

const EVERY_MILLISECONDS = 4000;

/** Two pictures of one framing: left of the line the photo, right of it what was drawn. The line is a range, so that
 * keyboards, screen readers and fingers move it as they move any other. */
export function Beside({ source, result, title }) {
  const [share, setShare] = useState(50);
  return html`
    <figure class="beside">
      <div class="stack" style=${{ "--share": `${share}%` }}>
        <img src=${result} alt=${t("beside.result", { style: title })} />
        <img class="source" src=${source} alt=${t("beside.source")} />
        <span class="line" aria-hidden="true"></span>
        <span class="tag left" aria-hidden="true">${t("beside.photo")}</span>
        <span class="tag right" aria-hidden="true">${title}</span>
        <input
          type="range"
          min="0"
          max="100"
          step="1"
          value=${share}
          aria-label=${t("beside.slider")}
          aria-valuetext=${t("beside.value", { percent: share })}
          onInput=${(event) => setShare(event.target.valueAsNumber)}
        />
      </div>
    </figure>
  `;
}

/** What can be seen before there are portraits: asked for until it is there. */
export function Preview({ request }) {
  const [preview, setPreview] = useState({ state: "Running", pictures: [] });
  const [styles, setStyles] = useState([]);
  useEffect(() => {
    let timer = 0;
    const look = () =>
      api.preview(request.name).then(
        (news) => {
          setPreview(news);
          if (news.state === "Running") timer = setTimeout(look, EVERY_MILLISECONDS);
        },
        () => (timer = setTimeout(look, EVERY_MILLISECONDS)),
      );
    look();
    api.styles().then(setStyles, () => null);
    return () => clearTimeout(timer);
  }, [request.name]);
  const picture = preview.pictures.find((shown) => shown.url && shown.source);
  if (!picture) return null;
  const style = styles.find((known) => known.name === picture.style);
  return html`
    <section aria-labelledby="preview-heading">
      <h2 id="preview-heading">${t("preview.heading")}</h2>
      <p class="hint">${t("preview.hint")}</p>
      <div class="previewed">
        <span class="badge">${t("preview.badge")}</span>
        <${Beside} source=${picture.source} result=${picture.url} title=${style ? styleTitle(style) : picture.style} />
      </div>
    </section>
  `;
}
