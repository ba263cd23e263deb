// `deno task test:dist [FOLDER]`: the end-to-end tests (commands, sessions, terminals) on the one
// file in dist/, or in FOLDER, instead of the sources, with no deno on the PATH and, where the
// system allows that without root, without a network.

import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { pathWithoutDeno } from "./path-without-deno.ts";
import { OPTIONS, testFiles } from "./test.ts";
import { VERSION } from "../src/kit/support/version.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const PROGRAM = `${resolve(Deno.args[0] ?? `${ROOT}dist`)}/el2-${VERSION}-${Deno.build.target}`;
/** Tests of the program as people start it. */
const FILES = [...["tests/app/cli", "tests/terminal", "tests/session/debug"].flatMap(testFiles), "tests/dist/spec_test.ts"];
/** Those that need apt, which is about a network, or build the one file themselves. */
const NEED_MORE = ["tests/app/cli/commands/machines/guests_test.ts", "tests/app/cli/dist_test.ts"];
/** Those in which one process has el2's modules and runs many commands. */
const OF_MODULES = ["tests/app/cli/hostile-names_test.ts", "tests/app/cli/hostile-root_test.ts", "tests/app/cli/walk_test.ts"];

try {
  Deno.statSync(PROGRAM);
} catch (error) {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
  console.error(`test:dist: ${PROGRAM} is not there; run: deno task dist`);
  Deno.exit(2);
}

/**
 * A command without a network but its own loopback; the command itself where the system does not
 * allow that.
 */
async function alone(command: string[]): Promise<string[]> {
  // Root can have one without a user namespace, in which there would be no other users.
  for (const user of [[], ["--map-root-user"]]) {
    const wrapped = ["unshare", ...user, "--net", "--", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"];
    const [program, ...args] = [...wrapped, "true"];
    const probe = await new Deno.Command(program, { args, stdin: "null", stdout: "null", stderr: "null" }).output().catch(() => undefined);
    if (probe?.success) return [...wrapped, ...command];
  }
  console.error("test:dist: this system has no network namespaces without root; the tests run with the network");
  return command;
}

// The file unpacks itself once, before anything measures or waits.
await new Deno.Command(PROGRAM, { args: ["--version"], stdin: "null" }).output();
const links = await Deno.makeTempDir({ prefix: "el2-path-" });
const [program, ...args] = await alone([
  Deno.execPath(),
  "test",
  ...OPTIONS,
  "--no-check",
  "--cached-only",
  ...FILES.filter((file) => !NEED_MORE.includes(file) && !OF_MODULES.includes(file)),
]);
const { code } = await new Deno.Command(program, {
  args,
  cwd: ROOT,
  env: { EL2_PROGRAM: PROGRAM, PATH: await pathWithoutDeno(links) },
  stdin: "null",
}).spawn()
  .status;
await Deno.remove(links, { recursive: true });
Deno.exit(code);
