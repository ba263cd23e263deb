// `deno task install [FOLDER]`: writes a launcher named el2 that runs this checkout with this Deno.

import { PERMISSIONS } from "../src/cli/common/runtime.ts";
import { writeWhole } from "../src/support/whole-file.ts";

const home = Deno.env.get("HOME");
const folder = Deno.args[0] ?? (home && `${home}/.local/bin`);
if (!folder) throw new Error("HOME is not set; name a folder on your PATH: deno task install FOLDER");

const checkout = new URL("..", import.meta.url).pathname;
const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
await Deno.mkdir(folder, { recursive: true });
writeWhole(
  `${folder}/el2`,
  `#!/bin/sh
exec ${quote(Deno.execPath())} run -q --config ${quote(`${checkout}deno.json`)} ${PERMISSIONS.join(" ")} ${quote(`${checkout}main.ts`)} "$@"
`,
  { mode: 0o755 },
);

console.log(`${folder}/el2 runs ${checkout}`);
if (!(Deno.env.get("PATH") ?? "").split(":").includes(folder)) console.log(`${folder} is not on your PATH; add it in your shell's profile`);
