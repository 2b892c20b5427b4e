// What portraits shall look like: styles, how many, cuts. Chosen for a new request, and again for one that is ready.

import { styleTitle, t } from "./texts.js";
import { html } from "./vendor/htm-preact.js";

/** `look`: { styles, layouts, portraits }, changed by `change`; `offered`: the styles of this cluster. */
export function StyleFields({ look, change, offered, limits }) {
  return html`
    <div class="styles">
      ${offered.map(
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
