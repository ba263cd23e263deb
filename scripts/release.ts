// `deno task release [FOLDER] [--only STEP,..] [--parts PART,..]`: builds, tests and signs all that
// el2 is published as. Without a folder, in dist/. A step that fails ends it.
//
//   check      the version has its section in CHANGELOG.md, nothing is uncommitted, static checks
//   test       the tests
//   build      deno task dist
//   reproduce  builds it again in another folder, from an empty cache, with another umask, and
//              compares every byte
//   try        the end-to-end tests on the one file that was built
//   sign       SHA256SUMS.asc, with the OpenPGP key in EL2_RELEASE_KEY; el2-release-key.asc
//   notes      RELEASE-NOTES.md, from CHANGELOG.md
//
// docs/releasing.md says what comes before and after.

import { dirname, resolve } from "node:path";
import { parseArgs } from "node:util";
import { VERSION } from "../src/kit/support/version.ts";
import { buildTime, DistError, outputOf, placeVariables, ROOT, run } from "./dist/common.ts";
import { differences } from "./release/differences.ts";
import { releaseNotes } from "./release/notes.ts";
import { sign } from "./release/signature.ts";

const STEPS: Readonly<Record<string, () => Promise<string>>> = {
  check: async () => {
    const changed = await outputOf("git status", "git", ["-C", ROOT, "status", "--porcelain"]);
    if (changed !== "") throw new DistError(`commit or remove first:\n${changed.trimEnd()}`);
    releaseNotes(await changes(), VERSION);
    await task("check");
    return `el2 ${VERSION}`;
  },
  test: async () => {
    await task("test");
    return "all passed";
  },
  build: async () => {
    await dist(folder);
    return folder;
  },
  reproduce: async () => {
    const place = await Deno.makeTempDir({ prefix: "el2-release-" }), checkout = `${place}/another place`, again = `${place}/dist`;
    try {
      await copyCheckout(checkout);
      const surroundings = { DENO_DIR: `${place}/cache`, SOURCE_DATE_EPOCH: String(await buildTime()), ...await placeVariables() };
      const task = [Deno.execPath(), "task", "-q", "dist", again, ...chosenParts()];
      await run("the second deno task dist", "sh", ["-c", 'umask 077 && exec "$@"', "sh", ...task], checkout, surroundings);
      const { count, different } = await differences(folder, again);
      if (different.length) throw new DistError(`two builds differ in ${different.join(", ")}`);
      return `${count} files have equal bytes in two builds`;
    } finally {
      await Deno.remove(place, { recursive: true });
    }
  },
  try: async () => {
    await task("test:dist", folder);
    return "all passed";
  },
  sign: async () => {
    const key = Deno.env.get("EL2_RELEASE_KEY");
    if (!key) throw new DistError("EL2_RELEASE_KEY is not set; it holds an armored OpenPGP private key");
    const { signature, publicKey, fingerprint } = await sign(
      await Deno.readFile(`${folder}/SHA256SUMS`),
      key,
      Deno.env.get("EL2_RELEASE_PASSPHRASE"),
    );
    await Deno.writeTextFile(`${folder}/SHA256SUMS.asc`, signature);
    await Deno.writeTextFile(`${folder}/el2-release-key.asc`, publicKey);
    return `SHA256SUMS.asc by ${fingerprint}`;
  },
  notes: async () => {
    await Deno.writeTextFile(`${folder}/RELEASE-NOTES.md`, releaseNotes(await changes(), VERSION));
    return "RELEASE-NOTES.md";
  },
};

const { positionals, values } = parseArgs({
  args: Deno.args,
  allowPositionals: true,
  options: { only: { type: "string" }, parts: { type: "string" } },
});
const folder = resolve(positionals[0] ?? `${ROOT}dist`);

try {
  const wanted = values.only?.split(",") ?? Object.keys(STEPS);
  for (const step of wanted) {
    if (!Object.hasOwn(STEPS, step)) throw new DistError(`--only: no step "${step}"; use one of ${Object.keys(STEPS).join(", ")}`);
  }
  for (const [step, work] of Object.entries(STEPS)) if (wanted.includes(step)) console.log(`${step}: ${await work()}`);
} catch (error) {
  if (!(error instanceof DistError)) throw error;
  console.error(`release: ${error.message}`);
  Deno.exitCode = 1;
}

function task(name: string, ...args: string[]): Promise<void> {
  return run(`deno task ${name}`, Deno.execPath(), ["task", "-q", name, ...args], ROOT);
}

function dist(to: string): Promise<void> {
  return task("dist", to, ...chosenParts());
}

function chosenParts(): string[] {
  return values.parts === undefined ? [] : ["--only", values.parts];
}

/** The files of the checkout, as they are, without those that git ignores. */
async function copyCheckout(to: string): Promise<void> {
  const paths = await outputOf("git ls-files", "git", ["-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
  for (const path of paths.split("\0").filter(Boolean)) {
    await Deno.mkdir(dirname(`${to}/${path}`), { recursive: true });
    await Deno.copyFile(`${ROOT}${path}`, `${to}/${path}`);
  }
}

function changes(): Promise<string> {
  return Deno.readTextFile(`${ROOT}CHANGELOG.md`);
}
