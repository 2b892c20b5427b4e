// The page: language, session, and what the address says is shown.

import * as api from "./api.js";
import { Home } from "./home.js";
import { New } from "./new.js";
import { Request } from "./request.js";
import { chosenLanguage, otherLanguage, say, speak, t } from "./texts.js";
import { html, render, useEffect, useState } from "./vendor/htm-preact.js";

const PASSING = ["network", "cluster-away", "store-away"];
const RETRY_MILLISECONDS = 5000;

function useAddress() {
  const [address, setAddress] = useState(location.hash);
  useEffect(() => {
    const look = () => setAddress(location.hash);
    addEventListener("hashchange", look);
    return () => removeEventListener("hashchange", look);
  }, []);
  return address;
}

function Page() {
  const address = useAddress();
  const [, setLanguage] = useState("");
  const [session, setSession] = useState(null);
  const [problem, setProblem] = useState(null);

  useEffect(() => begin(setSession, setProblem), []);
  useEffect(() => {
    setProblem(null);
  }, [address]);
  useEffect(() => {
    document.querySelector("h1")?.focus({ preventScroll: true });
    scrollTo(0, 0);
  }, [address, session === null]);

  const change = () => speak(otherLanguage()).then(() => setLanguage(otherLanguage()));
  return html`
    <a class="skip" href="#content" onClick=${skip}>${t("skip")}</a>
    <nav class="top" aria-label=${t("title")}>
      <a class="brand" href="#/"><img src="/icon.svg" alt="" width="28" height="28" />${t("title")}</a>
      <span class="who">${session && (session.local ? t("local") : t("signedIn", { user: session.user }))}</span>
      <button type="button" class="small" lang=${otherLanguage()} onClick=${change}>${t("language")}</button>
    </nav>
    <main id="content" tabindex="-1">
      ${problem && html`<${Problem} failure=${problem} address=${address} />`}
      ${session && show(address, session, setProblem)}
    </main>
    <footer>${t("footer")}</footer>
  `;
}

/** Asks who visits, until somebody answers. Returns what ends it. */
function begin(setSession, setProblem) {
  let timer = 0;
  const ask = () =>
    api.session().then(
      (session) => {
        setProblem(null);
        setSession(session);
      },
      (failure) => {
        setProblem(failure);
        if (PASSING.includes(failure.code)) timer = setTimeout(ask, RETRY_MILLISECONDS);
      },
    );
  ask();
  return () => clearTimeout(timer);
}

function Problem({ failure, address }) {
  const home = ["", "#", "#/"].includes(address);
  return html`<p class="note bad" role="alert">
    ${say(failure)} ${!home && html`<a href="#/">${t("back")}</a>`}
    ${failure.code === "not-signed-in" && html`<a href="/">${t("reload")}</a>`}
  </p>`;
}

// The address says what is shown: a link to an anchor would change it.
function skip(event) {
  event.preventDefault();
  document.getElementById("content").focus();
}

function show(address, session, fail) {
  if (address === "#/new") return html`<${New} fail=${fail} />`;
  const name = address.match(/^#\/request\/([\w.-]+)$/)?.[1];
  if (name) return html`<${Request} key=${name} name=${name} session=${session} fail=${fail} />`;
  return html`<${Home} session=${session} fail=${fail} />`;
}

await speak(chosenLanguage());
render(html`<${Page} />`, document.getElementById("page"));
