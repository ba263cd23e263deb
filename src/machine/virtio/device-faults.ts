// The effects of rules for injected faults on the requests to a virtio device of any VM
// (docs/fault-injection.md).

import type { VirtioDevice } from "./device.ts";
import type { DeviceFaults, InjectedFate } from "./transport.ts";

/** The rules, as `FaultPort` of abi has them. */
interface DeviceRules {
  readonly armed: { readonly dev: boolean };
  hit(kind: "dev", request: Readonly<Record<string, string>>): { readonly id: string; readonly effect: Effect } | undefined;
}

/** A device that dies says why. */
type Effect = Exclude<InjectedFate, { kind: "die" }> | { readonly kind: "die" };

/**
 * @param faults the rules, once the machine has them
 * @param dev as rules name it: `host/blk0`
 * @param later calls `act` after a delay (virtual ns)
 */
export function deviceFaults(
  faults: () => DeviceRules | undefined,
  dev: string,
  device: VirtioDevice,
  later: DeviceFaults["later"],
): DeviceFaults {
  return {
    get armed() {
      return faults()?.armed.dev === true;
    },
    fate: (op) => {
      const hit = faults()?.hit("dev", { dev, op });
      return hit && fateOf(hit.effect, device, `the fault of ${hit.id} was injected`);
    },
    later,
  };
}

function fateOf(effect: Effect, device: VirtioDevice, why: string): InjectedFate {
  if (effect.kind === "die") return { kind: "die", why };
  // A device without an error response can only stop.
  if (effect.kind === "error" && !device.fail) return { kind: "die", why: `${why}; a ${device.name} device cannot report an error` };
  return effect;
}
