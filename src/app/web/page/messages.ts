// Messages between the page of a live session and `el2 serve`, as JSON texts; bytes that are typed
// or drawn are binary messages. The token is a subprotocol of the connection, beside this one: it
// is in no address, and without it there is no connection.

/** The subprotocol of these messages. */
export const SUBPROTOCOL = "el2.screens.1";

/** Columns and rows of the largest terminal that is drawn in a page. */
export const LARGEST = { columns: 500, rows: 200 };

/** A page's message to the screens. */
export type PageMessage =
  | { readonly kind: "resized"; readonly columns: number; readonly rows: number }
  /** The last bytes are drawn: more may come. */
  | { readonly kind: "drawn" };

/** A message of the screens to a page. */
export type ScreenMessage =
  | { readonly kind: "title"; readonly title: string }
  /** The screen is another viewer's, of this size. */
  | { readonly kind: "follow"; readonly columns: number; readonly rows: number }
  /** From now on it is this viewer's. */
  | { readonly kind: "lead" };

const DRAWN = '{"kind":"drawn"}';
const RESIZED = /^\{"kind":"resized","columns":(\d{1,4}),"rows":(\d{1,4})\}$/;

/** A page's message, as `JSON.stringify` writes it; undefined for any other text. */
export function pageMessage(text: string): PageMessage | undefined {
  if (text === DRAWN) return { kind: "drawn" };
  const [, columns, rows] = RESIZED.exec(text)?.map(Number) ?? [];
  const fits = columns > 0 && rows > 0 && columns <= LARGEST.columns && rows <= LARGEST.rows;
  return fits ? { kind: "resized", columns, rows } : undefined;
}
