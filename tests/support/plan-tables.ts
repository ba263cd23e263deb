// Tables of plans that tests make by hand, so that recordings and snapshots can keep them.

import { ipText } from "../../src/kit/formats/ip-addresses.ts";
import { type Keys, keysIn } from "../../src/app/configuration/keys/key.ts";
import { MACHINE, NATIVE_RM } from "../../src/app/configuration/keys/machine.ts";
import type { BootPlan, DevicePlan, PlanTable, SessionPlan } from "../../src/model/plans/plan.ts";
import { formatSize } from "../../src/kit/support/text/units.ts";
import type { NetRule } from "../../src/machine/virtio/plan.ts";

/** The plan with a table that makes it. That of a native host is given: its machine may differ. */
export function withTable(plan: SessionPlan): SessionPlan {
  const { what, root } = plan, files: Record<string, Uint8Array> = { ...plan.table?.files };
  const named = (name: string, bytes: Uint8Array | undefined) => {
    if (bytes !== undefined) files[name] = bytes;
    return bytes && name;
  };
  const keys: PlanTable["keys"] = plan.table?.keys ?? {};
  const rm = root && { kind: "image", runtime: named("runtime", root.runtime), app: named("app", root.app) };
  const host = what.kind === "boot" ? hostOf(what, named) : undefined, vars = what.kind === "boot" ? what.firmware?.vars : undefined;
  const table: PlanTable = {
    keys: given({
      ...keys,
      machine: { ...keys.machine as object, ...machineOf(plan) },
      host: host ?? keys.host,
      rm: rm ?? (plan.behaviour ? given(behaviourOf(NATIVE_RM, plan)) : keys.rm),
    }),
    files,
    variables: vars ? { [vars.path]: vars.content } : {},
  };
  return { ...plan, table };
}

function given<T extends object>(table: T): Partial<T> {
  return Object.fromEntries(Object.entries(table).filter(([, value]) => value !== undefined)) as Partial<T>;
}

function machineOf(plan: SessionPlan): Record<string, unknown> {
  const { cpus, cpu, memory, seed } = plan;
  return given({ cpus, memory: formatSize(memory), seed, cpu: cpu?.name, ...behaviourOf(MACHINE, plan) });
}

function behaviourOf(keys: Keys, { behaviour = {} }: SessionPlan): Record<string, unknown> {
  const values: Readonly<Record<string, unknown>> = { ...behaviour };
  return Object.fromEntries(
    keysIn(keys, "behaviour").map((key) => [key, values[key.replaceAll(/_(\w)/g, (_, letter) => letter.toUpperCase())]]),
  );
}

function hostOf(what: BootPlan, named: (name: string, bytes: Uint8Array | undefined) => string | undefined): Record<string, unknown> {
  const { image, initrd, dtb, append, firmware, clock, startsNow, devices = [], bus, uart, platformDevices } = what;
  return given({
    kind: "image",
    image: named("image", image),
    initrd: named("initrd", initrd),
    dtb: named("dtb", dtb),
    cmdline: append,
    firmware: named("firmware", firmware?.code),
    firmware_vars: firmware?.vars?.path,
    rtc: clock === undefined || startsNow ? undefined : new Date(clock * 1000).toISOString(),
    devices: devices.map(deviceOf),
    bus,
    uart,
    platform_devices: platformDevices,
  });
}

function deviceOf(device: DevicePlan): Record<string, unknown> {
  if (device.kind !== "net") return given({ ...device });
  const { policy, forward, ...card } = device, rules = (list: readonly NetRule[]) => list.map(ruleText);
  const forwards = forward.map(({ protocol, host, guest }) => `${protocol}:${host}:${guest}`);
  return given({ ...card, forward: forwards, ...policy && { ...policy, allow: rules(policy.allow), deny: rules(policy.deny) } });
}

/** A rule of IPv4. */
function ruleText({ network, bits, port }: NetRule): string {
  return `${ipText(Number(network))}/${bits}${port === undefined ? "" : `:${port}`}`;
}
