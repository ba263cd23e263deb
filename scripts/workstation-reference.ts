// `deno task reference`: writes the pages of docs/reference that are made from the workstation's
// tables (commands, keys, JSON).

import { WORKSTATION_REFERENCES } from "../src/cli/reference.ts";

const folder = new URL("../docs/reference/", import.meta.url);
Deno.mkdirSync(folder, { recursive: true });
for (const { file, text } of WORKSTATION_REFERENCES) Deno.writeTextFileSync(new URL(file, folder), text());
