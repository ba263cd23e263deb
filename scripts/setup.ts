// `deno task setup`: fetches what tests and benches need and this machine lacks (native tools,
// Debian guests). A machine that has everything is left alone. Missing tools are named here, and
// the tests that need them fail by name. Usage: setup.ts [RELEASE...], the Debian releases whose
// guests are needed (default: bookworm).

import { DEBIAN_RELEASES, DEFAULT_DEBIAN_RELEASE, findEntry } from "../src/app/catalog/catalog.ts";
import { fetchDebian, isCurrentRamdisk } from "../src/app/catalog/debian.ts";
import { fetchPackages } from "./dist/common.ts";
import { installedPackages } from "./unpacked-programs.ts";
import { fetchNativePackages, missingBrowser, missingFirmware, missingPackages } from "./native-tools.ts";

// Tests run in several processes, which would each fetch a package that they need first.
await attempt("packages", fetchPackages);

for (const [what, missing] of [["native tools", missingPackages], ["firmware", missingFirmware], ["a browser", missingBrowser]] as const) {
  await attempt(what, async () => {
    const packages = await missing();
    if (packages.length > 0) await fetchNativePackages(packages, await installedPackages(), report());
  });
}

const wanted = Deno.args.length > 0 ? Deno.args : [DEFAULT_DEBIAN_RELEASE];
for (const name of wanted) {
  const release = DEBIAN_RELEASES.find((known) => known === name);
  if (!release) throw new Error(`no Debian release ${name}; use one of ${DEBIAN_RELEASES.join(", ")}`);
  await attempt(`guest debian-${release}`, async () => {
    if (!await present(`debian-${release}`)) await fetchDebian({ release, progress: report() });
  });
}

/** Whether the catalog has a guest with all files as this version makes them. */
async function present(guest: string): Promise<boolean> {
  const entry = await findEntry(guest);
  const ramdisk = "initrd-virtio";
  if (entry?.manifest.files.some(({ name }) => name === ramdisk) !== true) return false;
  return isCurrentRamdisk(await Deno.readFile(`${entry.folder}/${ramdisk}`));
}

/** Continues after a failure, so that everything that needs no network still runs. */
async function attempt(what: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    console.error(`setup: ${what}: ${error instanceof Error ? error.message : error}`);
  }
}

/** Progress that names each step once. */
function report(): (percent: number, what: string) => void {
  let last = "";
  return (_percent, what) => {
    if (what !== last) console.error(`setup: ${last = what}`);
  };
}
