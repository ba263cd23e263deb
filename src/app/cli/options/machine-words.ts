// Words for arguments that name a machine or a guest, for completion.

import type { Offer } from "../common/command-tree.ts";

/** The demo and the guests of the catalog. */
export async function machineOffers(): Promise<Offer[]> {
  return [{ word: "demo", help: "three VMs that communicate" }, ...await guestOffers()];
}

/** The guests of the catalog. */
export async function guestOffers(): Promise<Offer[]> {
  const { catalogEntries } = await import("../../catalog/catalog.ts");
  return (await catalogEntries()).map(({ manifest }) => ({ word: manifest.name, help: manifest.about }));
}
