// The page: language, session, and what the address says is shown.

import * as api from "./api.js";
import { Home } from "./home.js";
import { New } from "./new.js";
import { Request } from "./request.js";
import { chosenLanguage, otherLanguage, speak, t } from "./texts.js";
import { html, render, useEffect, useState } from "./vendor/htm-preact.js";

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
  const [problem, setProblem] = useState("");
  const fail = (error) => setProblem(error.message);

  useEffect(() => {
    api.session().then(setSession, fail);
  }, []);
  useEffect(() => {
    setProblem("");
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
      <span class="who">${session && t("signedIn", { user: session.user })}</span>
      <button type="button" class="small" lang=${otherLanguage()} onClick=${change}>${t("language")}</button>
    </nav>
    <main id="content" tabindex="-1">
      ${problem && html`<p class="note bad" role="alert">${problem}</p>`} ${session && show(address, session, fail)}
    </main>
    <footer>${t("footer")}</footer>
  `;
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
  return html`<${Home} fail=${fail} />`;
}

await speak(chosenLanguage());
render(html`<${Page} />`, document.getElementById("page"));
