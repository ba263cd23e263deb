// The setter of PC where no instruction can be executed: the registers are as the branch has left
// them, and a vCPU remembers its last exception return, its power-on, and the end of a CPU_SUSPEND.

import type { Vcpu } from "../../../machine/hypervisor/inspect.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import type { BranchedBy } from "../../../model/queries/facts/branched-by.ts";
import { readWord } from "../readers/guest/read-symbols.ts";
import type { View } from "../readers/inspected.ts";

/** BLR Xn, with n in bits 9:5, and its forms with authentication: bits 24 and 11:10 differ. */
const BLR_MASK = 0xfeff_f000, BLR = 0xd63f_0000, RN_SHIFT = 5, RN_MASK = 0x1f;
/** The link register. */
const LINK = 30;

/** @param address PC as the branch has set it */
export function branchedBy(view: View, vcpu: Vcpu, address: bigint): BranchedBy | null {
  const { registers, index } = vcpu, { entered } = registers, link = registers.getX(LINK);
  if (entered?.at === address) {
    if (entered.by === "power-on") return { how: "power-on", first: index === 0 };
    return { how: entered.by === "resume" ? "resume" : "exception-return" };
  }
  // X30 is 0 until the first call, too.
  if (link === address && address !== 0n) return { how: "return" };
  return callTo(view, vcpu, address) ?? branchTo(vcpu, address);
}

/** The call before the address in X30. */
function callTo(view: View, vcpu: Vcpu, address: bigint): BranchedBy | undefined {
  const { registers } = vcpu, link = registers.getX(LINK), word = link % 4n === 0n ? readWord(view, vcpu, link - 4n) : undefined;
  if (word === undefined || (word & BLR_MASK) >>> 0 !== BLR) return undefined;
  const number = word >>> RN_SHIFT & RN_MASK;
  // X30 is older than the branch if the register has another address.
  if (registers.getX(number) !== address) return undefined;
  const symbol = view.system.symbols.nameOf(view.vmNameOf(vcpu.addressSpace), link - 4n) ?? null;
  return { how: "call", at: hex(link - 4n), symbol, register: `X${number}` };
}

/** The only register that has the address. Several are 0. */
function branchTo({ registers }: Vcpu, address: bigint): BranchedBy | null {
  const having = Array.from({ length: LINK }, (_, number) => number).filter((number) => registers.getX(number) === address);
  return address !== 0n && having.length === 1 ? { how: "branch", register: `X${having[0]}` } : null;
}
