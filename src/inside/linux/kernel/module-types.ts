// Types of a kernel's modules. The BTF of each continues the kernel's own: its types and names are
// numbered after those (Documentation/bpf/btf.rst in the kernel's sources).

import { MiB } from "../../../kit/support/values/sizes.ts";
import { whole } from "../../../kit/support/values/work.ts";
import type { Btf } from "./btf.ts";
import { BtfTypes } from "./btf-types.ts";
import type { Reading } from "./reading.ts";

/** Bytes of a module's BTF. */
const SIZE_MAX = 4 * MiB;
/** Modules whose types are kept: each has those of the kernel, too. */
const KEPT = 3;
/** Types by the kernel's own, and by the number that the kernel has given a module's. */
const KNOWN = new WeakMap<Btf, Map<number, BtfTypes>>();

/** The types of each module that has a name among its own. */
export function* moduleTypes(reading: Reading, name: string): Generator<BtfTypes> {
  const { memory, kernel } = reading, base = kernel.btf, head = kernel.find(memory, "btf_modules");
  if (!base || head === undefined) return;
  const known = KNOWN.get(base) ?? new Map<number, BtfTypes>();
  KNOWN.set(base, known);
  for (const module of reading.list("btf_modules", head, "btf_module", "list")) {
    const btf = module.at("btf", "btf"), size = btf?.number("data_size") ?? 0;
    if (!btf || size > SIZE_MAX) continue;
    memory.work.spend(size >> 6);
    const bytes = memory.bytes(btf.pointer("data"), size), id = btf.number("id");
    // Its first string has no zero before it.
    if (!new TextDecoder("latin1").decode(bytes).includes(`${name}\0`)) continue;
    let types = known.get(id);
    if (!types) {
      const read = whole(base.continued(bytes, memory.work));
      if (!read) continue;
      for (const [oldest] of known) if (known.size >= KEPT) known.delete(oldest);
      known.set(id, types = new BtfTypes(read));
    }
    yield types;
  }
}
