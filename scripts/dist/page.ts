// The programs of a published recording's page (src/app/web/published): its own, and that of its
// worker, each in one script.

import { ENGINE } from "../../src/kit/support/files/maker.ts";
import { identityText, sourcesDigest } from "../../src/kit/support/program-identity.ts";
import { writeWhole } from "../../src/kit/support/files/whole-file.ts";
import { PAGE_SCRIPTS, PROGRAM } from "../../src/app/web/published/program-names.ts";
import { buildPlace, DistError } from "./common.ts";
import { bundleForPages, digestOf, PUT_IN, withDigest } from "./split.ts";

const SOURCES = {
  start: "src/app/web/published/start.ts",
  page: "src/app/web/published/published.ts",
  engine: "src/app/web/engine/page-engine.ts",
};

/** The missing address of modules in one script, and an address below which there is nothing. */
const NO_ADDRESS = /\b(import_meta\d*) = \{\}/g, ADDRESS = '$1 = { url: "el2:/page/program.js" }';
/** Browsers that have no `using` yet: files alone are given back by it, and a page has none. */
const USING = /^(\s*)using (?=\w+ = )/gm;

/** Writes the scripts of a page into a folder. @throws DistError */
export async function writePage(folder: string): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  for (const [name, text] of await pageScripts()) writeWhole(`${folder}/${name}`, text);
}

/** The scripts of a page by name. @throws DistError */
async function pageScripts(): Promise<Map<string, string>> {
  const folder = await Deno.makeTempDir({ prefix: "el2-" });
  try {
    const place = await buildPlace(), scripts = new Map<string, string>();
    for (const kind of ["start", "page", "engine"] as const) {
      const whole = `${folder}/${kind}.js`, small = `${folder}/small.js`;
      await bundleForPages("-o", whole, SOURCES[kind]);
      const text = (await Deno.readTextFile(whole)).replaceAll(NO_ADDRESS, ADDRESS).replaceAll(USING, "$1const ");
      const identity = identityText(digestOf([text]), new Map([[ENGINE.join(), sourcesDigest(ENGINE)]]), place);
      await Deno.writeTextFile(whole, text.includes(PUT_IN) ? withDigest(text, identity) : text);
      await bundleForPages("--minify", "-o", small, whole);
      const program = await Deno.readTextFile(small);
      scripts.set(PAGE_SCRIPTS[kind], kind !== "engine" ? program : `function ${PROGRAM}() {\n${program}}\n`);
    }
    return scripts;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) {
  const [folder] = Deno.args;
  try {
    await writePage(folder);
  } catch (error) {
    if (!(error instanceof DistError)) throw error;
    console.error(error.message);
    Deno.exit(1);
  }
}
