// The program as JavaScript, in two forms: `el2.js` alone (the bundle), and in several files, for
// what starts most often. Deno reads and analyzes a file whole before it runs a line of it: the
// command line, `el2 boot`, `el2 run` and the worker load what they need, and `--version` next to
// nothing.

import { createHash } from "node:crypto";
import { dirname, relative } from "node:path";
import { ENGINE } from "../../src/kit/support/files/maker.ts";
import { identityText, sourcesDigest } from "../../src/kit/support/program-identity.ts";
import { buildPlace, DistError, fetchPackages, outputOf, ROOT } from "./common.ts";

/**
 * Roots of the program in several files: folder and source. Each folder is complete: only values
 * pass between the folders, no modules.
 */
const ROOTS = [
  ["worker", "src/session/worker/worker.ts"],
  ["compiler", "src/session/worker/compiler-worker.ts"],
  ["jobs", "src/app/jobs/job-worker.ts"],
  ["boot", "src/app/cli/boot.ts"],
  ["run", "src/app/cli/run.ts"],
  ["attach", "src/app/cli/attach.ts"],
  ["test", "src/app/cli/test.ts"],
  ["opening", "src/app/cli/start/screens/opening.ts"],
  ["cli", "src/app/cli/main.ts"],
] as const;

/** Roots that are parts of the command line, and its module, which they import for all commands. */
const PARTS = ["boot", "run", "attach", "test"], WHOLE = "./main.ts", WHOLE_ROOT = "../cli/main.js";

/** The entry among the files. */
const ENTRY = "el2.js";

/** The text that a digest of the program replaces (src/kit/support/program-identity.ts). */
export const PUT_IN = '"digest of the program"';

/** Makes the bundle. @returns the paths of its modules, as the bundler names them */
export async function bundle(file: string): Promise<string[]> {
  await makeModules("-o", file, "main.ts");
  const text = finished(withoutCache(await Deno.readTextFile(file), await packageCache()));
  await Deno.writeTextFile(file, await withoutSpace(withDigest(text, await wholeIdentity([text]))));
  return Array.from(text.matchAll(/^\/\/ (\S+)$/gm), ([_, path]) => path);
}

/** Makes the program in several files in a new folder. */
export async function split(folder: string): Promise<void> {
  const apart = ROOTS.flatMap(([_, source]) => ["--external", `./${source}`]);
  await Promise.all([
    makeModules("--code-splitting", ...apart, "--outdir", folder, "main.ts"),
    ...ROOTS.map(([name, source]) => {
      const others = PARTS.includes(name) ? ["--external", WHOLE] : [];
      return makeModules("--code-splitting", ...others, "--outdir", `${folder}/${name}`, source);
    }),
  ]);
  await Deno.rename(`${folder}/main.js`, `${folder}/${ENTRY}`);
  const built = new Map<string, string>(), cache = await packageCache();
  for (const path of await filesBelow(folder)) built.set(path, withoutCache(await Deno.readTextFile(`${folder}/${path}`), cache));
  await Deno.remove(folder, { recursive: true });
  const texts = new Map([...namedByContent(built)].map(([path, text]) => [path, finished(text)]));
  texts.set(ENTRY, ROOTS.reduce((text, [name, source]) => loadLate(text, `./${source}`, moduleOf(name, source)), texts.get(ENTRY)!));
  for (const name of PARTS) texts.set(`${name}/${name}.js`, loadLate(texts.get(`${name}/${name}.js`)!, WHOLE, WHOLE_ROOT));
  const digest = await wholeIdentity([...texts].flat());
  let identities = 0;
  for (const [path, text] of texts) {
    const whole = text.includes(PUT_IN) ? withDigest(text, digest) : text;
    if (whole !== text) identities++;
    await Deno.mkdir(dirname(`${folder}/${path}`), { recursive: true });
    await Deno.writeTextFile(`${folder}/${path}`, await withoutSpace(whole));
  }
  // One in the worker, and one in the command line, which names snapshots.
  if (identities < 2) throw new DistError(`${identities} files of the program have a place for its digest`);
}

/** The paths of all files in a folder and below, sorted. */
export async function filesBelow(folder: string): Promise<string[]> {
  const paths: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) { for (const path of await filesBelow(`${folder}/${name}`)) paths.push(`${name}/${path}`); }
    else paths.push(name);
  }
  return paths.sort();
}

/**
 * Not minified: the minifier inlines the value of a `using` at its only use, so that nothing is
 * disposed of any more: a lock stays locked. It would also take the names out of stacks.
 */
export async function makeModules(...args: string[]): Promise<void> {
  await (ready ??= fetchBundler());
  await denoBundle("--platform", "deno", ...args);
}

/** Makes a script for pages of browsers, which have no modules of Deno and Node. */
export async function bundleForPages(...args: string[]): Promise<void> {
  await (ready ??= fetchBundler());
  await denoBundle("--platform", "browser", "--format", "iife", ...args);
}

let ready: Promise<void> | undefined;

/**
 * Packages, and the bundler, which Deno installs for its first bundle: several first bundles at
 * once would each install it in the same place.
 */
async function fetchBundler(): Promise<void> {
  await fetchPackages();
  const folder = await Deno.makeTempDir({ prefix: "el2-" });
  try {
    await Deno.writeTextFile(`${folder}/empty.ts`, "");
    await denoBundle("--platform", "deno", "-o", `${folder}/empty.js`, `${folder}/empty.ts`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** In the checkout: the bundler names modules by their paths from the current folder. */
async function denoBundle(...args: string[]): Promise<void> {
  await outputOf("deno bundle", Deno.execPath(), ["bundle", "-q", `--lock=${ROOT}deno.lock`, ...args], ROOT);
}

/** Path from the checkout of the folder in which Deno keeps packages. */
export async function packageCache(): Promise<string> {
  const { npmCache } = JSON.parse(await outputOf("deno info", Deno.execPath(), ["info", "--json"], ROOT)) as { npmCache: string };
  return relative(ROOT, npmCache);
}

/**
 * Names modules of packages without the place of Deno's cache and the registry, which differ
 * between computers.
 */
export function withoutCache(text: string, cache: string): string {
  return text.split(`${cache}/`).map((part, index) => index === 0 ? part : part.replace(/^[^/\n]+/, "npm")).join("");
}

/** The part of a file's name that the bundler makes from contents and paths. */
const HASH = /(?<=-)[0-9A-Z]{8}(?=\.js\b)/g;

/**
 * The same files, sorted, with names that follow from contents alone. A file that imports
 * another contains its name: each round of this takes one more level of imports into account.
 * @throws DistError if two files would have one name
 */
export function namedByContent(files: ReadonlyMap<string, string>): Map<string, string> {
  let names = new Map<string, string>(), distinct = 0;
  const rename = (text: string) => text.replaceAll(HASH, (hash) => names.get(hash) ?? "");
  for (;;) {
    const next = new Map<string, string>();
    for (const [path, text] of files) {
      for (const [hash] of path.matchAll(HASH)) next.set(hash, digestOf([rename(text)]).slice(0, 8).toUpperCase());
    }
    names = next;
    const count = new Set(next.values()).size;
    if (count === distinct) break;
    distinct = count;
  }
  const renamed = new Map(
    [...files].map(([path, text]): [string, string] => [rename(path), rename(text)]).sort(([a], [b]) => a < b ? -1 : 1),
  );
  if (renamed.size !== files.size) throw new DistError("two files of the program have one name");
  return renamed;
}

/** The file of a root. */
const moduleOf = (name: string, source: string): string => `${name}/${source.slice(source.lastIndexOf("/") + 1).replace(/\.ts$/, ".js")}`;

/**
 * Imports a root's module only when it is needed: what a literal names is loaded with the module
 * that has it.
 * @param text of the file that imports it, once
 */
function loadLate(text: string, specifier: string, module: string): string {
  const parts = text.split(`import("${specifier}")`);
  if (parts.length !== 2) throw new DistError(`a file of the program imports ${specifier} ${parts.length - 1} times`);
  return parts.join(`import(new URL("${module}", import.meta.url).href)`);
}

/** The module of the command line's library that would start programs, and its first lines. */
const COMMANDER = /(?<=^\/\/ \S+\/commander\/\S+\/command\.js\n)(?:import .*\n)+/m;
const OF_NODE = /^import (childProcess|fs|process) from "(node:\w+)";$/gm;

/** Lines of the bundler for packages that are CommonJS modules. */
const REQUIRE = /^import \{ createRequire as (\w+) \} from "node:module";\nvar __require = \1\(import\.meta\.url\);$/gm;
const LATE_REQUIRE = 'var __require = (name) => globalThis.process.getBuiltinModule("node:module").createRequire(import.meta.url)(name);';

/**
 * Loads modules of Node with which commander starts other programs, as el2 never does, at their
 * first use: they take 40 ms of each start. So does the module with which packages require others:
 * the bundler puts it beside helpers of all files.
 */
function withoutNode(text: string): string {
  const late = (_: string, name: string, module: string) =>
    `const ${name} = new Proxy({}, { get: (_, key) => globalThis.process.getBuiltinModule("${module}")[key] });`;
  return text.replace(COMMANDER, (imports) => imports.replaceAll(OF_NODE, late)).replace(REQUIRE, LATE_REQUIRE);
}

/**
 * A program of ASCII alone: V8 keeps others as two bytes per character. Only comments, regular
 * expressions and templates have other characters.
 */
function escaped(text: string): string {
  return text.replaceAll(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** The text of a file of the program, as it starts soonest. */
export const finished = (text: string): string => escaped(withoutNode(text));

/**
 * The same program without indentation and other space that it does not need, a quarter of its
 * bytes. Each start reads, compares and keeps all of them.
 */
async function withoutSpace(text: string): Promise<string> {
  const { transform } = await import("esbuild");
  return (await transform(text, { minifyWhitespace: true, charset: "ascii", target: "esnext", format: "esm", legalComments: "inline" }))
    .code;
}

/** The identity of a program: its engine is that of the sources. */
async function wholeIdentity(texts: readonly string[]): Promise<string> {
  return identityText(digestOf(texts), new Map([[ENGINE.join(), sourcesDigest(ENGINE)]]), await buildPlace());
}

export function digestOf(texts: readonly string[]): string {
  const hash = createHash("sha256");
  for (const text of texts) hash.update(`${text.length}\n`).update(text);
  return hash.digest("hex");
}

export function withDigest(text: string, digest: string): string {
  const parts = text.split(PUT_IN);
  if (parts.length !== 2) throw new DistError(`${parts.length - 1} places for the digest of the program in one file`);
  return parts.join(JSON.stringify(digest));
}
