// The parts of a browser that pages use, with types: a program of Deno has none for them, and with
// those of a browser it could name what it does not have.

/** The part of an element that pages use. */
export interface PageElement {
  readonly clientWidth: number;
  readonly clientHeight: number;
  readonly style: { cssText: string };
  readonly dataset: Record<string, string | undefined>;
  textContent: string | null;
  hidden: boolean;
  querySelector(selector: string): PageElement | null;
  getBoundingClientRect(): { readonly width: number; readonly height: number };
  addEventListener(kind: string, listener: (event: PageEvent) => void, options?: { readonly capture: boolean }): void;
  dispatchEvent(event: object): void;
  append(...children: (PageElement | string)[]): void;
  setAttribute(name: string, value: string): void;
}

/** An event of an element: of the pointer, mostly. */
export interface PageEvent {
  readonly target: PageElement | null;
  /** The pointer alone has these: a finger, the first one of several, and where it is. */
  readonly pointerType: string;
  readonly isPrimary: boolean;
  readonly clientX: number;
  readonly clientY: number;
  preventDefault(): void;
}

/** A set of style rules made by script. */
interface StyleSheet {
  replaceSync(text: string): void;
}

/** A wish of the user, such as dark colors. */
interface MediaQuery {
  readonly matches: boolean;
  addEventListener(kind: "change", listener: () => void): void;
}

/** A page's document. */
export interface PageDocument {
  title: string;
  adoptedStyleSheets: StyleSheet[];
  querySelector(selector: string): PageElement | null;
  createElement(name: string): PageElement;
}

/** The address of the page. */
interface PageLocation {
  readonly hash: string;
  readonly host: string;
  readonly protocol: string;
  reload(): void;
}

declare const document: PageDocument;
declare const location: PageLocation;
declare const navigator: { readonly clipboard?: { writeText(text: string): Promise<void> } };
declare const Element: { readonly prototype: PageElement };
declare const WheelEvent: new (
  kind: "wheel",
  how: { readonly deltaY: number; readonly deltaMode: number; readonly clientX: number; readonly clientY: number },
) => object;
declare const CSSStyleSheet: new () => StyleSheet;
declare const ResizeObserver: new (call: () => void) => { observe(element: PageElement): void };
declare const matchMedia: (query: string) => MediaQuery;

/** The browser that shows the page. */
export const browser = {
  document,
  location,
  navigator,
  Element,
  WheelEvent,
  CSSStyleSheet,
  ResizeObserver,
  matchMedia: (query: string) => matchMedia(query),
};

/** The element of a page that a selector names. @throws Error without one: the page is another */
export function element(selector: string): PageElement {
  const found = browser.document.querySelector(selector);
  if (!found) throw new Error(`the page has no ${selector}`);
  return found;
}
