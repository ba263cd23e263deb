// Digests of a machine's state, for comparing runs.

import type { Hypervisor } from "../../../machine/hypervisor/boot.ts";
import { filledPages } from "../../state/pages.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import type { StateHashes } from "./system.ts";
import { node } from "../../../kit/support/node-modules.ts";

/** The digests of a machine, hexadecimal. */
export function stateHashes(hypervisor: () => Pick<Hypervisor, "scheduler" | "machine">): StateHashes {
  return {
    registers() {
      const hash = node.crypto.createHash("sha256");
      for (const vcpu of hypervisor().scheduler.vcpus) {
        const { registers } = vcpu;
        const words: unknown[] = [vcpu.name, registers.pc, registers.pstate, vcpu.usage.instructions];
        for (let i = 0; i < 31; i++) words.push(registers.getX(i));
        for (let i = 0; i < 32; i++) words.push(...registers.getV(i));
        for (const name of registers.names) words.push(registers.getRegister(name));
        hash.update(words.join());
      }
      return hash.digest("hex");
    },
    memory() {
      const hash = node.crypto.createHash("sha256");
      for (const [page, content] of filledPages(hypervisor().machine)) hash.update(`${page * PAGE_SIZE}:`).update(content);
      return hash.digest("hex");
    },
  };
}
