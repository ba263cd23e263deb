// QEMU of Debian's newest releases: for tests an oracle of features that the machine's own QEMU
// does not know, for benches the reference of CPUs with such features. By apt into .state, without
// root.

import { fileURLToPath } from "node:url";
import { Deb } from "../src/app/catalog/deb.ts";
import { withLock } from "../src/kit/support/files/cache.ts";
import { openPackages, wholeFolder } from "./debian-state.ts";
import { MULTIARCH } from "./unpacked-programs.ts";

const STATE = fileURLToPath(new URL("../.state/newest-qemu", import.meta.url));

/** The path of its `qemu-aarch64`, which is linked statically. */
export async function newestQemuUser(): Promise<string> {
  return `${await unpacked("root", "sid", "qemu-user", false)}/usr/bin/qemu-aarch64`;
}

/** The command of its `qemu-system-aarch64`, with the C library and the loader that it needs. */
export const newestQemuSystem = (): Promise<string[]> => systemOf("system", "sid");

/** The same of the stable release, whose lists do not expire. */
export const stableQemuSystem = (): Promise<string[]> => systemOf("stable", "trixie");

async function systemOf(name: string, release: string): Promise<string[]> {
  const root = await unpacked(name, release, "qemu-system-arm", true), libraries = `${root}/usr/lib/${MULTIARCH}`;
  const loader = [`${libraries}/${LOADERS[Deno.build.arch]}`, "--library-path", libraries];
  return [...loader, `${root}/usr/bin/qemu-system-aarch64`, "-L", `${root}/usr/share/qemu`];
}

/** Dynamic loaders of the C library. */
const LOADERS = { x86_64: "ld-linux-x86-64.so.2", aarch64: "ld-linux-aarch64.so.1" } as const;
/** Debian's names of architectures. */
const ARCHITECTURES = { x86_64: "amd64", aarch64: "arm64" } as const;

/** The folder with a package, and with all that it needs if that is asked for. */
async function unpacked(name: string, release: string, wanted: string, withAll: boolean): Promise<string> {
  await Deno.mkdir(STATE, { recursive: true });
  const folder = `${STATE}/${name}`, downloads = `${STATE}/debs`;
  await withLock(`${STATE}/lock`, () =>
    wholeFolder(folder, async (work) => {
      const apt = await openPackages({ release, architecture: ARCHITECTURES[Deno.build.arch], folder: `${STATE}/apt-${release}` });
      for (const deb of await apt.download(withAll ? await apt.closure([wanted]) : [wanted], downloads)) await new Deb(deb).unpack(work);
      await Deno.remove(downloads, { recursive: true });
    }));
  return folder;
}
