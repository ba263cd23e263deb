// Packages of Debian for tests and benches, and what is made of them, in folders below .state: by
// apt, without root.

import { Apt, debianSource } from "./apt.ts";
import { exists } from "../src/kit/support/files/cache.ts";

/** A release's packages of an architecture. */
export interface WantedPackages {
  readonly release: string;
  readonly architecture: string;
  /** For the lists. */
  readonly folder: string;
  /** The source packages as well. */
  readonly sourcePackages?: boolean;
}

/**
 * Opens a release's packages, with fresh lists.
 * @throws Error if the machine knows no mirror
 */
export async function openPackages({ release, ...wanted }: WantedPackages): Promise<Apt> {
  const source = await debianSource(release, Deno.env.get("EL2_MIRROR") || undefined);
  if (source === undefined) {
    throw new Error("apt on this machine has no Debian mirror, or no debian-archive-keyring; name a mirror in EL2_MIRROR");
  }
  const apt = await Apt.open({ ...wanted, sources: [source] });
  await apt.update();
  return apt;
}

/** Makes a folder by `work`, unless it exists: never a part of one. */
export async function wholeFolder(folder: string, work: (unfinished: string) => Promise<void>): Promise<void> {
  if (await exists(folder)) return;
  const unfinished = `${folder}.unfinished`;
  // Remains of an interrupted run.
  if (await exists(unfinished)) await Deno.remove(unfinished, { recursive: true });
  await Deno.mkdir(unfinished, { recursive: true });
  await work(unfinished);
  await Deno.rename(unfinished, folder);
}
