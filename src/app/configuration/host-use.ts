// Uses of this computer by a configuration, from its keys.

import { type Files, inFolder, policyOf } from "./files.ts";
import { textsOf } from "./keys/host-paths.ts";
import { type File, type FileDevice, Schema } from "./schema.ts";
import { hostPathOf, type HostResource } from "../../model/plans/host-resources.ts";
import { DEFAULT_NET_POLICY } from "../../model/plans/plan.ts";

/**
 * The resources that a checked configuration names.
 * @param typed keys that the user has typed (`vm.rt.image`): their resources are left out
 */
export function hostUse(file: File, files: Files, typed: readonly string[]): readonly HostResource[] {
  const isTyped = (keys: readonly (string | number)[]) => typed.some((key) => `${keys.join(".")}.`.startsWith(`${key}.`));
  const found: HostResource[] = [];
  for (const { keys, use, value, table } of textsOf(Schema, file)) {
    if (use === undefined || typeof value !== "string" || value === use.none || isTyped(keys)) continue;
    if (use.kind === "file" && Object.hasOwn(files.given ?? {}, value)) continue;
    const written = use.written === "mode" ? table.mode === "rw" : use.written;
    const ofCatalog = value.startsWith("catalog:");
    // The files of the catalog are el2's own: they may be read.
    if (ofCatalog) {
      if (written) found.push({ kind: use.kind, path: value, place: value, written });
    } else found.push(hostPathOf(use.kind, inFolder(value, files), written));
  }
  const add = (devices: readonly FileDevice[] = [], ...keys: readonly string[]) => {
    for (const [index, device] of devices.entries()) {
      if (device.kind === "net" && !isTyped([...keys, "devices", index])) found.push(...networkUse(device));
    }
  };
  add(file.host.devices, "host");
  for (const [name, { devices }] of Object.entries(file.vm)) add(devices, "vm", name);
  return found;
}

function networkUse(card: Extract<FileDevice, { kind: "net" }>): HostResource[] {
  const ports = card.forward.map((forward): HostResource => ({ kind: "port", forward }));
  return card.backend === "user" ? [{ kind: "network", policy: policyOf(card) ?? DEFAULT_NET_POLICY }, ...ports] : ports;
}
