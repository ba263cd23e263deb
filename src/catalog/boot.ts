// Guests of the catalog that are a primary VM by themselves: the Debian with a disk, by the names
// that `run`, `up` and `boot` take.

import { catalogEntries, DEBIAN_RELEASES, DEFAULT_DEBIAN_RELEASE, diskGuestName } from "./catalog.ts";
import type { BootPlan, DevicePlan } from "../plans/plan.ts";
import { readToEnd } from "../support/named-file.ts";
import { MiB } from "../support/sizes.ts";

/** Default RAM. */
export const DISK_GUEST_MEMORY = 512 * MiB;

/** Default command line. */
const APPEND = { pl011: "console=ttyAMA0 root=/dev/vda", "16550a": "console=ttyS0 root=/dev/vda" } as const;

/**
 * The boot of `debian` or `debian-RELEASE-disk`: changes of the disk stay in memory, the network is
 * the NAT. Undefined for another name, or when the guest is not in the cache.
 * @param more devices after the disk; a network card among them replaces the default one
 */
export async function diskGuestBoot(
  name: string,
  { append, more = [], bus, uart, platformDevices }: Pick<BootPlan, "bus" | "uart" | "platformDevices"> & {
    append?: string;
    more?: readonly DevicePlan[];
  } = {},
): Promise<BootPlan | undefined> {
  const release = releaseOf(name);
  if (release === undefined) return undefined;
  const entry = (await catalogEntries()).find(({ manifest }) => manifest.name === diskGuestName(release));
  if (!entry) return undefined;
  const network: DevicePlan[] = more.some(({ kind }) => kind === "net") ? [] : [{ kind: "net", backend: "user", forward: [] }];
  return {
    kind: "boot",
    image: readToEnd(`${entry.folder}/Image`),
    initrd: readToEnd(`${entry.folder}/initrd`),
    dtb: undefined,
    append: [APPEND[uart ?? "pl011"], ...append === undefined ? [] : [append]].join(" "),
    ...bus && { bus },
    ...uart && { uart },
    ...platformDevices && { platformDevices },
    clock: Math.floor(Date.now() / 1000),
    devices: [{ kind: "block", image: await Deno.realPath(`${entry.folder}/root.img`), mode: "overlay" }, ...network, ...more],
  };
}

/** Whether this is the name of a guest with a disk, in the cache or not. */
export const isDiskGuest = (name: string): boolean => releaseOf(name) !== undefined;

function releaseOf(name: string) {
  return name === "debian" ? DEFAULT_DEBIAN_RELEASE : DEBIAN_RELEASES.find((one) => diskGuestName(one) === name);
}
