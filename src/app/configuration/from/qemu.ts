// `qemu-system-aarch64`: its options, as qemu-options.hx of QEMU declares them, and their keys.
// A machine of QEMU is the primary VM; with `-accel gunyah` a VM on its board.

import { MiB } from "../../../kit/support/values/sizes.ts";
import { parseSize } from "../../../kit/support/text/units.ts";
import { type ForeignMachine, NO_DISPLAY, NO_USB, OWN_DEBUGGER, STARTS_ANEW } from "./foreign-machine.ts";
import { memoryOf, numberOf, qemuValues } from "./key-values.ts";
import { absent, applyOptions, type ForeignOption, ofProcess } from "./option-table.ts";
import { QemuLine } from "./qemu-line.ts";

/** Memory without `-m`. */
const MEMORY = 128 * MiB;

/** CPUs of QEMU, and the name of the nearest one; v8 is the default. */
const CPUS: Readonly<Record<string, string | undefined>> = {
  host: undefined,
  max: "max",
  "cortex-a35": "v8",
  "cortex-a53": "v8",
  "cortex-a57": "v8",
  "cortex-a72": "v8",
  "cortex-a55": "a55",
  "cortex-a76": "a76",
  "neoverse-n1": "a76",
  "cortex-a78ae": "a78",
  "cortex-a710": "a710",
};

/** Settings of `-machine virt` that change what a guest finds. */
const MACHINE_ABSENT: Readonly<Record<string, string>> = {
  virtualization: "the guest starts at EL1, below Gunyah",
  secure: "no EL3: firmware of the secure world does not run",
  mte: "no memory tagging",
  iommu: "no IOMMU",
  "confidential-guest-support": "the VM is not protected",
};

function cpu(machine: ForeignMachine, value: string, option: string): void {
  const [name, ...features] = value.split(",");
  if (!Object.hasOwn(CPUS, name)) machine.absent(`${option} ${name}`, "the CPU is v8: [machine] cpu names another one");
  else if (CPUS[name] !== undefined) machine.machine.cpu = CPUS[name];
  for (const feature of features) machine.absent(`${option} ${feature}`, "[machine] cpu says what vCPUs have, such as v8.4,+FEAT_RNG");
}

function board(line: QemuLine, value: string, option: string): void {
  const parts = qemuValues(value, "type"), type = parts.get("type") ?? "virt", { machine } = line;
  if (!/^virt(-[\d.]+)?$/.test(type)) {
    machine.absent(`${option} ${type}`, 'the board is QEMU\'s "virt": images for another one may not start');
  }
  const version = parts.get("gic-version", "gic_version") ?? line.gicVersion;
  line.gicVersion = ["2", "3"].includes(version) ? version : "3";
  // A line that names no version has QEMU's default, a GICv2: that is not reported.
  if (version === "4" || version === "2" && parts.get("gic-version") !== undefined) {
    machine.absent(`${option} gic-version=${version}`, "the interrupt controller is a GICv3");
  }
  for (const [key, why] of Object.entries(MACHINE_ABSENT)) {
    const set = parts.get(key);
    if (set !== undefined && set !== "off" && set !== "none") machine.absent(`${option} ${key}=${set}`, why);
  }
}

function memory(machine: ForeignMachine, value: string, option: string): void {
  machine.memory = memoryOf(option, qemuValues(value, "size").get("size") ?? "", (text) => parseSize(text.toUpperCase()));
}

/** `-smp 4` or `-smp cpus=4`; without cpus, what the topology makes. */
function smp(machine: ForeignMachine, value: string, option: string): void {
  const parts = qemuValues(value, "cpus"), count = parts.get("cpus");
  const levels = ["sockets", "dies", "clusters", "cores", "threads"].map((level) => numberOf(option, parts.get(level) ?? "1", 1));
  machine.cpus = count === undefined ? levels.reduce((product, level) => product * level) : numberOf(option, count, 1);
}

/** `-rtc base=DATE`: the start of the clock; others are the time of this computer. */
function rtc(machine: ForeignMachine, value: string, option: string): void {
  const base = qemuValues(value, "base").get("base") ?? "utc";
  if (base === "utc" || machine.board !== "primary") return;
  if (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/.test(base)) machine.keys.rtc = `${base}Z`;
  else machine.absent(`${option} base=${base}`, "the clock starts at the time of this computer, in UTC");
}

/** Options that have no equal, and those about the process. */
const OTHERS: readonly ForeignOption[] = [
  ...absent(NO_DISPLAY, "-vga KIND", "-vnc ADDRESS", "-spice OPTIONS", "-g SIZE", "-display KIND", "-sdl", "-curses"),
  ...absent(NO_USB, "-usb", "-usbdevice DEVICE"),
  ...absent("no sound", "-audiodev OPTIONS", "-audio OPTIONS", "-soundhw KIND"),
  ...absent(OWN_DEBUGGER, "-gdb PLACE", "-s", "-S"),
  ...absent("el2's commands and screens are the monitor", "-qmp PLACE", "-qmp-pretty PLACE"),
  ...absent(
    "the guest finds no such table",
    "-acpitable OPTIONS",
    "-smbios OPTIONS",
    "-fw_cfg OPTIONS",
    "-option-rom FILE",
    "-uuid UUID",
  ),
  ...absent("no TPM", "-tpmdev OPTIONS"),
  ...absent("all memory is one node", "-numa OPTIONS"),
  ...absent(STARTS_ANEW, "-loadvm NAME", "-incoming PLACE"),
  ...absent("an option of that file is not read: write it into the line", "-readconfig FILE", "-set OPTION"),
  ...absent("no device for it", "-parallel DEVICE", "-mtdblock FILE", "-iscsi OPTIONS", "-watchdog MODEL", "-fda FILE", "-fdb FILE"),
  ...absent("virtual time is el2's: one instruction is one nanosecond", "-icount OPTIONS"),
  ...absent("el2's key [machine] seed has the seed", "-seed N"),
  ...ofProcess("-accel KIND", "-enable-kvm", "-nographic", "-monitor DEVICE", "-mon OPTIONS", "-chardev OPTIONS", "-object OPTIONS"),
  ...ofProcess(
    "-global OPTION",
    "-boot OPTIONS",
    "-no-reboot",
    "-no-shutdown",
    "-action OPTIONS",
    "-no-user-config",
    "-no-acpi",
    "-no-hpet",
  ),
  ...ofProcess("-daemonize", "-pidfile FILE", "-d ITEMS", "-D FILE", "-dfilter RANGE", "-L FOLDER", "-msg OPTIONS", "-trace OPTIONS"),
  ...ofProcess("-sandbox OPTIONS", "-runas USER", "-run-with OPTIONS", "-chroot FOLDER", "-overcommit OPTIONS", "-mem-path FOLDER"),
  ...ofProcess("-mem-prealloc", "-realtime OPTIONS", "-singlestep", "-one-insn-per-tb", "-tb-size N", "-plugin FILE", "-k LAYOUT"),
  ...ofProcess(
    "-watchdog-action ACTION",
    "-echr CODE",
    "-show-cursor",
    "-full-screen",
    "-no-quit",
    "-alt-grab",
    "-ctrl-grab",
    "-no-frame",
  ),
  ...ofProcess(
    "-add-fd OPTIONS",
    "-compat OPTIONS",
    "-dump-vmstate FILE",
    "-enable-sync-profile",
    "-preconfig",
    "-qtest PLACE",
    "-qtest-log FILE",
  ),
  ...ofProcess("-writeconfig FILE", "-debugcon DEVICE", "-clock KIND", "-rotate N", "-portrait", "-virtioconsole DEVICE"),
];

function qemuOptions(line: QemuLine): readonly ForeignOption[] {
  const { keys } = line.machine;
  const ofVm = line.machine.board !== "primary";
  return [
    { spec: "-kernel FILE", becomes: (machine, value, option) => machine.image(option, value, "raw") },
    { spec: "-initrd FILE", becomes: (machine, value, option) => keys.initrd = machine.file(option, value) },
    { spec: "-append TEXT", becomes: (machine, value) => machine.cmdline.push(value) },
    { spec: "-dtb FILE", becomes: (machine, value, option) => keys.dtb = machine.file(option, value) },
    { spec: "-bios FILE", becomes: (_, value, option) => value === "none" || line.flash(option, value) },
    { spec: "-pflash FILE", becomes: (_, value, option) => line.flash(option, value) },
    { spec: "-m SIZE", becomes: memory },
    { spec: "-smp COUNT", becomes: smp },
    { spec: "-cpu MODEL", becomes: cpu },
    { spec: "-machine -M TYPE", becomes: (_, value, option) => board(line, value, option) },
    { spec: "-name NAME", becomes: (machine, value) => machine.name = qemuValues(value, "guest").get("guest") },
    { spec: "-drive OPTIONS", becomes: (_, value, option) => line.drive(option, value) },
    ...["-hda FILE", "-hdb FILE", "-hdc FILE", "-hdd FILE", "-sd FILE"].map((spec): ForeignOption => ({
      spec,
      becomes: (_, value, option) => line.image(option, value),
    })),
    { spec: "-cdrom FILE", becomes: (_, value, option) => line.image(option, value, "cdrom") },
    { spec: "-blockdev OPTIONS", becomes: (_, value, option) => line.node(option, value) },
    { spec: "-snapshot", becomes: () => line.overlay = true },
    { spec: "-device MODEL", becomes: (_, value, option) => line.device(option, value) },
    { spec: "-netdev OPTIONS", becomes: (_, value, option) => line.netdev(option, value) },
    { spec: "-nic -net OPTIONS", becomes: (_, value, option) => line.nic(option, value) },
    { spec: "-nodefaults", becomes: () => line.cards = true },
    { spec: "-fsdev OPTIONS", becomes: (_, value, option) => line.fsdev(option, value) },
    { spec: "-virtfs OPTIONS", becomes: (_, value, option) => line.virtfs(option, value) },
    { spec: "-serial DEVICE", becomes: (_, value, option) => line.serial(option, value) },
    { spec: "-rtc OPTIONS", becomes: rtc },
    ...["-semihosting", "-semihosting-config OPTIONS"].map((spec): ForeignOption =>
      ofVm
        ? { spec, becomes: () => keys.semihosting = true }
        : { spec, absent: "calls of the primary VM are not served: those of a VM are ([vm.NAME] semihosting)" }
    ),
    ...OTHERS,
  ];
}

/** The machine of `qemu-system-aarch64`. @param words after the program */
export function qemuMachine(machine: ForeignMachine, words: readonly string[]): void {
  const underGunyah = words.some((word, index) =>
    /^(accel=)?gunyah\b/.test(word) && /^--?accel$/.test(words[index - 1] ?? "") || /accel=gunyah/.test(word)
  );
  machine.board = underGunyah ? "qemu-virt" : "primary";
  machine.memory = MEMORY;
  const line = new QemuLine(machine);
  const style = { program: machine.program, nameOf: (word: string) => word.replace(/^--/, "-") };
  // A word alone is the image of the first disk.
  applyOptions(machine, words, qemuOptions(line), style, (word) => line.image("disk", word));
  line.end();
}
