// Styles that xterm.js writes, in a page whose policy (CSP) allows no styles but those of its own
// files. It makes elements and attributes of style, which the policy forbids whoever makes them.
// The same rules given by script are not markup, and allowed.

import { browser, type PageElement } from "./browser.ts";

/** Takes the styles that scripts of this page make from now on as rules. */
export function allowOwnStyles(): void {
  const { document, Element } = browser, { createElement } = document, { setAttribute } = Element.prototype;
  document.createElement = (name) => {
    const made = createElement.call(document, name === "style" ? "template" : name);
    return name === "style" ? asRules(made) : made;
  };
  Element.prototype.setAttribute = function (name, value) {
    if (name === "style") this.style.cssText = value;
    else setAttribute.call(this, name, value);
  };
}

/**
 * An element whose text becomes rules of the page. xterm.js puts it into its own, and writes its
 * text anew with each theme and size.
 * @param holder an element that shows nothing
 */
function asRules(holder: PageElement): PageElement {
  const rules = new browser.CSSStyleSheet();
  browser.document.adoptedStyleSheets.push(rules);
  return Object.defineProperty(holder, "textContent", { get: () => "", set: (text: string) => rules.replaceSync(text) });
}
