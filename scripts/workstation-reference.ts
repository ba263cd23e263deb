// `deno task reference`: writes the pages of docs/reference that are made from the workstation's
// tables (commands, keys, JSON), and draws the pictures of the documentation.

import { WORKSTATION_REFERENCES } from "../src/cli/reference.ts";
import { drawPictures } from "../tests/tui/pictures.ts";

const folder = new URL("../docs/reference/", import.meta.url);
Deno.mkdirSync(folder, { recursive: true });
for (const { file, text } of WORKSTATION_REFERENCES) Deno.writeTextFileSync(new URL(file, folder), text());

const pictures = new URL("../docs/pictures/", import.meta.url);
Deno.mkdirSync(pictures, { recursive: true });
for (const { file, svg } of await drawPictures()) Deno.writeTextFileSync(new URL(file, pictures), svg);
