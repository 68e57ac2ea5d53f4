// Keeps a page up to date. A list takes over what is new by itself; a page that is being read says that there is news,
// and shows it when it is told to. Without it all pages work; they are as they were when they were asked for.
"use strict";

(() => {
  const kPause = 1000;  // between two looks
  const body = document.body;
  const news = document.getElementById("news");

  // What the server sends, to be compared with: fields may have been written into meanwhile, and rows come.
  let shown = document.getElementById("main").cloneNode(true);

  // That counts lag behind for a moment is no news.
  function withoutLag(main) {
    const copy = main.cloneNode(true);
    for (const lag of copy.querySelectorAll(".lag")) lag.remove();
    return copy;
  }

  async function fetchPage() {
    const url = new URL(location.href);
    url.hash = "";
    const answer = await fetch(url, { cache: "no-cache" });
    return answer.ok ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
  }

  function show(fresh) {
    const main = document.getElementById("main");
    const focused = document.activeElement;
    const busy = main.contains(focused) && /^(INPUT|SELECT|TEXTAREA)$/.test(focused.nodeName);
    const forms = busy ? [...main.querySelectorAll("form")] : [];
    const freshMain = fresh.getElementById("main");
    shown = freshMain.cloneNode(true);
    // Somebody writes: the form stays as it is.
    const freshForms = [...freshMain.querySelectorAll("form")];
    forms.forEach((form, i) => {
      if (freshForms[i]) freshForms[i].replaceWith(form.cloneNode(true));
    });
    if (busy) {
      const outside = [...main.children].filter((child) => !child.contains(focused));
      const outsideFresh = [...freshMain.children];
      if (main.children.length === outsideFresh.length)
        [...main.children].forEach((child, i) => {
          if (outside.includes(child)) takeOver(child, outsideFresh[i]);
        });
    } else {
      takeOver(main, freshMain);
    }
    takeOver(document.querySelector("footer"), fresh.querySelector("footer"));
    document.title = fresh.title;
    body.dataset.moment = fresh.body.dataset.moment;
    news.hidden = true;
  }

  function tell(fresh) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Show it";
    button.addEventListener("click", () => show(fresh));
    news.replaceChildren("There is something new on this page. ", button);
    news.hidden = false;
  }

  let looking = false, again = false;
  async function look() {
    again = true;
    if (looking) return;
    looking = true;
    while (again && !document.hidden) {
      again = false;
      try {
        const fresh = await fetchPage();
        if (fresh !== null) {
          const main = fresh.getElementById("main");
          if (body.dataset.live === "list" || withoutLag(main).isEqualNode(withoutLag(shown))) show(fresh);
          else tell(fresh);
        }
      } catch (error) {
        // The server does not answer now; the next event comes when it does.
      }
      await new Promise((done) => setTimeout(done, kPause));
    }
    looking = false;
  }

  const stream = {
    source: null,
    open() {
      if (body.dataset.live === undefined || this.source !== null || document.hidden) return;
      this.source = new EventSource("/-/events?from=" + encodeURIComponent(body.dataset.moment));
      this.source.addEventListener("news", (message) => {
        body.dataset.moment = message.data;
        look();
      });
      this.source.addEventListener("error", () => {
        if (this.source.readyState !== EventSource.CLOSED) return;
        this.close();
        setTimeout(() => this.open(), 5000);
      });
    },
    close() {
      if (this.source !== null) this.source.close();
      this.source = null;
    },
  };

  // Leaves what was not chosen out of the address.
  document.addEventListener("formdata", (event) => {
    for (const [name, value] of [...event.formData]) if (value === "") event.formData.delete(name);
  });

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) stream.close();
    else stream.open();
  });
  stream.open();
})();
