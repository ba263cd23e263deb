// QEMU's user emulation of Debian's newest release, an oracle for features that the machine's own
// QEMU does not know. By apt into .state, without root; its programs are linked statically.

import { fileURLToPath } from "node:url";
import { Deb } from "../src/catalog/deb.ts";
import { withLock } from "../src/support/cache.ts";
import { openPackages, wholeFolder } from "./debian-state.ts";

const STATE = fileURLToPath(new URL("../.state/newest-qemu", import.meta.url));
const PACKAGE = "qemu-user";

/** The path of its `qemu-aarch64`. */
export async function newestQemuUser(): Promise<string> {
  await Deno.mkdir(STATE, { recursive: true });
  await withLock(`${STATE}/lock`, () =>
    wholeFolder(`${STATE}/root`, async (work) => {
      const apt = await openPackages({ release: "sid", architecture: "amd64", folder: `${STATE}/apt` });
      for (const deb of await apt.download([PACKAGE], `${STATE}/debs`)) await new Deb(deb).unpack(work);
      await Deno.remove(`${STATE}/debs`, { recursive: true });
    }));
  return `${STATE}/root/usr/bin/qemu-aarch64`;
}
