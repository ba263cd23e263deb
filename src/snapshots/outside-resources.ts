// A plan's uses of this computer: files, folders, sockets, the network. A snapshot's plan is as
// untrusted as its state, so a user who loads it has to allow each by name.

import { policyText } from "../virtio/net/nat/policy.ts";
import { DEFAULT_NET_POLICY, type DevicePlan } from "../virtio/plan.ts";
import { plannedDevices, plannedVariables, type SessionPlan } from "../plans/plan.ts";

/**
 * Each resource in words, such as `folder /home/me (rw)`; empty if the machine uses none.
 * @throws TypeError if a device of an untrusted plan is of an unknown kind, or lacks parts of
 * its kind.
 */
export function outsideResources(plan: SessionPlan): readonly string[] {
  const variables = plannedVariables(plan).map((path) => `firmware variables ${path} (rw)`);
  return [...variables, ...plannedDevices(plan).flatMap(resourcesOf)];
}

function resourcesOf(device: DevicePlan): string[] {
  switch (device.kind) {
    case "block":
      return [`disk ${device.image} (${device.mode})`];
    case "9p":
      return [`folder ${device.folder} (${device.mode})`];
    case "vsock":
      return device.path === undefined ? [] : [`socket ${device.path}`];
    case "net":
      return [
        ...device.backend === "user" ? [`the network (${policyText(device.policy ?? DEFAULT_NET_POLICY)})`] : [],
        ...device.forward.map(({ protocol, host }) => `${protocol} port ${host} of 127.0.0.1`),
        ...device.capture === undefined ? [] : [`file ${device.capture}`],
      ];
    case "rng":
    case "console":
    case "balloon":
    case "input":
      return [];
    default:
      throw new TypeError("it has a device of an unknown kind");
  }
}
