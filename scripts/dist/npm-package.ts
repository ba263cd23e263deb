// The npm package: the bundle, with the platform's package of npm's `deno` as its runtime. The
// package `deno` itself is not needed: its install script fails where that package is left out, and
// then nothing is installed that could say so.

import { VERSION } from "../../src/kit/support/version.ts";
import { codeProbe, PROBE_MACHINES, probeName } from "../launch/code-probe.ts";
import { BROWSER_MODULE, writeBrowserModule } from "./page.ts";
import { type BundledPackage, noticesText } from "./bundled-packages.ts";
import { type Build, outputOf, ROOT } from "./common.ts";
import { filesBelow, makeModules } from "./split.ts";
import { TARGETS } from "./targets.ts";

/**
 * Writes the launcher. Without the compilers of V8, Node starts where memory cannot become
 * executable, and the launcher can say so.
 */
export async function npmLauncher(file: string): Promise<void> {
  await makeModules("--format", "cjs", "-o", file, "scripts/dist/npm-launcher.ts");
  const head = '#!/usr/bin/env -S node --no-expose-wasm --jitless\n"use strict";\n';
  await Deno.writeTextFile(file, head + await Deno.readTextFile(file));
  await Deno.chmod(file, 0o755);
}

/** Writes the folder `npm` and packs it. Returns the archive's name. */
export async function npmPackage({ folder, bundle, page }: Build, packages: readonly BundledPackage[]): Promise<string> {
  const here = `${folder}/npm`, programs = ["el2.cjs", ...PROBE_MACHINES.map(probeName)];
  await Deno.mkdir(here);
  const manifest = {
    name: "el2",
    version: VERSION,
    description: "A Gunyah workstation in a terminal: runs arm64 software as VMs under a Gunyah-compatible hypervisor",
    keywords: ["gunyah", "hypervisor", "arm64", "emulator", "virtual-machine", "debugger"],
    license: "Apache-2.0",
    bin: { el2: programs[0] },
    files: [...programs, "el2.js", "page", BROWSER_MODULE, "THIRD-PARTY-NOTICES.txt"],
    os: ["linux", "darwin", "win32"],
    cpu: ["x64", "arm64"],
    engines: { node: ">=18" },
    optionalDependencies: Object.fromEntries(TARGETS.map(({ npm }) => [`@deno/${npm}`, Deno.version.deno])),
  };
  await Deno.writeTextFile(`${here}/package.json`, `${JSON.stringify(manifest, null, 2)}\n`);
  await Deno.copyFile(bundle, `${here}/el2.js`);
  await Deno.mkdir(`${here}/page`);
  for (const path of await filesBelow(page)) await Deno.copyFile(`${page}/${path}`, `${here}/page/${path}`);
  await writeBrowserModule(`${here}/${BROWSER_MODULE}`);
  await npmLauncher(`${here}/${programs[0]}`);
  for (const machine of PROBE_MACHINES) await Deno.writeFile(`${here}/${probeName(machine)}`, codeProbe(machine));
  for (const name of ["LICENSE", "README.md"]) await Deno.copyFile(`${ROOT}${name}`, `${here}/${name}`);
  await Deno.writeTextFile(`${here}/THIRD-PARTY-NOTICES.txt`, await noticesText(packages));
  // The archive has the modes of the files, which depend on umask.
  for (const path of await filesBelow(here)) await Deno.chmod(`${here}/${path}`, programs.includes(path) ? 0o755 : 0o644);
  await outputOf("npm pack", "npm", ["pack", "--ignore-scripts", "--silent", "--pack-destination", folder], here);
  return `el2-${VERSION}.tgz`;
}
