// What the page says, in the visitor's language: texts/<language>.json.

const LANGUAGES = ["en", "ko"];
const KEPT = "profile-studio-language";

let language = "en";
let texts = {};

export function chosenLanguage() {
  const kept = localStorage.getItem(KEPT);
  if (LANGUAGES.includes(kept)) return kept;
  const wanted = navigator.languages.map((language) => language.slice(0, 2));
  return wanted.find((language) => LANGUAGES.includes(language)) ?? "en";
}

export function otherLanguage() {
  return language === "en" ? "ko" : "en";
}

export async function speak(wanted) {
  const answer = await fetch(`/texts/${wanted}.json`);
  texts = await answer.json();
  language = wanted;
  localStorage.setItem(KEPT, wanted);
  document.documentElement.lang = wanted;
  document.title = t("title");
}

/** The text of that key, `{name}`s replaced; of a `count` of one the text of `<key>.one`, where there is one. */
export function t(key, values = {}) {
  const text = (values.count === 1 && texts[`${key}.one`]) || texts[key];
  return (text ?? key).replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

export function knows(key) {
  return key in texts;
}

/** What a Failure of api.js means. */
export function say(failure) {
  const key = `error.${failure.code}`;
  const values = { ...failure.values };
  if (knows(`field.${values.field}`)) values.field = t(`field.${values.field}`);
  return knows(key) ? t(key, values) : t("error.internal");
}

/** A style's title; Korean ones are optional. */
export function styleTitle(style) {
  return style.title[language] || style.title.en;
}

export function dateText(iso) {
  return new Date(iso).toLocaleDateString(language, { year: "numeric", month: "long", day: "numeric" });
}
