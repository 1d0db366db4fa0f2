// Keeps the page current: asks for it again every few seconds and replaces what changed.
"use strict";
(() => {
  const PERIOD_MS = 3000;
  const main = document.getElementById("main");
  const live = document.getElementById("live");
  let shown = main.innerHTML;

  async function refresh() {
    // Who is filling in a search keeps what they typed.
    if (document.hidden || document.activeElement?.matches("main form *")) return;
    try {
      const answer = await fetch(location.href, {
        // Nobody asked: this must not keep a session alive that its person left.
        credentials: "same-origin", cache: "no-store", headers: { "X-Navette-By-Itself": "1" },
      });
      if (answer.status === 401) {
        live.textContent = "Session fermée : rechargez la page pour vous reconnecter.";
        return;
      }
      if (!answer.ok) throw new Error(String(answer.status));
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById("main").innerHTML;
      if (fresh !== shown) {
        // A reader who is on a link keeps the focus on the same link.
        const focused = main.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
        main.innerHTML = shown = fresh;
        if (focused) main.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
        live.textContent = "Mis à jour à " + new Date().toLocaleTimeString("fr-FR");
      }
    } catch {
      live.textContent = "Connexion interrompue, nouvel essai…";
    }
  }
  setInterval(refresh, PERIOD_MS);
})();
