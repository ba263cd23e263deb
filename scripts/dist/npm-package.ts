// The npm package: the bundle, with npm's `deno` as its runtime.

import { VERSION } from "../../src/support/version.ts";
import { type BundledPackage, noticesText } from "./bundled-packages.ts";
import { type Build, outputOf, ROOT } from "./common.ts";

/** Writes the folder `npm` and packs it. Returns the archive's name. */
export async function npmPackage({ folder, bundle }: Build, packages: readonly BundledPackage[]): Promise<string> {
  const here = `${folder}/npm`;
  await Deno.mkdir(here);
  const manifest = {
    name: "el2",
    version: VERSION,
    description: "A Gunyah workstation in a terminal: runs arm64 software as VMs under a Gunyah-compatible hypervisor",
    keywords: ["gunyah", "hypervisor", "arm64", "emulator", "virtual-machine", "debugger"],
    license: "Apache-2.0",
    bin: { el2: "el2.cjs" },
    files: ["el2.cjs", "el2.js", "THIRD-PARTY-NOTICES.txt"],
    os: ["linux", "darwin", "win32"],
    cpu: ["x64", "arm64"],
    engines: { node: ">=18" },
    dependencies: { deno: Deno.version.deno },
  };
  await Deno.writeTextFile(`${here}/package.json`, `${JSON.stringify(manifest, null, 2)}\n`);
  await Deno.copyFile(bundle, `${here}/el2.js`);
  await Deno.copyFile(`${ROOT}scripts/dist/npm-launcher.cjs`, `${here}/el2.cjs`);
  for (const name of ["LICENSE", "README.md"]) await Deno.copyFile(`${ROOT}${name}`, `${here}/${name}`);
  await Deno.writeTextFile(`${here}/THIRD-PARTY-NOTICES.txt`, noticesText(packages));
  // The archive has the modes of the files, which depend on umask.
  for await (const { name } of Deno.readDir(here)) await Deno.chmod(`${here}/${name}`, name === "el2.cjs" ? 0o755 : 0o644);
  await outputOf("npm pack", "npm", ["pack", "--ignore-scripts", "--silent", "--pack-destination", folder], here);
  return `el2-${VERSION}.tgz`;
}
