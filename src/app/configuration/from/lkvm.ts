// `lkvm run` (kvmtool): its options, as builtin-run.c of kvmtool declares them, and their keys.

import { UserError } from "../../../kit/support/problem.ts";
import { statIfReadable } from "../../../kit/support/files/named-file.ts";
import { MiB } from "../../../kit/support/values/sizes.ts";
import { terminalWord } from "../../../kit/support/text/terminal-text.ts";
import { DEFAULT_TAG } from "../../../model/plans/plan.ts";
import { type ForeignMachine, NO_ASSIGNMENT, NO_DEVICETREE_FILE, NO_INTERFACE } from "./foreign-machine.ts";
import { memoryOf, numberOf } from "./key-values.ts";
import { absent, applyOptions, type ForeignOption, ofProcess } from "./option-table.ts";

/** Memory without `--mem`: 64 MiB for each CPU, and three times 64 MiB more. */
const MEMORY_UNIT = 64 * MiB, MORE_UNITS = 3;

/** The parts of the machine that only the whole line decides. */
interface LkvmLine {
  /** Consoles of virtio instead of the serial port. */
  console: string;
  card: boolean | undefined;
  disks: number;
  defaults: boolean;
  /** A folder is the root. */
  folder: boolean;
  readonly params: string[];
}

function lkvmOptions(line: LkvmLine): readonly ForeignOption[] {
  return [
    { spec: "--kernel -k PATH", becomes: (machine, value, option) => machine.image(option, value) },
    { spec: "--initrd -i PATH", becomes: (machine, value, option) => machine.keys.initrd = machine.file(option, value) },
    { spec: "--params -p PARAMS", becomes: (_, value) => line.params.push(value) },
    { spec: "--firmware -f PATH", becomes: (machine, value, option) => machine.keys.bios = machine.file(option, value) },
    { spec: "--cpus -c COUNT", becomes: (machine, value, option) => machine.cpus = numberOf(option, value, 1) },
    { spec: "--mem -m SIZE", becomes: (machine, value, option) => machine.memory = memoryOf(option, value) },
    { spec: "--disk -d IMAGE", becomes: (machine, value, option) => disk(machine, line, option, value) },
    {
      spec: "--9p FOLDER[,TAG]",
      becomes: (machine, value, option) => {
        const [folder, tag = DEFAULT_TAG] = value.split(",");
        machine.share(option, folder, tag);
      },
    },
    { spec: "--network -n OPTIONS", becomes: (machine, value, option) => network(machine, line, option, value) },
    { spec: "--console KIND", becomes: (_, value) => line.console = value },
    {
      spec: "--vsock CID",
      becomes: (machine, value, option) => machine.device(option, { kind: "vsock", cid: numberOf(option, value, 3) }),
    },
    { spec: "--rng", becomes: (machine, _, option) => machine.device(option, { kind: "rng" }) },
    { spec: "--balloon", becomes: (machine, _, option) => machine.device(option, { kind: "balloon" }) },
    { spec: "--name NAME", becomes: (machine, value) => machine.name = value },
    { spec: "--nodefaults", becomes: () => line.defaults = false },
    ...absent("no display: the guest has its consoles", "--vnc", "--gtk", "--sdl"),
    ...absent(NO_ASSIGNMENT, "--vfio-pci DEVICE"),
    ...absent("no flash on this board", "--flash -F PATH"),
    ...absent("the firmware is 2 MiB after the start of RAM", "--firmware-address ADDRESS"),
    ...absent("the CPU has no AArch32", "--aarch32"),
    ...absent(
      "[machine] cpu says what vCPUs have",
      "--pmu",
      "--disable-mte",
      "--sve-max-vl BITS",
      "--no-pvtime",
      "--override-bad-firmware-cntfrq HZ",
    ),
    ...absent("the seed is that of [machine] seed", "--kaslr-seed SEED"),
    ...absent(NO_DEVICETREE_FILE, "--dump-dtb FILE"),
    ...absent("the guest's terminal is this one", "--tty ID"),
    ...absent("the script is not run", "--sandbox SCRIPT"),
    ...absent("virtio is a PCI function, version 1", "--virtio-legacy"),
    ...absent("the interrupt controller is a GICv3 with an ITS", "--irqchip KIND"),
    ...ofProcess("--dev FILE", "--hugetlbfs PATH", "--loglevel LEVEL", "--debug", "--debug-single-step", "--debug-ioport", "--debug-mmio"),
    ...ofProcess("--debug-iodelay N", "--vcpu-affinity LIST", "--no-dhcp", "--force-pci", "--virtio-transport KIND"),
  ];
}

/** An image, or a folder that is the root, by 9P. */
function disk(machine: ForeignMachine, line: LkvmLine, option: string, value: string): void {
  const [path, ...flags] = value.split(","), mode = flags.includes("ro") ? "ro" : "rw";
  if (path.startsWith("scsi:")) return machine.absent(`${option} ${value}`, "no target of this computer's SCSI");
  // A missing one counts as an image, which is then the error.
  if (!statIfReadable(path)?.isDirectory) {
    line.disks++;
    return machine.disk({ option, path, mode });
  }
  line.folder = true;
  machine.absent(`${option} ${path}`, `the folder's tag is ${DEFAULT_TAG}, and kvmtool's own /virt/init is not in it`);
  machine.share(option, path, DEFAULT_TAG, mode);
}

function network(machine: ForeignMachine, line: LkvmLine, option: string, value: string): void {
  const mode = /(?:^|,)mode=([^,]*)/.exec(value)?.[1];
  line.card ??= mode !== "none";
  if (mode === "none") return;
  if (mode === "tap" || /tapif=|fd=/.test(value)) {
    machine.absent(`${option} ${value}`, NO_INTERFACE);
  }
  machine.device(option, { kind: "net", backend: "user" });
}

/** The machine of `lkvm run`. @param words after `run` */
export function lkvmMachine(machine: ForeignMachine, words: readonly string[]): void {
  const line: LkvmLine = { console: "serial", card: undefined, disks: 0, defaults: true, folder: false, params: [] };
  machine.absent("kvmtool's board", "the addresses are crosvm's: RAM at 0x80000000, a 16550A (ttyS0), virtio over PCI");
  applyOptions(machine, words, lkvmOptions(line), { program: "lkvm run", joined: true }, (word) => {
    throw new UserError(`lkvm run: nothing is known about ${terminalWord(word)}`, "options begin with -");
  });
  if (machine.memory === 0) machine.memory = MEMORY_UNIT * (machine.cpus + MORE_UNITS);
  if (line.card === undefined && line.defaults) machine.device("network", { kind: "net", backend: "user" });
  if (line.console === "virtio") machine.virtioConsole("--console");
  const given = line.params.join(" ");
  if (line.defaults) machine.cmdline.push(line.console === "virtio" ? "console=hvc0" : "console=ttyS0");
  if (line.folder) machine.cmdline.push(`root=${DEFAULT_TAG} rw rootfstype=9p rootflags=trans=virtio,version=9p2000.L`);
  else if (line.defaults && !given.includes("root=") && line.disks > 0) machine.cmdline.push("root=/dev/vda rw");
  machine.cmdline.push(given);
}
