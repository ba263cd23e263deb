// Rules of injected faults as a virtio device's transport asks for them.

import type { FaultEffect } from "../../../machine/abi/faults.ts";
import type { Faults } from "../../../machine/hypervisor/boot.ts";
import type { VirtioDevice } from "../../../machine/virtio/device.ts";
import type { DeviceFaults, InjectedFate } from "../../../machine/virtio/transport.ts";

/** The effects of rules on a device. @param dev as rules name it: `host/blk0` */
export function deviceFaults(faults: Faults, dev: string, device: VirtioDevice): DeviceFaults {
  return {
    get armed() {
      return faults.armed.dev;
    },
    fate: (op) => {
      const hit = faults.hit("dev", { dev, op });
      return hit && fateOf(hit.effect, device, `the fault of ${hit.id} was injected`);
    },
    later: (ns, act) => faults.later(ns, act),
  };
}

function fateOf(effect: FaultEffect, device: VirtioDevice, why: string): InjectedFate {
  if (effect.kind === "die") return { kind: "die", why };
  // A device without an error response can only stop.
  if (effect.kind === "error" && !device.fail) return { kind: "die", why: `${why}; a ${device.name} device cannot report an error` };
  return effect.kind === "error" ? { kind: "error" } : effect;
}
