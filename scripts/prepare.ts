// `deno task prepare`: puts the program into few files, so that runs from this checkout start
// sooner (src/session/worker/prepared-program.ts). Without network and a bundler in Deno's cache
// that is impossible, and the program runs from its sources.

import { dirname } from "node:path";
import { GENERATING } from "../src/session/assembly/code/generating-program.ts";
import { buildOf, type FileState, PREPARATION, type Preparation, stateOf } from "../src/session/worker/prepared-program.ts";
import { MACHINE } from "../src/session/snapshots/instant.ts";
import { PREPARED_FOLDER } from "../src/kit/support/files/folder-names.ts";
import { ENGINE } from "../src/kit/support/files/maker.ts";
import { identityText, programDigest, sourcesDigest } from "../src/kit/support/program-identity.ts";
import { writeWhole } from "../src/kit/support/files/whole-file.ts";
import { DistError, outputOf, ROOT } from "./dist/common.ts";
import { PAGE_SOURCES } from "./dist/page.ts";
import { digestOf, filesBelow, finished, makeModules, PUT_IN, withDigest } from "./dist/split.ts";

/**
 * Folders of a build and their roots. The machine's worker gives up all rights, and has what it may
 * ever need in one file; those of the command line share files.
 */
const FOLDERS: readonly { readonly name: string; readonly roots: readonly string[]; readonly isWhole?: boolean }[] = [
  { name: "worker", roots: ["src/session/worker/worker-main.ts"], isWhole: true },
  { name: "compiler", roots: ["src/session/worker/compiler-worker.ts"], isWhole: true },
  { name: "jobs", roots: ["src/app/jobs/job-worker-main.ts"] },
  { name: "cli", roots: ["boot", "run", "attach", "test", "main", "start/screens/opening"].map((name) => `src/app/cli/${name}.ts`) },
];
/** These choose the packages. */
const SETTINGS = ["deno.json", "import-map.json", "deno.lock"];
/** Of folders, whatever the umask is: their owner executes what is in them, others the sources. */
const FOLDER_MODE = 0o700;
/** Builds that stay: programs that run from them load parts when they need them. */
const KEPT = 3;

/** Prepares the program of this checkout, unless it is up to date. @throws DistError */
async function prepare(): Promise<void> {
  if (buildOf(new URL("../main.ts", import.meta.url))?.isCurrent()) return;
  const bundled = await Deno.makeTempDir({ prefix: "el2-" });
  try {
    const sources = await sourcesOfProgram();
    await Promise.all(FOLDERS.map(({ name, roots, isWhole }) => {
      const files = isWhole ? [] : ["--code-splitting"];
      return makeModules(...files, "--outdir", `${bundled}/${name}`, ...roots);
    }));
    const texts = await withDigests(bundled);
    if (sources.some(([path, ...state]) => stateOf(ROOT, path).slice(1).join() !== state.join())) {
      throw new DistError("its sources changed meanwhile; try again");
    }
    await leave(texts, sources);
  } finally {
    await Deno.remove(bundled, { recursive: true });
  }
}

/** The files in the checkout that the program and its pages are made from, as they are now. */
async function sourcesOfProgram(): Promise<FileState[]> {
  const paths = await Promise.all(
    [...FOLDERS.flatMap(({ roots }) => roots), ...Object.values(PAGE_SOURCES)].map(async (root) => {
      const { modules }: { modules: readonly { local?: string }[] } = JSON.parse(
        await outputOf("deno info", Deno.execPath(), ["info", "--json", "--lock=deno.lock", root], ROOT),
      );
      return modules.flatMap(({ local }) => local?.startsWith(ROOT) ? [local.slice(ROOT.length)] : []);
    }),
  );
  return [...new Set([...paths.flat(), ...SETTINGS])].map((path) => stateOf(ROOT, path));
}

/**
 * The files of a build by their paths, with the digests that the program has when it runs from its
 * sources: each finds what the other has left in the cache.
 */
async function withDigests(bundled: string): Promise<Map<string, string>> {
  const digests = new Map([GENERATING, MACHINE, ["."]].map((folders) => [folders.join(), programDigest(folders)]));
  const identity = identityText(undefined, digests.set(ENGINE.join(), sourcesDigest(ENGINE)));
  const texts = new Map<string, string>();
  for (const path of await filesBelow(bundled)) {
    const text = finished(await Deno.readTextFile(`${bundled}/${path}`));
    texts.set(path, text.includes(PUT_IN) ? withDigest(text, identity) : text);
  }
  return texts;
}

/** Puts a build into the checkout, and removes old ones. */
async function leave(texts: ReadonlyMap<string, string>, sources: readonly FileState[]): Promise<void> {
  const all = `${ROOT}${PREPARED_FOLDER}`, build = `${PREPARED_FOLDER}${digestOf([...texts].flat()).slice(0, 16)}/`;
  await Deno.mkdir(all, { recursive: true, mode: FOLDER_MODE });
  await Deno.chmod(all, FOLDER_MODE);
  for (const [path, text] of texts) {
    await Deno.mkdir(dirname(`${ROOT}${build}${path}`), { recursive: true, mode: FOLDER_MODE });
    writeWhole(`${ROOT}${build}${path}`, text);
  }
  const made = Array.from(texts.keys(), (path) => stateOf(ROOT, build + path));
  const preparation: Preparation = { deno: Deno.version.deno, build, made, sources };
  writeWhole(`${all}${PREPARATION}`, JSON.stringify(preparation));
  const others = Array.from(Deno.readDirSync(all), ({ name }) => `${all}${name}`).filter((path) => !`${path}/`.endsWith(`/${build}`));
  const ages = others.map((path) => ({ path, status: Deno.lstatSync(path) })).filter(({ status }) => status.isDirectory);
  ages.sort((a, b) => (b.status.mtime?.getTime() ?? 0) - (a.status.mtime?.getTime() ?? 0));
  for (const { path } of ages.slice(KEPT - 1)) await Deno.remove(path, { recursive: true });
}

try {
  await prepare();
} catch (error) {
  if (!(error instanceof DistError)) throw error;
  console.error(`prepare: ${error.message.split("\n")[0]}; the program runs from its sources`);
}
