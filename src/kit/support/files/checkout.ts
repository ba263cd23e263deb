// Where the program's checkout is: the sources and builds of `deno task prepare` are in one.

import { PREPARED_FOLDER } from "./folder-names.ts";

const HERE = import.meta.url;
const END = Math.max(HERE.lastIndexOf("/src/kit/support/files/checkout.ts"), HERE.lastIndexOf(`/${PREPARED_FOLDER}`));

/** The checkout that this program runs from; undefined for an installed one. */
export const CHECKOUT: URL | undefined = HERE.startsWith("file:") && END >= 0 ? new URL(`${HERE.slice(0, END)}/`) : undefined;
