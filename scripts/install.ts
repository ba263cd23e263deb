// `deno task install [FOLDER]`: writes a launcher named el2 that runs this checkout with this Deno.

import { fileURLToPath } from "node:url";
import { ENVIRONMENT, PERMISSIONS } from "../src/app/cli/common/runtime.ts";
import { shellQuoted } from "../src/kit/support/text/shell.ts";
import { writeWhole } from "../src/kit/support/files/whole-file.ts";
import { probeName } from "./launch/code-probe.ts";
import { codeCheck, launcherHead, startAndWait } from "./launch/shell-checks.ts";

/**
 * A launcher. A Deno that npx has brought is in a cache of npm, which may be emptied: npx brings it
 * again then.
 * @param deno the program of Deno `version`
 * @param checkout the folder that it runs, with a slash at the end
 */
export function launcher(deno: string, version: string, checkout: string): string {
  const run = `run -q --config ${shellQuoted(`${checkout}deno.json`)} --lock ${shellQuoted(`${checkout}deno.lock`)} ${
    PERMISSIONS.join(" ")
  } ${shellQuoted(`${checkout}main.ts`)}`;
  const again = deno.includes("/_npx/") ? `[ -x ${shellQuoted(deno)} ] || exec npx -y deno@${version} ${run} "$@"\n` : "";
  const { target, arch } = Deno.build;
  const head = launcherHead(target) + codeCheck(target, shellQuoted(`${checkout}assets/launch/${probeName(arch)}`));
  return `#!/bin/sh\n${head}export ${ENVIRONMENT}\n${again}${startAndWait(`${shellQuoted(deno)} ${run}`)}`;
}

const USAGE = "deno task install [FOLDER] puts a launcher named el2 into FOLDER, or into ~/.local/bin";

/** Ends with a line: of help on stdout with 0, of an error on stderr with 2. */
function end(error?: string): never {
  if (error === undefined) console.log(USAGE);
  else console.error(`install: ${error}; ${USAGE}`);
  Deno.exit(error === undefined ? 0 : 2);
}

if (import.meta.main) {
  const home = Deno.env.get("HOME"), [named, more] = Deno.args, option = Deno.args.find((arg) => arg.startsWith("-"));
  if (option === "--help" || option === "-h") end();
  if (option !== undefined) end(`no option "${option}"`);
  if (more !== undefined) end(`"${more}" is one word too many`);
  const folder = named ?? (home && `${home}/.local/bin`);
  if (!folder) end("HOME is not set; name a folder on your PATH");
  const checkout = fileURLToPath(new URL("..", import.meta.url));
  await Deno.mkdir(folder, { recursive: true });
  writeWhole(`${folder}/el2`, launcher(Deno.execPath(), Deno.version.deno, checkout), { mode: 0o755 });
  console.log(`${folder}/el2 runs ${checkout}`);
  if (!(Deno.env.get("PATH") ?? "").split(":").includes(folder)) {
    console.log(`${folder} is not on your PATH; add it in your shell's profile`);
  }
}
