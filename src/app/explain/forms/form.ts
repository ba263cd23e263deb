// A form is a message that a program prints: its format string, what it says, and the sign that it
// gives. The tables beside this file have one form per entry.

import { errnoName } from "../../../machine/abi/ioctl/errno.ts";
import { errorName } from "../../../machine/abi/errors.ts";
import { rmErrorName } from "../../../machine/abi/rpc/errors.ts";
import { RPC_MESSAGES, rpcName } from "../../../machine/abi/rpc/messages/all.ts";
import { lastPart } from "../../../model/queries/texts/format.ts";
import { type Format, format, type Match } from "./format.ts";
import type { Book, SignKind, SignValue, SignValues } from "./sign.ts";

/** Programs, and the words by which a line shows its program: others print the same messages. */
export const PROGRAMS = {
  gunyah: { name: "Gunyah's driver", marks: ["gunyah", "gh_", "ghvm"] },
  geniezone: { name: "GenieZone's driver", marks: ["gzvm", "geniezone", "gz_"] },
  crosvm: { name: "crosvm", marks: ["crosvm", "hypervisor::", "devices::", "vm_memory::", "arch::"] },
  avf: { name: "Android's virtmgr", marks: ["virtmgr", "virtualizationmanager", "virtualizationservice"] },
  kvmtool: { name: "kvmtool", marks: ["lkvm"] },
  qemu: { name: "QEMU", marks: ["gunyah", "gzvm", "qemu"] },
  libvirt: { name: "libvirt", marks: ["libvirt", "virsh", "virt-"] },
  firecracker: { name: "Firecracker", marks: ["irecracker"] },
  cloudHypervisor: { name: "Cloud Hypervisor", marks: ["cloud-hypervisor"] },
  virtiofsd: { name: "virtiofsd", marks: ["virtiofsd"] },
  apple: { name: "a VMM on macOS", marks: [] },
  uboot: { name: "U-Boot", marks: [] },
  hypervisor: { name: "Gunyah's hypervisor", marks: ["[HYP]", "HYP]"] },
  firmware: { name: "UEFI firmware", marks: [] },
  rm: { name: "the Resource Manager", marks: ["[RM]", "RM]"] },
  kernel: { name: "a Linux kernel", marks: [] },
  shell: { name: "a command", marks: [] },
} as const satisfies Readonly<Record<string, { readonly name: string; readonly marks: readonly string[] }>>;

export type ProgramName = keyof typeof PROGRAMS;

/** The values of a form's sentence; one that the line lacks is "?". */
export type Said = Readonly<Record<string, SignValue>>;

export interface FormEntry {
  readonly by: ProgramName;
  /** As its program has it: C's or Rust's. */
  readonly format: string;
  /**
   * The names of its values in their order. `errno`, `rm`, `hyp`, `message` and `operation` become
   * names of the tables, `request` is the name of a message; `_` is skipped.
   */
  readonly names?: readonly string[];
  /** A line after it, among the next few, with values that it lacks. */
  readonly then?: { readonly format: string; readonly names: readonly string[] };
  readonly sign: SignKind;
  /** Values that all such lines have. */
  readonly values?: SignValues;
  readonly says: string | ((said: Said) => string);
  /** The request or hypercall that it is about, if its values do not have it. */
  readonly call?: string;
  readonly book?: Book;
  /** No failure. */
  readonly quiet?: true;
  /** No other program prints this, with or without a mark of its program. */
  readonly own?: true;
  /** Programs without VMs print this, too: marks of its program do not make it its own. */
  readonly shared?: true;
  /** The values have to be so. */
  readonly only?: (values: SignValues) => boolean;
}

/** Forms of one program. */
export const formsOf = (by: ProgramName) => (format: string, entry: Omit<FormEntry, "by" | "format">): FormEntry => ({
  by,
  format,
  ...entry,
});

export interface Form extends FormEntry {
  readonly matched: Format;
  readonly follows: Format | undefined;
}

/** @throws Error for a message without a word, by which it would be found */
export function form(entry: FormEntry): Form {
  const matched = format(entry.format);
  if (matched.word === "") throw new Error(`"${entry.format}" has no word`);
  return { ...entry, matched, follows: entry.then && format(entry.then.format) };
}

/** Values of a match by their names. */
export function valuesOf({ values }: Match, names: readonly string[] = []): SignValues {
  const named: Record<string, SignValue> = {};
  names.forEach((name, index) => {
    const value = values[index];
    if (name !== "_" && value !== undefined) named[nameOf(name)] = converted(name, value);
  });
  return named;
}

const nameOf = (name: string) => name === "rm" || name === "hyp" ? "error" : name === "operation" || name === "request" ? "message" : name;

function converted(name: string, value: SignValue): SignValue {
  switch (name) {
    case "errno":
      return typeof value === "number" ? value === 0 ? "OK" : errnoName(value) : value;
    case "rm":
      return typeof value === "number" ? rmErrorName(value) : value;
    case "hyp":
      return typeof value === "number" ? errorName(value) : value;
    case "message":
      return rpcName(parseInt(String(value), 16) >>> 0);
    case "operation":
      return `MEM_${value}`;
    case "address":
      return `0x${value}`;
    case "module":
      return lastPart(String(value));
    case "path":
      return String(value).replace(/:.*$/, "").replace(/^['"`]|['"`]$/g, "");
    default:
      return value;
  }
}

/**
 * The call of a sign with its answer.
 * @param other the call that a line is about, if its sign has none
 */
export function callText({ message, call, errno, error }: SignValues, other: string | undefined): string | undefined {
  const of = message ?? call ?? other, answer = error ?? errno;
  return of === undefined ? undefined : answer === undefined ? String(of) : `${of} -> ${answer}`;
}

/** Where the Resource Manager's book has a message. */
export function messageBook(name: SignValue | undefined): Book | undefined {
  for (const message of RPC_MESSAGES.values()) if (message.name === name) return ["resource-manager", message.section];
  return undefined;
}
