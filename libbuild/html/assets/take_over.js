"use strict";

// Makes the element `into` what `from` is, keeping what is the same, what is marked data-keep, and whether details are
// open.
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
