// `deno task reference`: writes the pages of docs/reference, which are made from tables.

import { REFERENCE_PAGES } from "./reference/pages.ts";

const folder = new URL("../docs/reference/", import.meta.url);
Deno.mkdirSync(folder, { recursive: true });
for (const { file, text } of REFERENCE_PAGES) Deno.writeTextFileSync(new URL(file, folder), text());
