// `[host] kind = "image"`: the primary VM is an image of the user's, as `el2 boot` runs it, with
// the keys of a VM.

import { CpuError, cpuOfPlan, type CpuPlan } from "../../cpu/isa/cpus/cpus.ts";
import { checkBootPlan } from "../../session/assembly/layout/boot-plan.ts";
import { ruled } from "../../model/plans/config-fact.ts";
import { checkedDevicetree, type Files, load, logOf, planDevice, problemFact, type Refuse, symbolsIn } from "./files.ts";
import { SELF } from "./keys/files.ts";
import { IMAGE_HOST } from "./keys/host.ts";
import { planned } from "./keys/key.ts";
import type { FileHost } from "./schema.ts";
import { hasHeader } from "../../inside/images/images.ts";
import { isKernel, latin1, unwrapImage } from "../../inside/images/kernel-image.ts";
import { keptVariables } from "./variables-file.ts";
import { type BootModule, type BootPlan, type FirmwarePlan, PlanError, PRIMARY_CID } from "../../model/plans/plan.ts";
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
  const named = imageKey(host);
  if (host.kernel !== undefined && host.image !== undefined) refuse("image", ruled("image and kernel are mutually exclusive"));
  if (host[named] === undefined && host.firmware === undefined && !place.hasRoot) {
    refuse("kind", { code: "needs", what: 'kind "image"', needs: "a kernel, an image, el2 or firmware" });
    return undefined;
  }
  checkEl2(host, place, refuse);
  const whole = (file: Uint8Array) => file;
  const [image, kernel, initrd, dtb] = await Promise.all([
    load(named, host[named], files, refuse, named === "el2" && host.firmware === undefined ? checkedHypervisor : whole),
    named === "el2" ? load("kernel", host.kernel, files, refuse, (file) => kernelModule(file, place.memory)) : undefined,
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
    initrd: named === "el2" ? undefined : initrd,
    dtb,
    append: undefined,
    firmware,
    ...clockOf(host.rtc),
    devices: devices.filter((device) => device !== undefined),
    ...isRaw(host, named, image) && { raw: true },
    ...host.el2 !== undefined && { atEl2: true },
    ...planned(IMAGE_HOST, "boot", host),
    ...named === "el2" && { append: host.el2_args, ...modulesOf(kernel, initrd, host.cmdline) },
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

/** A kernel as a hypervisor gets it, without its container. */
function kernelModule(file: Uint8Array, memory: number): Uint8Array {
  return isKernel(file) ? unwrapImage(file, memory).image : file;
}

/** The modules of a hypervisor. A kernel always has bootargs: those of /chosen are not its own. */
function modulesOf(kernel?: Uint8Array, initrd?: Uint8Array, bootargs = ""): Pick<BootPlan, "modules"> {
  const modules: BootModule[] = [];
  if (kernel) modules.push({ kind: "kernel", bytes: kernel, bootargs });
  if (initrd) modules.push({ kind: "ramdisk", bytes: initrd });
  return modules.length ? { modules } : {};
}

/** The start of the clock: now unless the file names a time. */
function clockOf(rtc: FileHost["rtc"]): Pick<BootPlan, "clock" | "startsNow"> {
  return typeof rtc === "number" ? { clock: rtc } : { clock: Math.floor(Date.now() / 1000), startsNow: true };
}

/** The key of the image that is entered, or that firmware is offered. */
function imageKey({ kernel, el2 }: FileHost): "el2" | "kernel" | "image" {
  if (el2 !== undefined && el2 !== SELF) return "el2";
  return kernel === undefined ? "image" : "kernel";
}

/** Whether the image is code without a header. With firmware it is the kernel offered to it. */
function isRaw({ firmware }: FileHost, named: ReturnType<typeof imageKey>, image: Uint8Array | undefined): boolean {
  return named !== "kernel" && firmware === undefined && image !== undefined && !hasHeader(image);
}

/** Refuses keys that a machine whose image is entered at EL2 does not have. */
function checkEl2(host: FileHost, { cpu, hasRoot }: HostPlace, refuse: Refuse): void {
  if (host.el2 === undefined) {
    if (host.el2_args !== undefined) refuse("el2_args", { code: "needs", what: "el2_args", needs: "el2 = FILE" });
    return;
  }
  if (hasRoot) refuse("el2", ruled("el2: the root VM's program belongs to el2's own hypervisor", 'use [rm] kind = "native"'));
  if (host.el2 === SELF) {
    if (host.el2_args !== undefined) refuse("el2_args", ruled("the kernel is the hypervisor itself", "use cmdline"));
  } else {
    if (host.image !== undefined) refuse("image", ruled("a hypervisor starts a kernel", "use kernel = FILE"));
    const ofModules = ["initrd", "cmdline"] as const;
    for (const key of host.firmware === undefined ? [] : ["kernel", ...ofModules] as const) {
      if (host[key] !== undefined) {
        refuse(key, ruled(`firmware gives a hypervisor no ${key}`, "put it on a disk, from which the hypervisor takes it"));
      }
    }
    for (const key of host.firmware === undefined ? ofModules : []) {
      if (host[key] !== undefined && host.kernel === undefined) refuse(key, { code: "needs", what: key, needs: "kernel = FILE" });
    }
  }
  try {
    cpuOfPlan(cpu, true);
  } catch (error) {
    if (!(error instanceof CpuError)) throw error;
    refuse("el2", problemFact(error));
  }
}

/** Bytes at the start of an EFI application, which an arm64 Image may be as well. */
const EFI_MAGIC = "MZ";

/** @throws PlanError for an EFI application, which needs firmware to start it */
function checkedHypervisor(file: Uint8Array): Uint8Array {
  if (latin1(file, 0, EFI_MAGIC.length) === EFI_MAGIC && !hasHeader(file)) {
    throw new PlanError(
      "an EFI application needs firmware that starts it",
      "name firmware as well, or use an ELF file, an Image or raw code",
    );
  }
  return file;
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
