// Links of a configuration as the plan has them: each VM knows its end, and the host the memory
// that it shares.

import type { SharedBuffer, VmLink } from "../../machine/host/interface.ts";
import { planned } from "./keys/key.ts";
import { LINK_KEYS } from "./keys/links.ts";
import type { FileLink } from "./schema.ts";

/** The links by VM, as each sees them, in their order. */
export function linksByVm(links: readonly FileLink[]): ReadonlyMap<string, readonly VmLink[]> {
  const found = new Map<string, VmLink[]>();
  const add = (vm: string, link: VmLink) => {
    const known = found.get(vm);
    if (known) known.push(link);
    else found.set(vm, [link]);
  };
  for (const link of links) {
    if (link.kind === "msgqueue-pair") {
      const [a, b] = link.between, queues = planned(LINK_KEYS["msgqueue-pair"], "link", link);
      add(a, { kind: "message-queue-pair", peer: b, ...queues });
      add(b, { kind: "message-queue-pair", peer: a, ...queues });
    } else if (link.kind === "doorbell") {
      const doorbell = planned(LINK_KEYS.doorbell, "link", link);
      add(link.to, { kind: "doorbell", peer: link.from, ...doorbell });
      add(link.from, { kind: "doorbell-source", peer: link.to, ...doorbell });
    } else {
      const { label } = link;
      for (const vm of Object.keys(link.access)) add(vm, { kind: "shared-memory", label });
    }
  }
  return found;
}

/** The memory that the host shares. */
export function buffersOf(links: readonly FileLink[]): SharedBuffer[] {
  return links.flatMap((link) => {
    if (link.kind !== "shm") return [];
    const access = Object.entries(link.access).map(([vm, rights]) => ({ vm, write: rights === "rw" }));
    return [{ ...planned(LINK_KEYS.shm, "link", link), access }];
  });
}
