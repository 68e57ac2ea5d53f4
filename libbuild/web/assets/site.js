// Keeps pages fresh and follows logs. Every page is complete without it.
//
// A page that changes says so (data-refresh on body): it is fetched again and what differs is taken over, so that
// scrolling, focus and opened parts stay. Logs are not taken over: they are read on from their own offset.
"use strict";

(() => {
  const kMaxShown = 2 * 1024 * 1024;  // characters of one log kept in the page

  // Terminal colours: the same as the server does for what it writes itself.
  class LogWriter {
    constructor(pre) {
      this.pre = pre;
      this.held = "";   // the beginning of a sequence, or a carriage return, that was not all there yet
      this.style = {};
      this.shown = pre.textContent.length;
    }

    write(text) {
      const atEnd = this.pre.scrollTop + this.pre.clientHeight >= this.pre.scrollHeight - 24;
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
      this.trim();
      if (atEnd) this.pre.scrollTop = this.pre.scrollHeight;
    }

    add(text) {
      text = text.replace(/\r\n?/g, "\n").replace(/[\0-\x08\x0b\x0c\x0e-\x1f]/g, (c) => String.fromCharCode(0x2400 + c.charCodeAt(0)))
        .replace(/[\x7f-\x9f]/g, "\ufffd")
        .replace(/[\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff0-\ufffb]/g,
          (c) => "[U+" + c.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0") + "]");
      if (text === "") return;
      this.shown += text.length;
      const classes = Object.values(this.style).join(" ");
      if (classes === "") {
        this.pre.append(text);
        return;
      }
      const span = document.createElement("span");
      span.className = classes;
      span.append(text);
      this.pre.append(span);
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

    trim() {
      while (this.shown > kMaxShown && this.pre.childNodes.length > 1) {
        this.shown -= this.pre.firstChild.textContent.length;
        this.pre.firstChild.remove();
      }
    }
  }

  const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

  async function follow(pre) {
    const writer = new LogWriter(pre);
    let offset = Number(pre.dataset.offset);
    for (let wait = 500; pre.isConnected; wait = Math.min(wait * 2, 15000)) {
      try {
        const path = "/api/v1/runs/" + encodeURIComponent(pre.dataset.run) + "/log?follow=1&offset=" + offset;
        const answer = await fetch(path);
        if (answer.ok) {
          const decoder = new TextDecoder();
          const reader = answer.body.getReader();
          for (;;) {
            const { done, value } = await reader.read();
            if (done) break;
            offset += value.length;
            writer.write(decoder.decode(value, { stream: true }));
            wait = 500;
          }
          delete pre.dataset.live;
          return;
        }
      } catch (error) {
        // The connection broke: go on from the last byte that came.
      }
      await pause(wait);
    }
  }

  const followed = new WeakSet();
  function followLogs() {
    for (const pre of document.querySelectorAll("pre[data-live]")) {
      if (followed.has(pre)) continue;
      followed.add(pre);
      pre.scrollTop = pre.scrollHeight;
      follow(pre);
    }
  }

  // Makes `into` what `from` is, keeping what is the same.
  function takeOver(into, from) {
    if (into.isEqualNode(from)) return;
    if (into.nodeType !== Node.ELEMENT_NODE) {
      into.nodeValue = from.nodeValue;
      return;
    }
    if (into.dataset.keep !== undefined) return;
    for (const { name } of [...into.attributes])
      if (!from.hasAttribute(name) && !(into.nodeName === "DETAILS" && name === "open")) into.removeAttribute(name);
    for (const { name, value } of from.attributes)
      if (into.getAttribute(name) !== value && !(into.nodeName === "DETAILS" && name === "open")) into.setAttribute(name, value);
    takeOverChildren(into, from);
  }

  function takeOverChildren(into, from) {
    let next = into.firstChild;
    for (const wanted of [...from.childNodes]) {
      const named = wanted.id ? [...into.children].find((child) => child.id === wanted.id) : null;
      if (named) {
        if (named === next) next = next.nextSibling;
        else into.insertBefore(named, next);
        takeOver(named, wanted);
      } else if (next && next.nodeName === wanted.nodeName && !next.id && !wanted.id) {
        takeOver(next, wanted);
        next = next.nextSibling;
      } else {
        into.insertBefore(document.importNode(wanted, true), next);
      }
    }
    while (next) {
      const gone = next;
      next = next.nextSibling;
      gone.remove();
    }
  }

  async function refresh() {
    const url = new URL(location.href);
    url.searchParams.set("logs", "0");
    const answer = await fetch(url);
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.title = fresh.title;
    takeOver(document.body, fresh.body);
    followLogs();
  }

  async function keepFresh() {
    for (;;) {
      const seconds = Number(document.body.dataset.refresh);
      if (!(seconds > 0)) return;
      await pause(seconds * 1000);
      if (document.hidden) continue;
      try {
        await refresh();
      } catch (error) {
        // The farm does not answer now; ask again later.
      }
    }
  }

  followLogs();
  keepFresh();
})();
