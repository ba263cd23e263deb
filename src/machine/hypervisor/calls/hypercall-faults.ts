// Faults of hypercalls (src/machine/abi/faults.ts): they are put around the calls' handlers while
// rules name them, so that other calls pay nothing.

import { ErrorCode } from "../../abi/errors.ts";
import { type FaultHit, type FaultRule, INJECTED, INJECTED_SECTION, injectedValues } from "../../abi/faults.ts";
import { type HypercallName, HYPERCALLS } from "../../abi/hypercalls.ts";
import { type Call, DEFERRED, type HypercallDefinition } from "../capabilities/hypercall-definition.ts";
import { type Faults, fits } from "../services/faults.ts";
import type { HypercallTable } from "./hypercalls.ts";

/** Puts the rules that are in force around the calls of a table. */
export class HypercallFaults {
  /** Hypercalls that rules are put around now. */
  #around = new Set<HypercallName>();

  constructor(readonly faults: Faults, readonly table: HypercallTable) {
    faults.onRules = (rules) => this.#rearm(rules);
  }

  #rearm(all: readonly FaultRule[]): void {
    const rules = all.filter(({ kind }) => kind === "hvc");
    const named = (Object.keys(HYPERCALLS) as HypercallName[]).filter((name) =>
      rules.some(({ conditions }) => conditions.every((condition) => condition.field !== "name" || fits(condition, { name })))
    );
    for (const name of this.#around) this.table.around(name, undefined);
    this.#around = new Set(named);
    for (const name of named) this.table.around(name, (definition) => this.#put(definition));
  }

  /** The definition of a call that asks for faults before any check. */
  #put(definition: HypercallDefinition): HypercallDefinition {
    const { name, validate, handler } = definition;
    let hit: FaultHit | undefined;
    return {
      ...definition,
      constant: undefined,
      validate: (call, args) => {
        hit = this.faults.hit("hvc", { name, vm: vmOf(call), vcpu: call.services.names.vcpu(call.caller) });
        if (hit?.effect.kind === "delay") this.faults.spend(hit.effect.ns);
        if (hit?.effect.kind === "error") {
          return call.refuse(hit.effect.code as ErrorCode, INJECTED, injectedValues(hit), INJECTED_SECTION);
        }
        return validate?.(call, args) ?? ErrorCode.OK;
      },
      handler: handler && ((call, args) => {
        if (hit?.effect.kind === "lose") return ErrorCode.OK;
        const twice = hit?.effect.kind === "double";
        const first = handler(call, args);
        return twice && first !== DEFERRED ? handler(call, args) : first;
      }),
    };
  }
}

function vmOf({ services, caller }: Call): string {
  return caller.addressSpace ? services.names.vm(caller.addressSpace.vmid) : "";
}
