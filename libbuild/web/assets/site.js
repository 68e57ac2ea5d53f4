// Keeps pages fresh and follows logs. Every page is complete without it.
//
// A page that changes says so (data-refresh on body): it is fetched again and what differs is taken over, so that
// scrolling, focus and opened parts stay. A build's page (data-events) is told of changes by one stream of events, which
// also brings the logs: they are written on behind what the page has, each from its own offset. While the page is
// hidden nothing is fetched and no stream is open.
"use strict";

(() => {
  const kMaxLines = 20000;  // of one log kept in the page
  const kGroup = 200;       // lines that are laid out together
  const kMaxLine = 65536;   // characters of one line that are shown

  // Writes a log's text as numbered lines, with terminal colours as classes: the same as the server does for what it
  // writes itself.
  class LogWriter {
    constructor(pre) {
      this.pre = pre;
      this.prefix = pre.dataset.lines;
      this.held = "";  // the beginning of a sequence, or a carriage return, that was not all there yet
      this.style = {};
      const last = pre.lastElementChild;
      this.number = last ? Number(last.id.slice(this.prefix.length)) : 0;
      this.line = last && !last.textContent.endsWith("\n") ? last : null;
      this.length = this.line ? this.line.textContent.length : 0;
      this.lines = pre.childElementCount;
      this.group = null;
      this.pinned = true;  // somebody looks at the end and wants to go on doing so
      pre.addEventListener("scroll", () => {
        this.pinned = pre.scrollTop + pre.clientHeight >= pre.scrollHeight - 24;
      }, { passive: true });
    }

    write(text) {
      text = this.held + text;
      this.held = "";
      const sequence = /\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\|(?=\x1b|\n))|[ -/][^]|[0-OQ-WYZ`-~])/g;
      let from = 0;
      for (let match; (match = sequence.exec(text)) !== null; from = sequence.lastIndex) {
        this.add(text.slice(from, match.index));
        if (match[0].startsWith("\x1b[") && match[0].endsWith("m")) this.select(match[0].slice(2, -1));
      }
      let rest = text.slice(from);
      const open = rest.lastIndexOf("\x1b");
      if (open >= 0 && rest.length - open < 4096) {
        this.held = rest.slice(open);
        rest = rest.slice(0, open);
      } else if (rest.endsWith("\r")) {
        this.held = "\r";
        rest = rest.slice(0, -1);
      }
      this.add(rest);
    }

    // After a number of writes: once, because it makes the browser lay the page out.
    settle() {
      while (this.lines > kMaxLines && this.pre.firstElementChild !== this.group) {
        const first = this.pre.firstElementChild;
        this.lines -= first.className === "group" ? first.childElementCount : 1;
        first.remove();
      }
      if (this.pinned) this.pre.scrollTop = this.pre.scrollHeight;
    }

    add(text) {
      text = text.replace(/\r\n/g, "\n");
      for (let from = 0; from < text.length;) {
        const feed = text.indexOf("\n", from);
        const end = feed < 0 ? text.length : feed + 1;
        if (this.line === null) this.begin();
        this.put(text.slice(from, end));
        if (feed >= 0) this.line = null;
        from = end;
      }
    }

    begin() {
      if (this.group === null || this.group.childElementCount >= kGroup) {
        this.group = document.createElement("span");
        this.group.className = "group";
        this.pre.append(this.group);
      }
      this.line = document.createElement("span");
      this.line.id = this.prefix + ++this.number;
      const link = document.createElement("a");
      link.href = "#" + this.line.id;
      link.tabIndex = -1;
      link.textContent = this.number;
      this.line.append(link);
      this.group.append(this.line);
      this.length = 0;
      ++this.lines;
    }

    put(text) {
      const end = text.endsWith("\n") ? "\n" : "";
      const room = kMaxLine - this.length;
      if (text.length > room) text = (room > 0 ? text.slice(0, room) + "\u2026" : "") + end;
      this.length += text.length;
      text = text.replace(/\r/g, "\n")
        .replace(/[\0-\x08\x0b\x0c\x0e-\x1f]/g, (c) => String.fromCharCode(0x2400 + c.charCodeAt(0)))
        .replace(/\x7f/g, "\u2421").replace(/[\x80-\x9f]/g, "\ufffd")
        .replace(/[\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\u{1d173}-\u{1d17a}\u{e0000}-\u{e0fff}]/gu,
          (c) => "[U+" + c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0") + "]");
      if (text === "") return;
      const classes = Object.values(this.style).join(" ");
      if (classes === "") {
        this.line.append(text);
        return;
      }
      const span = document.createElement("span");
      span.className = classes;
      span.append(text);
      this.line.append(span);
    }

    select(parameters) {
      const n = parameters.split(/[;:]/).map((p) => Number(p) || 0);
      for (let i = 0; i < n.length; ++i) {
        const s = this.style;
        if (n[i] === 0) this.style = {};
        else if (n[i] === 1) s.bold = "bold";
        else if (n[i] === 2) s.dim = "dim";
        else if (n[i] === 3) s.italic = "italic";
        else if (n[i] === 4) s.underline = "underline";
        else if (n[i] === 22) { delete s.bold; delete s.dim; }
        else if (n[i] === 23) delete s.italic;
        else if (n[i] === 24) delete s.underline;
        else if (n[i] >= 30 && n[i] <= 37) s.color = "a" + (n[i] - 30);
        else if (n[i] >= 90 && n[i] <= 97) s.color = "a" + (n[i] - 82);
        else if (n[i] === 39) delete s.color;
        else if (n[i] === 38 || n[i] === 48) {
          const short = n[i + 1] === 5;
          if (n[i] === 38) {
            delete s.color;
            if (short && n[i + 2] < 16) s.color = "a" + n[i + 2];
          }
          i += short ? 2 : 4;
        }
      }
    }
  }

  // The logs of the page. Text is written at once if nothing was in this frame, else together with all else that comes
  // in it. What belongs to a step that the page does not show yet is kept until it does.
  const logs = {
    writers: new Map(),
    early: new Map(),
    batch: [],
    resting: false,

    find(run) {
      let writer = this.writers.get(run);
      if (writer === undefined) {
        const pre = document.querySelector(`pre[data-run="${CSS.escape(run)}"]`);
        if (pre === null) return null;
        writer = new LogWriter(pre);
        writer.offset = Number(pre.dataset.offset);
        this.writers.set(run, writer);
      }
      return writer;
    },

    take(event) {
      this.batch.push(event);
      if (this.resting) return;
      this.resting = true;
      requestAnimationFrame(() => {
        this.resting = false;
        this.flush();
      });
      this.flush();
    },

    flush() {
      const touched = new Set();
      for (const event of this.batch.splice(0)) {
        const writer = this.find(event.run);
        if (writer === null) {
          this.early.set(event.run, (this.early.get(event.run) || []).concat(event));
          continue;
        }
        if (event.offset < writer.offset) continue;
        writer.offset = event.offset + event.length;
        writer.write(event.text);
        touched.add(writer);
      }
      for (const writer of touched) writer.settle();
    },

    // The page has been brought up to date: what came too early may have its place now.
    place() {
      const events = [...this.early.values()].flat();
      this.early.clear();
      this.batch.unshift(...events);
      this.flush();
    },
  };

  // The stream of events: one, open while the page can be seen.
  const stream = {
    source: null,
    position: null,
    over: document.body.dataset.events === undefined,

    open() {
      if (this.over || this.source !== null || document.hidden) return;
      const url = new URL(document.body.dataset.events, location.href);
      if (this.position !== null) url.searchParams.set("from", this.position);
      const source = new EventSource(url);
      this.source = source;
      source.addEventListener("log", (message) => {
        this.position = message.lastEventId;
        logs.take(JSON.parse(message.data));
      });
      source.addEventListener("state", () => refreshSoon());
      source.addEventListener("end", () => {
        this.over = true;
        this.close();
        refreshSoon();
      });
      source.addEventListener("error", () => {
        // The browser comes again by itself, unless the answer was a refusal.
        if (source.readyState !== EventSource.CLOSED) return;
        this.close();
        setTimeout(() => this.open(), 5000);
      });
    },

    close() {
      if (this.source !== null) this.source.close();
      this.source = null;
    },
  };

  async function refresh() {
    const url = new URL(location.href);
    url.hash = "";
    url.searchParams.set("logs", "0");
    const answer = await fetch(url);
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.title = fresh.title;
    takeOver(document.body, fresh.body);
    logs.place();
  }

  // One at a time; what is asked for meanwhile is done once more afterwards.
  let refreshing = false, again = false;
  async function refreshSoon() {
    again = true;
    if (refreshing) return;
    refreshing = true;
    while (again) {
      again = false;
      try {
        await refresh();
      } catch (error) {
        // The farm does not answer now; it is asked again later.
      }
    }
    refreshing = false;
  }

  const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

  async function keepFresh() {
    for (;;) {
      const seconds = Number(document.body.dataset.refresh);
      if (!(seconds > 0)) return;
      await pause(seconds * 1000);
      if (!document.hidden) await refreshSoon();
    }
  }

  // A link to a line that this page does not have leads to the page that has it.
  function findLine() {
    const match = /^#s(\d+)-(\d+)-L(\d+)$/.exec(location.hash);
    const build = /^\/build\/\d+/.exec(location.pathname);
    if (match === null || build === null) return;
    const line = document.getElementById(location.hash.slice(1));
    if (line === null) {
      const from = Math.max(1, Number(match[3]) - 20);
      const target = `${build[0]}/log/${match[1]}-${match[2]}?from=${from}${location.hash}`;
      if (target !== location.pathname + location.search + location.hash) location.replace(target);
      return;
    }
    const step = line.closest("details");
    if (step !== null) step.open = true;
    line.scrollIntoView({ block: "center" });
  }

  // Leaves what was not chosen out of the address.
  for (const form of document.querySelectorAll("form[method=get]"))
    form.addEventListener("formdata", (event) => {
      for (const [name, value] of [...event.formData]) if (value === "") event.formData.delete(name);
    });

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      stream.close();
    } else {
      stream.open();
      if (Number(document.body.dataset.refresh) > 0) refreshSoon();
    }
  });
  addEventListener("hashchange", findLine);

  for (const pre of document.querySelectorAll("pre[data-live]")) logs.find(pre.dataset.run).settle();
  if (location.hash !== "") findLine();
  stream.open();
  keepFresh();
})();
