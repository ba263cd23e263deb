// The parts of a QEMU command line that belong together: drives and network back ends by their ids,
// the devices that use them, and the serial port.

import { UserError } from "../../../kit/support/problem.ts";
import { beginningOf } from "../../../kit/support/files/named-file.ts";
import { terminalWord } from "../../../kit/support/text/terminal-text.ts";
import { isQcow2 } from "../../../kit/formats/qcow2.ts";
import { parseForward } from "../../../model/plans/plan.ts";
import { type ForeignMachine, NO_INTERFACE, OWN_MAC, START } from "./foreign-machine.ts";
import { type KeyValues, numberOf, qemuValues } from "./key-values.ts";
import { type QemuModel, qemuModel } from "./qemu-devices.ts";

/** A drive that a device can use. */
interface Drive {
  readonly option: string;
  readonly path: string | undefined;
  readonly mode: "rw" | "ro" | "overlay";
}

/** A `hostfwd` of `-netdev user`: protocol, address, port, address in the guest, its port. */
const FORWARD = /^(tcp|udp)?:([^:]*):(\d+)-([^:]*):(\d+)$/;

export class QemuLine {
  readonly #drives = new Map<string, Drive>();
  readonly #netdevs = new Map<string, Record<string, unknown>>();
  readonly #folders = new Map<string, { readonly path: string; readonly mode: "rw" | "ro" }>();
  /** Drives that no device names: they come last. */
  readonly #loose: Drive[] = [];
  readonly #flash: { readonly option: string; readonly path: string; readonly readOnly: boolean }[] = [];
  readonly #devices: { readonly option: string; readonly parts: KeyValues; readonly name: string }[] = [];
  /** Whether virtio is on PCI, as the devices want it. */
  readonly #pci = new Set<boolean>();
  #serial = 0;
  #nodes = 0;
  overlay = false;
  /** A card or `none` was named, or defaults are off. */
  cards = false;
  gicVersion = "2";

  constructor(readonly machine: ForeignMachine) {}

  /** A drive by the name of its file alone, in which commas do not separate. */
  image(option: string, path: string, media?: "cdrom"): void {
    this.drive(option, `file=${path.replaceAll(",", ",,")}`, media);
  }

  drive(option: string, value: string, media = ""): void {
    const parts = qemuValues(value, "file"), path = parts.get("file", "file.filename"), where = parts.get("if") ?? "virtio";
    const readOnly = parts.has("readonly", "read-only") || (parts.get("media") ?? media) === "cdrom";
    if (where === "pflash") {
      if (path === undefined) throw new UserError(`${option} ${terminalWord(value)}: no file`);
      return this.flash(`${option} if=pflash`, path, readOnly);
    }
    const mode = readOnly ? "ro" : parts.has("snapshot") ? "overlay" : "rw", drive: Drive = { option, path, mode };
    if (path !== undefined) this.#checkFormat(option, path, parts.get("format", "driver"));
    if (where === "none") this.#drives.set(parts.get("id") ?? `#${this.#nodes++}`, drive);
    else {
      if (where !== "virtio") this.machine.absent(`${option} if=${where}`, "the disk is one of virtio, /dev/vda and so on");
      this.#loose.push(drive);
    }
  }

  /** `-blockdev`: a node, which has its file or names the node below. */
  node(option: string, value: string): void {
    const parts = qemuValues(value, "driver"), name = parts.get("node-name") ?? `#${this.#nodes++}`, below = parts.get("file");
    const driver = parts.get("driver") ?? "raw", path = parts.get("filename", "file.filename");
    const from = below === undefined ? undefined : this.#drives.get(below);
    if (below !== undefined && from === undefined) {
      throw new UserError(`${option} ${terminalWord(value)}: no node "${terminalWord(below)}" before it`);
    }
    const mode = parts.has("read-only") ? "ro" : from?.mode ?? "rw", file = path ?? from?.path;
    if (file !== undefined && driver !== "file") this.#checkFormat(option, file, driver);
    this.#drives.set(name, { option, path: file, mode });
  }

  #checkFormat(option: string, path: string, format: string | undefined): void {
    const isNamed = path.endsWith(".qcow2");
    if (format !== undefined && !["raw", "qcow2", "file", "host_device"].includes(format)) {
      this.machine.absent(`${option} format=${format}`, "disks are raw or qcow2: it is read as raw");
    } else if (!isNamed && (format === "qcow2" || format === undefined && hasQcow2(path))) {
      this.machine.absent(`${option} ${path}`, "a qcow2 image is one by its name: rename it to *.qcow2, or it is read as raw");
    }
  }

  flash(option: string, path: string, readOnly = false): void {
    this.#flash.push({ option, path, readOnly });
  }

  netdev(option: string, value: string): void {
    const parts = qemuValues(value, "type"), id = parts.get("id") ?? "";
    this.#netdevs.set(id, this.#backend(option, value, parts));
  }

  /** `-nic` and `-net`: a card with its back end. */
  nic(option: string, value: string): void {
    const parts = qemuValues(value, "type"), type = parts.get("type") ?? "user";
    this.cards = true;
    if (type === "none" || option === "-net" && type === "nic") return;
    const model = parts.get("model") ?? "virtio";
    if (!model.startsWith("virtio")) this.machine.absent(`${option} model=${model}`, "the card is one of virtio");
    this.#pci.add(true);
    this.machine.device(option, this.#backend(option, value, parts));
  }

  /** @param value the parts as they were written: `hostfwd` may be among them more than once */
  #backend(option: string, value: string, parts: KeyValues): Record<string, unknown> {
    const type = parts.get("type") ?? "user";
    if (type !== "user") this.machine.absent(`${option} ${type}`, NO_INTERFACE);
    const forward = [...value.matchAll(/(?:^|,)hostfwd=([^,]*)/g)].flatMap(([, text]) => this.#forward(option, text));
    if (parts.has("restrict")) return { kind: "net", backend: "user", forward, internet: false };
    return { kind: "net", backend: "user", ...forward.length > 0 && { forward } };
  }

  #forward(option: string, text: string): string[] {
    const [, protocol = "tcp", address, port, , guest] = FORWARD.exec(text) ?? [],
      rule = `${protocol === "udp" ? "udp:" : ""}${port}:${guest}`;
    if (guest === undefined || !parseForward(rule)) {
      this.machine.absent(`${option} hostfwd=${text}`, "the port is not forwarded");
      return [];
    }
    if (!["", "127.0.0.1", "localhost"].includes(address)) this.machine.absent(`${option} hostfwd=${text}`, "it is a port of 127.0.0.1");
    return [rule];
  }

  fsdev(_option: string, value: string): void {
    const parts = qemuValues(value, "fsdriver"), path = parts.get("path");
    if (path === undefined) return;
    this.#folders.set(parts.get("id") ?? "", { path, mode: parts.has("readonly") ? "ro" : "rw" });
  }

  virtfs(option: string, value: string): void {
    const parts = qemuValues(value, "fsdriver"), path = parts.get("path"), tag = parts.get("mount_tag");
    if (path === undefined || tag === undefined) throw new UserError(`${option} ${terminalWord(value)}: needs path= and mount_tag=`);
    this.#pci.add(true);
    this.machine.share(option, path, tag, parts.has("readonly") ? "ro" : "rw");
  }

  serial(option: string, value: string): void {
    const log = /^file:(.+)$/.exec(value)?.[1];
    if (this.#serial++ > 0) {
      if (value !== "none" && value !== "null") this.machine.absent(`${option} ${value}`, "there is one serial port");
    } else if (log !== undefined && this.machine.board === "primary") this.machine.device(option, { kind: "pl011", log });
    else if (!/^(mon:)?stdio$/.test(value)) this.machine.absent(`${option} ${value}`, "the console is this terminal");
  }

  device(option: string, value: string): void {
    const parts = qemuValues(value, "driver"), name = parts.get("driver") ?? "";
    this.#devices.push({ option: `${option} ${name}`, parts, name });
  }

  #add(option: string, name: string, parts: KeyValues): void {
    const { model, pci } = qemuModel(name);
    if (pci !== undefined) this.#pci.add(pci);
    if ("instead" in model) this.machine.absent(option, model.instead);
    if (parts.get("mac") !== undefined) this.machine.absent(`${option} mac=${parts.get("mac")}`, OWN_MAC);
    this.#put(option, model, parts);
  }

  #put(option: string, model: QemuModel, parts: KeyValues): void {
    const { machine } = this;
    switch (model.becomes) {
      case "disk": {
        const id = parts.get("drive") ?? "", drive = this.#drives.get(id);
        if (drive === undefined) {
          throw new UserError(`${option}: no drive "${terminalWord(id)}"`, "name one with -drive if=none,id=NAME,file=…");
        }
        return this.#disk(drive, parts.get("logical_block_size"));
      }
      case "net": {
        const id = parts.get("netdev") ?? "";
        this.cards = true;
        return machine.device(option, this.#netdevs.get(id) ?? { kind: "net", backend: "none" });
      }
      case "9p": {
        const folder = this.#folders.get(parts.get("fsdev") ?? ""), tag = parts.get("mount_tag");
        if (folder === undefined || tag === undefined) throw new UserError(`${option}: needs fsdev= and mount_tag=`);
        return machine.share(option, folder.path, tag, folder.mode);
      }
      case "vsock":
        return machine.device(option, { kind: "vsock", cid: numberOf(`${option} guest-cid`, parts.get("guest-cid") ?? "", 3) });
      case "input":
        return machine.device(option, { kind: "input", type: model.type });
      case "console":
        return machine.virtioConsole(option);
      case "rng":
      case "balloon":
        return machine.device(option, { kind: model.becomes });
      case "pvpanic":
        this.#pci.add(true);
        if (machine.board === "primary") machine.keys.platform_devices = ["pvpanic"];
        return;
      case "absent":
        return machine.absent(option, model.why);
      case "nothing":
    }
  }

  #disk({ option, path, mode }: Drive, sector?: string): void {
    // An empty drive of a CD has no image.
    if (path === undefined) return this.machine.absent(option, "a drive without an image is left out");
    const size = sector === undefined ? undefined : numberOf(`${option} logical_block_size`, sector, 1);
    this.machine.disk({ option, path, mode: this.overlay && mode === "rw" ? "overlay" : mode, sector: size });
  }

  /** Connects devices with what they use. */
  end(): void {
    const { machine } = this;
    for (const { option, name, parts } of this.#devices) this.#add(option, name, parts);
    for (const drive of this.#loose) {
      this.#pci.add(true);
      this.#disk(drive);
    }
    // That card is a function of PCI, unless all that the line names is on virtio-mmio: a guest
    // that looks there alone would not find its disks.
    const onMmio = this.#pci.has(false) && !this.#pci.has(true);
    if (!this.cards) this.nic("the card that QEMU adds", "user");
    if (onMmio) this.#pci.delete(true);
    this.#putFlash();
    if (machine.board !== "primary") return;
    const pci = this.#pci.has(true);
    if (pci && this.#pci.has(false)) machine.absent("devices of virtio-mmio", "they are PCI functions, as others of the line are");
    if (!pci) return;
    machine.keys.bus = "pci";
    machine.machine.msi = this.gicVersion === "2" ? "gicv2m" : "its";
  }

  #putFlash(): void {
    const { machine } = this,
      [code, vars, ...more] = this.#flash,
      [first, kept] = machine.board === "primary" ? ["firmware", "firmware_vars"] : ["bios", "bios_vars"];
    if (code) machine.keys[first] = machine.file(code.option, code.path);
    if (vars && !vars.readOnly) machine.keys[kept] = machine.file(vars.option, vars.path);
    for (const { option, path } of more) machine.absent(`${option} ${path}`, "there are two banks of flash");
  }
}

/** Whether a file is a qcow2 image; a missing one is not. */
function hasQcow2(path: string): boolean {
  const start = beginningOf(path, START);
  return start !== undefined && isQcow2(start);
}
