// The machine that the command line of another program describes, on its way to a configuration of
// el2: what the options have named so far, and what has no equal.

import { stringify } from "smol-toml";
import { rulesOf } from "../../../machine/host/interface.ts";
import { MAXIMUM_PRIMARY_MEMORY, MINIMUM_PLATFORM_MEMORY, MINIMUM_PRIMARY_MEMORY } from "../../../machine/hardware/memory-map.ts";
import { BLOCK, DEFAULT_HOST_MEMORY, MAX_CPUS } from "../../../model/plans/limits.ts";
import { hasHeader } from "../../../inside/images/images.ts";
import { isKernel } from "../../../inside/images/kernel-image.ts";
import { beginningOf, cannotRead } from "../../../kit/support/files/named-file.ts";
import { type Problem, problemOfAll, UserError } from "../../../kit/support/problem.ts";
import { terminalWord } from "../../../kit/support/text/terminal-text.ts";
import { formatSize } from "../../../kit/support/text/units.ts";
import type { Table } from "../config.ts";
import { vmNameOf } from "../plan-run.ts";

/** An option that el2 has no equal for, and what follows. */
interface Absence {
  readonly option: string;
  readonly why: string;
}

// Reasons of absences, which lines of several programs share.
export const NO_DISPLAY = "no GPU and no display: the guest has its consoles";
export const NO_INTERFACE = "no interface of this computer: the card is behind a NAT (net, backend user)";
export const NO_ASSIGNMENT = "no device of this computer is assigned to VMs";
export const NO_USB = "no USB";
export const NOT_PROTECTED = "the phone's firmware for protected VMs is not here: the VM is not protected";
export const OWN_DEBUGGER = "the option --gdb serves a debugger";
export const OWN_MAC = "the card has an address of el2's";
export const STARTS_ANEW = "the machine starts anew";
export const NO_DEVICETREE_FILE = "the devicetree is not written";

/** An image with the option that names it. */
export interface ForeignDisk {
  readonly option: string;
  readonly path: string;
  readonly mode: "rw" | "ro" | "overlay";
  readonly sector?: number | undefined;
}

/** Sectors that disks of el2 can have, bytes. */
const SECTORS = [512, 4096];
/** Devices of one machine that are written into a configuration. */
const DEVICES_MAX = 64;

/** Bytes with which a file begins that say its format. */
export const START = 64;

export class ForeignMachine {
  /** Where the machine runs: a VM on the board of this name, or as the primary VM. */
  board: "crosvm" | "qemu-virt" | "primary" = "crosvm";
  name: string | undefined;
  memory = 0;
  cpus = 1;
  /** `[machine]`, the other tables, and the keys of the VM besides devices. */
  readonly machine: Record<string, unknown> = {};
  readonly tables: Record<string, Table> = {};
  readonly keys: Record<string, unknown> = {};
  readonly cmdline: string[] = [];
  readonly devices: Table[] = [];
  readonly #absences: Absence[] = [];
  readonly #missing: Problem[] = [];

  /**
   * @param program that the line starts, as the text names it
   * @param source the file that describes the machine, instead of the line
   */
  constructor(readonly program: string, readonly source?: string) {}

  absent(option: string, why: string): void {
    if (!this.#absences.some((other) => other.option === option && other.why === why)) this.#absences.push({ option, why });
  }

  /** A file or folder that an option names; `check` reports a missing one with its option. */
  file(option: string, path: string): string {
    try {
      Deno.statSync(path);
    } catch (error) {
      this.#missing.push(cannotRead(error, `${option} ${terminalWord(path)}`));
    }
    return path;
  }

  /**
   * The file that is entered first: a kernel, or bare metal.
   * @param raw the program takes code without a header
   */
  image(option: string, path: string, raw?: "raw"): void {
    const key = this.#isImage(this.file(option, path), raw) ? "image" : "kernel";
    if ("kernel" in this.keys || "image" in this.keys) throw new UserError(`${option} ${terminalWord(path)}: there is a kernel already`);
    this.keys[key] = path;
  }

  /** A missing file counts as a kernel: that it is missing is the error. */
  #isImage(path: string, raw: "raw" | undefined): boolean {
    const start = beginningOf(path, START);
    return start !== undefined && !isKernel(start) && (raw !== undefined || hasHeader(start));
  }

  device(option: string, device: Table): void {
    if (this.devices.length >= DEVICES_MAX) throw new UserError(`${option}: the machine has more than ${DEVICES_MAX} devices`);
    this.devices.push(device);
  }

  disk({ path, mode, ...disk }: ForeignDisk): void {
    this.#disk(disk, { image: this.file(disk.option, path), mode });
  }

  /** A disk that several images make. */
  partitionedDisk(disk: Pick<ForeignDisk, "option" | "sector">, partitions: readonly Table[]): void {
    this.#disk(disk, { partitions });
  }

  #disk({ option, sector = SECTORS[0] }: Pick<ForeignDisk, "option" | "sector">, images: Table): void {
    if (!SECTORS.includes(sector)) this.absent(`${option}: sectors of ${sector} bytes`, "sectors have 512 or 4096 bytes: they have 512");
    this.device(option, { kind: "block", ...images, ...sector === SECTORS[1] && { sector } });
  }

  /** A folder that the guest mounts by its tag. */
  share(option: string, folder: string, tag: string, mode: "rw" | "ro" = "rw"): void {
    this.device(option, { kind: "9p", folder: this.file(option, folder), mode, tag });
  }

  /** Ports of virtio consoles in the order of the options: /dev/hvc0, hvc1 … */
  virtioConsole(option: string): void {
    const count = this.devices.filter(({ kind }) => kind === "console").length;
    this.device(option, { kind: "console", ports: [`hvc${count}`] });
  }

  /** Throws for all files that are missing. */
  check(): void {
    if (this.#missing.length > 0) throw new UserError(problemOfAll(this.#missing));
    if (!["kernel", "image", "bios", "firmware"].some((key) => key in this.keys)) {
      throw new UserError(`${terminalWord(this.program)} names no kernel and no firmware`);
    }
  }

  /** The configuration with its keys, within el2's limits. */
  table(): Table {
    if (this.cpus > MAX_CPUS) this.absent(`${this.cpus} CPUs`, `a machine has at most ${MAX_CPUS}`);
    const cpus = Math.max(1, Math.min(this.cpus, MAX_CPUS)), cmdline = this.cmdline.filter((part) => part !== "").join(" ");
    const keys = { ...this.keys, ...cmdline !== "" && { cmdline }, ...this.devices.length > 0 && { devices: this.devices } };
    if (this.board === "primary") {
      const memory = formatSize(this.#limited(MAXIMUM_PRIMARY_MEMORY, MINIMUM_PRIMARY_MEMORY));
      return { el2: 1, machine: { cpus, memory, ...this.machine }, ...this.tables, host: { kind: "image", ...keys } };
    }
    const room = rulesOf({ platform: this.board }).room({ isProtected: this.keys.type === "protected", hasBios: "bios" in this.keys });
    const memory = this.#limited(MAXIMUM_PRIMARY_MEMORY - DEFAULT_HOST_MEMORY - room, BLOCK);
    const all = formatSize(Math.max(MINIMUM_PLATFORM_MEMORY, memory + DEFAULT_HOST_MEMORY + room));
    const vm = { platform: this.board, memory: formatSize(memory), vcpus: cpus, ...keys, on_exit: "end-session" };
    return { el2: 1, machine: { cpus, memory: all, ...this.machine }, ...this.tables, vm: { [vmNameOf(this.name ?? "guest")]: vm } };
  }

  /** The VM's bytes, in whole blocks and below what a machine can have. */
  #limited(most: number, least: number): number {
    const blocks = Math.ceil(Math.max(this.memory, least) / BLOCK) * BLOCK, memory = Math.min(blocks, most);
    if (memory < this.memory) this.absent(`memory of ${formatSize(this.memory)}`, `it has ${formatSize(memory)}, the most that fits`);
    return memory;
  }

  /** Its table as a file, after what is absent. */
  text(table: Table): string {
    const lines = this.#absences.map(({ option, why }) => `# absent: ${terminalWord(option)}: ${why}`);
    return [`# ${terminalWord(this.program)}, as a machine of el2`, ...lines, stringify(table)].join("\n");
  }
}
