// The plan of one VM of a configuration: reads its files.

import { cpuOfPlan, type CpuPlan } from "../../cpu/isa/cpus/cpus.ts";
import { bareMetalImage, biosImage, callsSemihosting, firmwareImage, flashImage, linuxImage } from "../../inside/images/images.ts";
import { sameBytes } from "../../kit/support/values/bytes.ts";
import { sha256 } from "../../kit/support/values/sha256.ts";
import { MiB } from "../../kit/support/values/sizes.ts";
import { formatSize } from "../../kit/support/text/units.ts";
import {
  type OwnSchedule,
  rulesOf,
  type StaleImage,
  type VmImage,
  type VmLink,
  type VmPlan,
  type VmStart,
} from "../../machine/host/interface.ts";
import { ruled } from "../../model/plans/config-fact.ts";
import { checkedDevicetree, type Files, load, planDevice, type Refuse } from "./files.ts";
import { planned } from "./keys/key.ts";
import { VM } from "./keys/vm.ts";
import { afterOf } from "./machine-rules.ts";
import type { FileVm } from "./schema.ts";
import { keptVariables } from "./variables-file.ts";

/** Timeslice of a VM that the hypervisor schedules, microseconds. */
const DEFAULT_TIMESLICE = 5000;

/** The settings of the file that a VM's plan depends on. */
export interface VmPlace {
  readonly files: Files;
  readonly links: readonly VmLink[];
  /** The file sets its memory and base: a part that does not fit is refused. */
  readonly roomKnown: boolean;
  /** Context id of its vsock device, unless that sets one. */
  readonly cid: number;
  /** The Resource Manager can give VMs an ITS. */
  readonly hasIts: boolean;
  /** The machine's CPU. */
  readonly cpu: CpuPlan | undefined;
}

/** The image of a VM that starts in flash. */
const NO_IMAGE: VmImage = { bytes: new Uint8Array(0), offset: 0, size: 0, entry: 0 };

/** Plans it; undefined without an image that can be used. */
export async function planVm(name: string, vm: FileVm, place: VmPlace, refuse: Refuse): Promise<VmPlan | undefined> {
  const { files, links, cid, roomKnown, hasIts, cpu } = place;
  const asKernel = (file: Uint8Array) => linuxImage(file, roomKnown ? vm.memory : undefined, cpu);
  let hasCall = false;
  const asImage = (file: Uint8Array) => {
    if (!roomKnown) return undefined;
    const image = bareMetalImage(file, vm.base, vm.memory, cpu);
    hasCall ||= callsSemihosting(file);
    return image;
  };
  const unpacked = ({ bytes }: VmImage) => bytes;
  const kernel = await load("kernel", vm.kernel, files, refuse, asKernel, unpacked);
  const bareMetal = await load("image", vm.image, files, refuse, asImage);
  const rules = rulesOf(vm), inFlash = rules.bios === "flash";
  const bios = await load("bios", inFlash ? undefined : vm.bios, files, refuse, biosImage);
  const flash = await load("bios", inFlash ? vm.bios : undefined, files, refuse, flashImage);
  const vars = flash && await keptVariables("bios_vars", vm.bios_vars, files, refuse);
  const asFlash = (file: Uint8Array) => ({ bytes: flashImage(file).code });
  const built = await load("built", vm.built, files, refuse, kernel ? asKernel : bios ? biosImage : flash ? asFlash : asImage);
  const initrd = await load("initrd", vm.initrd, files, refuse, (file) => file);
  const firmware = await load("firmware", vm.firmware, files, refuse, firmwareImage);
  const devicetree = await load("dtb", vm.dtb, files, refuse, (file) => checkedDevicetree(file, rules.devicetreeSize));
  const devices = await Promise.all(
    (vm.devices ?? []).map((device) => planDevice(device, cid, files, (fact) => refuse("devices", fact))),
  );
  const image: VmImage | undefined = kernel ?? bareMetal ?? bios ?? (flash && NO_IMAGE);
  if (image === undefined) return undefined;
  const swiotlb = vm.swiotlb ?? (firmware && rules.swiotlb);
  const base = flash && rules.flashRam ? rules.flashRam : vm.base;
  const fields = planned(VM, "vm", vm);
  const needed = rules.needs({ ...fields, image, firmware, initrd, base, swiotlb, devicetreeFirst: bios && true, flash });
  if (needed > vm.memory && roomKnown) {
    const enough = formatSize(Math.ceil(needed / (2 * MiB)) * 2 * MiB);
    const what = `memory "${formatSize(vm.memory)}" is too small for what vm ${JSON.stringify(name)} is loaded with`;
    refuse("memory", ruled(what, `use ${enough}`));
  }
  const { msi = hasIts && vm.hypervisor === "gunyah" ? "its" : "gicv2m" } = vm;
  const schedule = vm.schedule === "proxy" ? "proxy" : ownSchedule(vm);
  return {
    name,
    ...fields,
    image,
    ...(vm.semihosting ?? hasCall) && { semihosting: true },
    firmware,
    initrd,
    ...rules.sendsMessages && { msi },
    ...swiotlb === undefined ? {} : { swiotlb },
    ...cpuOfPlan(cpu).features.has("FEAT_PMUv3") && { hasPmu: true },
    ...bios === undefined ? {} : { devicetreeFirst: true },
    ...built === undefined ? {} : { stale: await staleness(flash?.code ?? image.bytes, built.bytes) },
    ...flash === undefined ? {} : { flash: { ...flash, ...vars && { vars } } },
    base,
    schedule,
    // By default a VM has a console if its VMM can emulate one; some boards always do.
    console: vm.devices === undefined || rules.ports !== undefined
      ? vm.schedule === "proxy"
      : vm.devices.some(({ kind }) => kind === "pl011"),
    devices: devices.filter((device) => device !== undefined),
    devicetree,
    start: startOf(vm.start),
    links,
  };
}

/** How a VM's image differs from the one that was built, if it does. */
async function staleness(used: Uint8Array, built: Uint8Array): Promise<StaleImage | undefined> {
  return sameBytes(used, built) ? undefined : { used: await sha256(used), built: await sha256(built) };
}

function startOf(start: string): VmStart {
  const after = afterOf(start);
  return after === undefined ? start as "auto" | "manual" : { after };
}

function ownSchedule(vm: FileVm): OwnSchedule {
  return {
    affinity: "static",
    affinityMap: Array.from({ length: vm.vcpus }, (_, index) => index),
    priority: -1,
    timeslice: DEFAULT_TIMESLICE,
    ...planned(VM, "schedule", vm),
  };
}
