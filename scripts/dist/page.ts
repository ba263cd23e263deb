// The programs for browsers: those of a published recording's page (src/app/web/published), its own
// and that of its worker, each in one script; and the library (src/app/web/library) as a module.

import { gzipSync } from "node:zlib";
import { ENGINE } from "../../src/kit/support/files/maker.ts";
import { identityText, sourcesDigest } from "../../src/kit/support/program-identity.ts";
import { writeWhole } from "../../src/kit/support/files/whole-file.ts";
import { once } from "../../src/kit/support/values/once.ts";
import type { PackedCore } from "../../src/app/web/engine/packed-core.ts";
import { CORE } from "../../src/app/web/engine/messages.ts";
import { PAGE_SCRIPTS } from "../../src/app/web/published/program-names.ts";
import { hasWideMultiplication } from "../../src/cpu/core/wasm/wide-multiplication.ts";
import { buildCore } from "../../src/session/assembly/built-core.ts";
import { bundledPackages, noticesComment } from "./bundled-packages.ts";
import { buildPlace, DistError } from "./common.ts";
import { bundleForPages, digestOf, packageCache, PUT_IN, withDigest, withoutCache } from "./split.ts";

export const PAGE_SOURCES = {
  start: "src/app/web/published/start.ts",
  page: "src/app/web/published/published.ts",
  engine: "src/app/web/engine/page-engine.ts",
};

/** The library for browsers, and the name of its module in npm's package. */
const LIBRARY = "src/app/web/library/browser.ts";
export const BROWSER_MODULE = "browser.mjs";

const cacheOnce = once(packageCache), placeOnce = once(buildPlace);

/** The core for the worker, which it finds as a property. */
const coreOnce = once(() => {
  const { key, file } = buildCore(), packed = new Uint8Array(gzipSync(file, { level: 9 })).toBase64();
  // A browser has no options.
  if (hasWideMultiplication()) throw new DistError("V8 has options that a browser's does not have");
  return `globalThis.${CORE} = ${JSON.stringify({ key, packed } satisfies PackedCore)};\n`;
});

/** The missing address of modules in one script, and an address below which there is nothing. */
const NO_ADDRESS = /\b(import_meta\d*) = \{\}/g, ADDRESS = '$1 = { url: "el2:/page/program.js" }';
/** The bundler's lines with the paths of modules of packages. */
const PACKAGE_MODULE = /^ *\/\/ npm\/.+$/gm;
/** Browsers that have no `using` yet: files alone are given back by it, and a page has none. */
const USING = /^(\s*)using (?=\w+ = )/gm;

/** Writes the scripts of a page into a folder. @throws DistError */
export async function writePage(folder: string): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  for (const [name, text] of await pageScripts()) writeWhole(`${folder}/${name}`, text);
}

/**
 * Writes the library for browsers as one module. It has a Deno of its own (`host/page-modules.ts`),
 * as its page has none.
 * @throws DistError
 */
export async function writeBrowserModule(file: string): Promise<void> {
  const { notices, program } = await scriptOf(LIBRARY, BROWSER_MODULE);
  writeWhole(file, `${notices}const Deno = {}, exported = {};\n${program}export const { openRecording } = exported;\n`);
}

/** The scripts of a page by name. @throws DistError */
async function pageScripts(): Promise<Map<string, string>> {
  const scripts = new Map<string, string>();
  for (const kind of ["start", "page", "engine"] as const) {
    const name = PAGE_SCRIPTS[kind], { notices, program } = await scriptOf(PAGE_SOURCES[kind], name);
    scripts.set(name, `${notices}${kind === "engine" ? coreOnce() : ""}${program}`);
  }
  return scripts;
}

/**
 * A source and what it imports as one script for browsers, and the notices of packages in it.
 * @param name of the file that it will be
 * @throws DistError
 */
async function scriptOf(source: string, name: string): Promise<{ readonly notices: string; readonly program: string }> {
  const folder = await Deno.makeTempDir({ prefix: "el2-" });
  try {
    const whole = `${folder}/whole.js`, small = `${folder}/small.js`;
    await bundleForPages("-o", whole, source);
    const built = withoutCache(await Deno.readTextFile(whole), await cacheOnce());
    const text = built.replaceAll(NO_ADDRESS, ADDRESS).replaceAll(USING, "$1const ");
    const identity = identityText(digestOf([text]), new Map([[ENGINE.join(), sourcesDigest(ENGINE)]]), await placeOnce());
    await Deno.writeTextFile(whole, text.includes(PUT_IN) ? withDigest(text, identity) : text);
    await bundleForPages("--minify", "-o", small, whole);
    const packages = await bundledPackages(built.match(PACKAGE_MODULE) ?? [], source);
    return { notices: await noticesComment(packages, name), program: await Deno.readTextFile(small) };
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
