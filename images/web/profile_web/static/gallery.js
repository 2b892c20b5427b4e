// A request's portraits: by look, or the same portrait in different light side by side.

import * as api from "./api.js";
import { Beside } from "./preview.js";
import { knows, styleTitle, t } from "./texts.js";
import { html, useEffect, useRef, useState } from "./vendor/htm-preact.js";

export function Gallery({ request, fail }) {
  const [titles, setTitles] = useState(new Map());
  const [unmet, setUnmet] = useState(new Map());
  useEffect(() => {
    api.styles().then((styles) => setTitles(new Map(styles.map((style) => [style.name, styleTitle(style)]))), fail);
  }, []);
  // Other portraits or cuts, other checks; links alone are no news.
  const delivered = request.portraits.map((portrait) => [portrait.style, portrait.seed, ...portrait.cuts.map((cut) => cut.layout)]).join();
  useEffect(() => {
    api.checks(request.name).then((cuts) => setUnmet(new Map(cuts.map((cut) => [cutKey(cut, cut.layout), cut.unmet]))), fail);
  }, [delivered]);
  const title = (style) => titles.get(style) ?? style;
  // While another look is drawn, the portraits of the former one stay.
  const drawn = request.portraits.map((portrait) => portrait.style);
  const styles = [...new Set([...request.styles.filter((style) => drawn.includes(style)), ...drawn])];
  return html`
    <section aria-labelledby="portraits-heading">
      <h2 id="portraits-heading">${t("request.portraits")}</h2>
      ${request.portraits.some((portrait) => portrait.likeness > 0) && html`<p class="hint">${t("portrait.likenessHint")}</p>`}
      ${styles.map(
        (style) => html`
          <h3 key=${style}>${title(style)}</h3>
          <ul class="portraits">
            ${request.portraits
              .filter((portrait) => portrait.style === style)
              .map((portrait) => html`<${Portrait} key=${portrait.url} portrait=${portrait} title=${title(style)} unmet=${unmet} />`)}
          </ul>
        `,
      )}
      <${Downloads} request=${request} />
      <${Compare} request=${request} title=${title} fail=${fail} />
    </section>
  `;
}

const cutKey = ({ style, seed }, layout) => `${style} ${seed} ${layout}`;

function Portrait({ portrait, title, unmet }) {
  const [large, setLarge] = useState(false);
  const alt = t("portrait.alt", { style: title, rank: portrait.rank });
  return html`
    <li class="portrait">
      ${portrait.source
        ? html`<${Beside} source=${portrait.source} result=${portrait.url} title=${title} />`
        : html`<button type="button" class="enlarge" aria-label=${t("portrait.enlarge", { portrait: alt })} onClick=${() => setLarge(true)}>
            <img src=${portrait.thumbnail || portrait.url} alt=${alt} />
          </button>`}
      ${large && html`<${Enlarged} portrait=${portrait} alt=${alt} close=${() => setLarge(false)} />`}
      ${portrait.likeness > 0 && html`<${Likeness} percent=${portrait.likeness} />`}
      <ul class="cuts">
        <li><${Save} url=${portrait.save} file=${portrait.file}>${t("portrait.full")}<//></li>
        ${portrait.cuts.map(
          (cut) => html`<li key=${cut.layout}>
            <${Save} url=${cut.url} file=${cut.file}>${t(`layout.${cut.layout}`)}<//>
            <${Unmet} names=${unmet.get(cutKey(portrait, cut.layout)) ?? []} />
          </li>`,
        )}
      </ul>
    </li>
  `;
}

/** What a cut lacks, in words. */
function Unmet({ names }) {
  const told = names.filter((name) => knows(`check.${name}`));
  if (!told.length) return null;
  return html`<ul class="unmet">
    ${told.map((name) => html`<li key=${name}>${t(`check.${name}`)}</li>`)}
  </ul>`;
}

/** The whole portrait, as large as the window allows, with the pixels that it has. */
function Enlarged({ portrait, alt, close }) {
  const dialog = useRef(null);
  const [size, setSize] = useState(null);
  useEffect(() => dialog.current.showModal(), []);
  return html`
    <dialog ref=${dialog} class="enlarged" aria-label=${alt} onClose=${close} onClick=${(event) => event.target === dialog.current && dialog.current.close()}>
      <img
        src=${portrait.url}
        alt=${alt}
        onLoad=${({ target }) => setSize({ width: target.naturalWidth, height: target.naturalHeight })}
      />
      <div class="row">
        <span class="hint">${size && t("portrait.pixels", size)}</span>
        <${Save} url=${portrait.save} file=${portrait.file}>${t("portrait.full")}<//>
        <button type="button" class="button" autofocus onClick=${() => dialog.current.close()}>${t("portrait.close")}</button>
      </div>
    </dialog>
  `;
}

function Likeness({ percent }) {
  return html`<p class="likeness">
    <meter min="0" max="100" value=${Math.min(percent, 100)} aria-label=${t("portrait.likeness", { percent })}></meter>
    ${t("portrait.likeness", { percent })}
  </p>`;
}

function Save({ url, file, children }) {
  return html`<a href=${url} aria-label=${`${t("portrait.download", { file })}`}>${children}</a>`;
}

/** What was delivered in one light beside the same in the others, with the light that was measured. */
function Compare({ request, title, fail }) {
  const [rows, setRows] = useState([]);
  // Other portraits, other comparisons; links alone are no news.
  const delivered = request.portraits.map((portrait) => `${portrait.style} ${portrait.seed}`).join();
  useEffect(() => {
    api.comparisons(request.name).then(setRows, fail);
  }, [delivered]);
  if (!rows.length) return null;
  return html`
    <h3>${t("request.compare")}</h3>
    <p class="hint">${t("request.compareHint")}</p>
    <div class="comparisons">
      ${rows.map(
        (row) => html`
          <div key=${row.sides[0].url + row.seed} class="compare">
            ${inOrder(row.sides, request.styles).map(
              (side) => html`<${Side} key=${side.style} side=${side} title=${title(side.style)} />`,
            )}
          </div>
        `,
      )}
    </div>
  `;
}

/** As the looks were chosen, so that one light stands on one side. */
const inOrder = (sides, styles) => [...sides].sort((left, right) => styles.indexOf(left.style) - styles.indexOf(right.style));

function Side({ side, title }) {
  const shift = side.bShift == null ? "" : t(lightOf(side.bShift), { shift: signed(side.bShift) });
  return html`
    <figure class=${side.delivered ? "" : "other"}>
      ${side.url
        ? html`<img src=${side.thumbnail || side.url} alt=${t("compare.alt", { style: title })} />`
        : html`<p class="blank">${t("compare.notShown")}</p>`}
      <figcaption>
        <strong>${title}</strong>
        ${shift && html`<span>${shift}</span>`} ${side.likeness > 0 && html`<span>${t("portrait.likeness", { percent: side.likeness })}</span>`}
        ${side.url && !side.delivered && html`<span class="badge">${t("compare.notDelivered")}</span>`}
      </figcaption>
    </figure>
  `;
}

// A difference below one is seen by nobody.
function lightOf(shift) {
  if (Math.abs(shift) < 1) return "compare.neutral";
  return shift < 0 ? "compare.cooler" : "compare.warmer";
}

// A true minus sign, as wide as the plus.
const signed = (figure) => `${figure < 0 ? "−" : "+"}${Math.abs(figure).toFixed(1)}`;

function Downloads({ request }) {
  const links = [
    [api.zipPath(request.name), "request.zip"],
    [request.printSheet, "request.print"],
    [request.contactSheet, "request.sheet"],
    [request.adapter, "request.adapter"],
  ].filter(([url]) => url);
  return html`
    <h3>${t("request.downloads")}</h3>
    <ul class="downloads">
      ${links.map(([url, key]) => html`<li key=${key}><a class=${key === "request.zip" ? "button primary" : "button"} href=${url}>${t(key)}</a></li>`)}
    </ul>
  `;
}
