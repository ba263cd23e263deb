// Devices whose probe the driver core has put off, because something that they need has no driver
// yet (drivers/base/dd.c in the kernel's sources).

import type { DeferredDevice } from "../../../model/queries/facts/linux-finding.ts";
import { deviceName } from "./probe.ts";
import type { Reading } from "../kernel/reading.ts";

const OF = "deferred devices";
const NAME_MAX = 256;

/** They with the reason that the kernel has noted. */
export function deferredDevices(reading: Reading): DeferredDevice[] {
  const members = () => reading.list(OF, reading.address("deferred_probe_pending_list"), "device_private", "deferred_probe");
  return reading.rows(OF, members, (one) => {
    const device = one.at("device", "device"), name = device && deviceName(device);
    if (name === undefined) return undefined;
    const reason = one.has("deferred_probe_reason") ? one.textAt("deferred_probe_reason", NAME_MAX)?.trim() : undefined;
    return { name, reason: reason ?? null };
  });
}
