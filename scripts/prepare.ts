// `deno task prepare`: puts the worker into one file, so that runs from this checkout start sooner
// (src/session/prepared-worker.ts). Without network and a bundler in Deno's cache that is
// impossible, and the worker runs from its sources.

import { GENERATING } from "../src/assembly/code/generating-program.ts";
import {
  type FileState,
  PREPARATION,
  type Preparation,
  PREPARED_FOLDER,
  PREPARED_WORKER,
  preparedWorker,
  stateOf,
} from "../src/session/prepared-worker.ts";
import { programDigest } from "../src/support/program-identity.ts";
import { writeWhole } from "../src/support/whole-file.ts";
import { DistError, outputOf, ROOT } from "./dist/common.ts";
import { escaped, makeModules, withDigest } from "./dist/split.ts";

const WORKER = "src/session/worker-main.ts";
/** These choose the packages. */
const SETTINGS = ["deno.json", "import-map.json", "deno.lock"];
/** Only its owner may change what is executed; everybody may run the checkout. */
const FOLDER_MODE = 0o755, FILE_MODE = 0o644;

/** Prepares the worker of this checkout, unless it is up to date. @throws DistError */
async function prepare(): Promise<void> {
  if (preparedWorker(new URL("../main.ts", import.meta.url))?.isCurrent()) return;
  const folder = `${ROOT}${PREPARED_FOLDER}`, made = await Deno.makeTempFile({ prefix: "el2-", suffix: ".js" });
  try {
    const sources = await sourcesOfWorker();
    await makeModules("-o", made, WORKER);
    // The same as that of the worker from its sources: each finds what the other has generated.
    const digest = `${GENERATING}:${programDigest(GENERATING)}`;
    const text = withDigest(escaped(await Deno.readTextFile(made)), digest);
    if (sources.some(([path, ...state]) => stateOf(ROOT, path).slice(1).join() !== state.join())) {
      throw new DistError("its sources changed meanwhile; try again");
    }
    await Deno.mkdir(folder, { recursive: true });
    await Deno.chmod(folder, FOLDER_MODE);
    writeWhole(`${folder}${PREPARED_WORKER}`, text, { mode: FILE_MODE });
    const worker = stateOf(ROOT, PREPARED_FOLDER + PREPARED_WORKER);
    const preparation: Preparation = { deno: Deno.version.deno, worker, sources };
    writeWhole(`${folder}${PREPARATION}`, JSON.stringify(preparation), { mode: FILE_MODE });
  } finally {
    await Deno.remove(made);
  }
}

/** The files in the checkout that the worker is made from, as they are now. */
async function sourcesOfWorker(): Promise<FileState[]> {
  const { modules }: { modules: readonly { local?: string }[] } = JSON.parse(
    await outputOf("deno info", Deno.execPath(), ["info", "--json", "--lock=deno.lock", WORKER], ROOT),
  );
  const paths = modules.flatMap(({ local }) => local?.startsWith(ROOT) ? [local.slice(ROOT.length)] : []);
  return [...new Set([...paths, ...SETTINGS])].map((path) => stateOf(ROOT, path));
}

try {
  await prepare();
} catch (error) {
  if (!(error instanceof DistError)) throw error;
  console.error(`prepare: ${error.message.split("\n")[0]}; the worker runs from its sources`);
}
