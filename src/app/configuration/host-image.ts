// `[host] kind = "image"`: the primary VM is an image of the user's, as `el2 boot` runs it, with
// the keys of a VM.

import type { CpuPlan } from "../../cpu/isa/cpus/cpus.ts";
import { checkBootPlan } from "../../session/assembly/layout/boot-plan.ts";
import { ruled } from "../../model/plans/config-fact.ts";
import { checkedDevicetree, type Files, load, logOf, planDevice, problemFact, type Refuse, symbolsIn } from "./files.ts";
import { IMAGE_HOST } from "./keys/host.ts";
import { planned } from "./keys/key.ts";
import type { FileHost } from "./schema.ts";
import { hasHeader } from "../../inside/images/images.ts";
import { keptVariables } from "./variables-file.ts";
import { type BootPlan, type FirmwarePlan, PlanError, PRIMARY_CID } from "../../model/plans/plan.ts";
import { DEVICETREE_WINDOW } from "../../session/assembly/layout/primary-image.ts";

/** The settings of the file that a primary VM depends on. */
interface HostPlace {
  readonly cpu: CpuPlan | undefined;
  /** Bytes of all guests' memory. */
  readonly memory: number;
  readonly files: Files;
  /** The root VM is an image, which may make no primary VM. */
  readonly hasRoot: boolean;
}

/** A planned primary VM. */
interface HostImage {
  readonly boot: BootPlan;
  /** Bytes of its RAM. */
  readonly memory: number;
  readonly symbols: Uint8Array | undefined;
  /** File that its console is written to. */
  readonly log: string | undefined;
}

/** Plans it; undefined if something is wrong. */
export async function planHostImage(host: FileHost, place: HostPlace, refuse: Refuse): Promise<HostImage | undefined> {
  const { files } = place;
  const named = host.kernel === undefined ? "image" : "kernel";
  if (host.kernel !== undefined && host.image !== undefined) refuse("image", ruled("image and kernel are mutually exclusive"));
  if (host.kernel === undefined && host.image === undefined && host.firmware === undefined && !place.hasRoot) {
    refuse("kind", { code: "needs", what: 'kind "image"', needs: "a kernel, an image or firmware" });
    return undefined;
  }
  const whole = (file: Uint8Array) => file;
  const [image, initrd, dtb] = await Promise.all([
    load(named, host[named], files, refuse, whole),
    load("initrd", host.initrd, files, refuse, whole),
    load("dtb", host.dtb, files, refuse, (file) => checkedDevicetree(file, DEVICETREE_WINDOW)),
  ]);
  const symbols = await load("symbols", host.symbols, { ...files, taken: undefined }, refuse, symbolsIn);
  const firmware = await planFirmware(host, files, refuse);
  const devices = await Promise.all(
    (host.devices ?? []).map((device) => planDevice(device, PRIMARY_CID, files, (fact) => refuse("devices", fact))),
  );
  if (host[named] !== undefined && image === undefined || host.firmware !== undefined && firmware === undefined) return undefined;
  const boot: BootPlan = {
    kind: "boot",
    image,
    initrd,
    dtb,
    append: undefined,
    firmware,
    ...clockOf(host.rtc),
    devices: devices.filter((device) => device !== undefined),
    ...isRaw(host, image) && { raw: true },
    ...planned(IMAGE_HOST, "boot", host),
  };
  const { cpu, memory: all } = place;
  const memory = host.memory ?? all;
  if (memory > all) refuse("memory", ruled("memory exceeds that of [machine], which is shared by all guests"));
  try {
    checkBootPlan(boot, { memory, cpu }, host.firmware ?? host[named]!);
  } catch (error) {
    if (!(error instanceof PlanError)) throw error;
    refuse(host.firmware === undefined ? named : "firmware", problemFact(error));
  }
  return { boot, memory, symbols, log: logOf(host.devices, files, refuse) };
}

/** The start of the clock: now unless the file names a time. */
function clockOf(rtc: FileHost["rtc"]): Pick<BootPlan, "clock" | "startsNow"> {
  return typeof rtc === "number" ? { clock: rtc } : { clock: Math.floor(Date.now() / 1000), startsNow: true };
}

/** Whether `image` names code without a header. With firmware it is the kernel offered to it. */
function isRaw({ image: named, firmware }: FileHost, image: Uint8Array | undefined): boolean {
  return named !== undefined && firmware === undefined && image !== undefined && !hasHeader(image);
}

async function planFirmware(
  { firmware, firmware_vars: vars }: FileHost,
  files: Files,
  refuse: Refuse,
): Promise<FirmwarePlan | undefined> {
  if (firmware === undefined) {
    if (vars !== undefined) refuse("firmware_vars", { code: "needs", what: "firmware_vars", needs: "firmware" });
    return undefined;
  }
  const code = await load("firmware", firmware, files, refuse, (file) => file);
  return code && { code, vars: await keptVariables("firmware_vars", vars, files, refuse) };
}
