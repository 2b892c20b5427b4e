// What portraits shall look like: styles, how many, cuts. Chosen for a new request, and again for one that is ready.

import { styleTitle, t } from "./texts.js";
import { html } from "./vendor/htm-preact.js";

/** `look`: { styles, layouts, portraits, source }, changed by `change`; `offered`: the styles of this cluster; `photos`:
 * names of the photos of which one may be kept. */
export function StyleFields({ look, change, offered, limits, photos }) {
  const choices = (styles) => html`
    <div class="styles">
      ${styles.map(
        (style) => html`
          <${StyleChoice}
            key=${style.name}
            style=${style}
            checked=${look.styles.includes(style.name)}
            toggle=${() => change({ styles: toggled(look.styles, style.name) })}
          />
        `,
      )}
    </div>
  `;
  const kept = offered.filter((style) => style.fromPhoto);
  const asked = kept.some((style) => look.styles.includes(style.name));
  return html`
    ${choices(offered.filter((style) => !style.fromPhoto))}
    ${kept.length > 0 &&
    html`
      <div role="group" aria-labelledby="keep-heading">
        <h2 id="keep-heading" class="smaller">${t("keep.heading")}</h2>
        <p class="hint">${t("keep.hint")}</p>
        ${choices(kept)} ${asked && html`<${SourceField} look=${look} change=${change} photos=${photos} />`}
      </div>
    `}
    <label class="field">
      ${t("new.portraits")}
      <input
        type="number"
        min="1"
        max=${limits.mostPortraits}
        step="1"
        value=${look.portraits}
        onInput=${(event) => change({ portraits: event.target.valueAsNumber })}
      />
    </label>
  `;
}

export function LayoutFields({ look, change, layouts }) {
  return html`
    <div class="layouts">
      ${layouts.map(
        (layout) => html`
          <label key=${layout.name} class="choice">
            <input
              type="checkbox"
              checked=${look.layouts.includes(layout.name)}
              onChange=${() => change({ layouts: toggled(look.layouts, layout.name) })}
            />
            <span>
              ${t(`layout.${layout.name}`)}
              <small>${t("layout.size", { width: layout.widthMm, height: layout.heightMm })}</small>
            </span>
          </label>
        `,
      )}
    </div>
  `;
}

/** Which photo is kept: the best one, or one by its name. One that was taken away since is still named, to be changed. */
function SourceField({ look, change, photos }) {
  const names = look.source && !photos.includes(look.source) ? [look.source, ...photos] : photos;
  return html`
    <label class="field">
      ${t("keep.photo")}
      <select value=${look.source ?? ""} onChange=${(event) => change({ source: event.target.value || null })}>
        <option value="">${t("keep.best")}</option>
        ${names.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}
      </select>
    </label>
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
      <small>${t(`tone.${style.tone}`)}${style.own ? ` · ${t("style.own")}` : ""}</small>
    </label>
  `;
}

/** The look without styles that this cluster does not offer. */
export function amongOffered(look, offered) {
  const names = offered.map((style) => style.name);
  return { ...look, styles: look.styles.filter((name) => names.includes(name)) };
}

/** What speaks against a look, in words. */
export function lookProblems(look, limits) {
  return [
    !look.styles.length && t("new.needStyles"),
    !inRange(look.portraits, limits.mostPortraits) && t("new.portraitsRange", { most: limits.mostPortraits }),
    !look.layouts.length && t("new.needLayouts"),
  ].filter(Boolean);
}

const inRange = (count, most) => Number.isInteger(count) && count >= 1 && count <= most;

function toggled(names, name) {
  return names.includes(name) ? names.filter((other) => other !== name) : [...names, name];
}
