// Guests of the catalog that are a primary VM by themselves: the Debian with a disk, by the names
// that `run`, `up` and `boot` take.

import { catalogEntries, DEBIAN_RELEASES, DEFAULT_DEBIAN_RELEASE, diskGuestName } from "./catalog.ts";

/** Default command line, by the serial port of the console. */
const CMDLINES: Readonly<Record<string, string>> = { pl011: "console=ttyAMA0 root=/dev/vda", "16550a": "console=ttyS0 root=/dev/vda" };

/**
 * The keys of a configuration for `debian` or `debian-RELEASE-disk`: changes of the disk stay in
 * memory, the network is the NAT. Undefined for another name.
 * @param uart the serial port of the console
 */
export function diskGuestTable(name: string, uart = "pl011") {
  const release = releaseOf(name);
  if (release === undefined) return undefined;
  const file = (file: string) => `catalog:${diskGuestName(release)}/${file}`;
  const devices: Record<string, unknown>[] = [
    { kind: "block", image: file("root.img"), mode: "overlay" },
    { kind: "net", backend: "user" },
  ];
  const host = { kind: "image", kernel: file("Image"), initrd: file("initrd"), cmdline: CMDLINES[uart], devices };
  return { machine: { cpus: 1, memory: "512MiB" }, host };
}

/** Whether the guest of this name has been fetched. */
export async function hasDiskGuest(name: string): Promise<boolean> {
  const release = releaseOf(name);
  return release !== undefined && (await catalogEntries()).some(({ manifest }) => manifest.name === diskGuestName(release));
}

function releaseOf(name: string) {
  return name === "debian" ? DEFAULT_DEBIAN_RELEASE : DEBIAN_RELEASES.find((one) => diskGuestName(one) === name);
}
