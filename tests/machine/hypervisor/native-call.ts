// Hypercalls by either entrance, with listed arguments.

import { CallRegisters } from "../../../src/machine/abi/call-registers.ts";
import { HYPERCALLS } from "../../../src/machine/abi/hypercalls.ts";
import { DEFERRED } from "../../../src/machine/hypervisor/capabilities/hypercall-definition.ts";
import type { HypercallTable } from "../../../src/machine/hypervisor/calls/hypercalls.ts";
import type { EncodedResults, Entrance } from "../../../src/machine/hypervisor/scheduling/vcpu-services.ts";
import type { Vcpu } from "../../../src/machine/hypervisor/scheduling/vcpu.ts";

/**
 * A native call with these values in X0..X7, as a native guest makes it: `DEFERRED` when the caller
 * does not continue now, undefined when the number is not assigned.
 */
export function nativeCall(
  table: Pick<HypercallTable, "callWith">,
  caller: Vcpu,
  number: number,
  args: readonly bigint[],
): EncodedResults | typeof DEFERRED | undefined {
  const registers = new CallRegisters();
  registers.load(args);
  const reply = table.callWith(caller, number, registers);
  if (reply === DEFERRED) return DEFERRED;
  if (!reply) return undefined;
  const [name, { results }] = Object.entries(HYPERCALLS).find(([, call]) => call.number === number)!;
  return { values: registers.list(), count: Object.keys(results).length + (name === "hypervisor_identify" ? 0 : 1) };
}

/** The same by the entrance that is named; that of SMCCC has X1..X7. */
export function callBy(
  entrance: Entrance,
  table: Pick<HypercallTable, "callWith" | "dispatch">,
  caller: Vcpu,
  number: number,
  args: readonly bigint[],
): EncodedResults | typeof DEFERRED | undefined {
  return entrance === "native" ? nativeCall(table, caller, number, args) : table.dispatch(caller, number, args);
}
