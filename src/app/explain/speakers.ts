// Lines of known speakers whose words no form has: a driver, a VMM or a manager of VMs that reports
// a failure. Its errno and the call that its words name are taken from the line.

import { bookOf } from "./calls.ts";
import { type FailureKind, kindOfFailure } from "./failures.ts";
import { type Explained, type LinePlace, SIGN_KINDS } from "./forms/sign.ts";
import { bodyOf } from "./lines.ts";
import { Errno, errnoName } from "../../machine/abi/ioctl/errno.ts";

/** Speakers, and their messages; of a VMM, only those that it marks as errors. */
const SPEAKERS: readonly (readonly [has: string, pattern: RegExp, by: string])[] = [
  ["] ", /\b(?:ERROR|WARN) +(?:crosvm|hypervisor|devices|vm_memory|arch|aarch64|vm_control)[\w:]{0,80}\] (.{1,400})/, "crosvm"],
  ["crosvm", /^(?:\S{1,40} )?crosvm: (.{1,400})/, "crosvm"],
  [
    " ",
    /^[-\d]{5,10} [\d:.]{8,16} +\d+ +\d+ [EF] (?:crosvm|virtmgr|virtualizationmanager|virtualizationservice) *: (.{1,400})/,
    "crosvm or its manager",
  ],
  ["qemu-system-aarch64: ", /^qemu-system-aarch64: (.{0,200}(?:[Gg]unyah|gzvm|GZVM).{0,200})/, "QEMU"],
];
/**
 * VMMs and managers that others start, whose lines others quote; before the message may be the
 * option or the file of which it is.
 */
const QUOTED: readonly (readonly [has: string, pattern: RegExp, by: string])[] = [
  [
    "qemu-",
    /\bqemu-(?:system(?:-\w{1,20}){0,2}|kvm|\w{1,20}-softmmu): ?(?:: )?(?:(-\w(?:[^:]|:(?! )){0,300}|\/[^:]{1,200}:\d{1,5}): )?(.{1,400})/,
    "QEMU",
  ],
  ["qemu-", /\bqemu-system-\w{1,20}:(\/[^:]{1,200}:\d{1,5}): (.{1,400})/, "QEMU"],
  // As Proxmox starts it; the kernel's KVM does not name options.
  ["kvm: -", /(?:^|\s)kvm: (-\w(?:[^:]|:(?! )){0,300}): (.{1,400})/, "QEMU"],
  ["TASK ERROR", /()TASK ERROR: (.{1,400})/, "Proxmox"],
  ["ion: ", /()unsupported configuration: (.{1,400})/, "libvirt"],
  ["error: ", /()\bXML error: (.{1,400})/, "libvirt"],
  ["failed: ", /()Call to vir\w{1,60} failed: (.{1,400})/, "libvirt"],
  ["ibvirt", /()\blibvirt(?:\.libvirt)?Error: (.{1,400})/, "libvirt"],
  ["on this server", /()not supported on this server: (.{1,400})/, "a manager of VMs"],
  ["add device", /()Failed to add device: ((?:Invalid parameter type for|Parameter|Property) '.{1,400})/, "a manager of VMs"],
  ["Could not find any guests", /()(Could not find any guests for arch.{1,100})/, "libvirt"],
  ["Building the microVM", /()Building the microVM failed: (.{1,400})/, "libkrun"],
  ["Kvm object", /()(Error creating the Kvm object: .{1,100})/, "libkrun"],
  ["fault_message", /()"fault_message": ?"(.{1,400})/, "Firecracker"],
  ["create VMM", /()Cannot create VMM: (.{1,400})/, "Firecracker"],
  ["VM: ", /()Error (?:booting|creating) VM: (.{1,400})/, "Cloud Hypervisor"],
];
/** A panic of Rust's at a place of a VMM's source, and the line below it. */
const PANIC = /panicked at (\S{0,200}(?:kvm|vmm|vcpu|vstate|hypervisor|virtio|gicv)\S{0,100}):$/, UNWRAPPED = "on an `Err` value: ";
/** The beginnings of messages of a VMM that are not about a failure. */
const WARNING = /^(?:warning|info|note): /i;
/** A driver, as the kernel's log names it: its device may follow. */
const DRIVER = /^(?:misc )?(?:gunyah|gh|gzvm|geniezone|ghvm)(?:[_-]\w{1,40}){0,6}(?: [\w.,:@-]{1,80})?: (.{1,400})/;

const FAILURE =
  /\b(?:fail|error|reject|refus|den(?:y|ied)|unexpected|invalid|unsupported|not (?:detected|found|supported|permitted)|unable|cannot|died|panicked|timed? ?out)/i;

/** Errors by the words of C libraries. */
const WORDS: readonly (readonly [RegExp, keyof typeof Errno])[] = [
  [/Operation not permitted/, "EPERM"],
  [/Permission denied/, "EACCES"],
  [/No such file or directory/, "ENOENT"],
  [/No such device\b(?! or)/, "ENODEV"],
  [/Out of memory|Cannot allocate memory/, "ENOMEM"],
  [/Device or resource busy/, "EBUSY"],
  [/File exists/, "EEXIST"],
  [/Invalid argument/, "EINVAL"],
  [/Inappropriate ioctl/, "ENOTTY"],
  [/Bad message/, "EBADMSG"],
  [/(?:Operation|Not) supported/, "EOPNOTSUPP"],
];
const CODE = /(?:os error |errno[= ]|ret(?:urned)?[= ]|rc[= ]|: |error |\((?=-))-?(\d{1,3})\b(?!\.)/;

/** The call that words name: Gunyah's, and GenieZone's. */
const CALLS: readonly (readonly [RegExp, gunyah: string, geniezone: string])[] = [
  [/creat\w* .{0,20}\bvm\b|create_vm/i, "GH_CREATE_VM", "GZVM_CREATE_VM"],
  [/start\w* .{0,20}\bvm\b|vm_start|\bvmid\b/i, "GH_VM_START", "GZVM_RUN"],
  [/ioeventfd|irqfd|irq fd/i, "GH_VM_ADD_FUNCTION", "GZVM_IRQFD"],
  [/boot.?(?:context|pc)/i, "GUNYAH_VM_SET_BOOT_CONTEXT", "GZVM_SET_ONE_REG"],
  [/dtb|device ?tree|fdt/i, "GH_VM_SET_DTB_CONFIG", "GZVM_SET_DTB_CONFIG"],
  [/mem(?:ory)?.{0,12}region|guest memory|memslot/i, "GH_VM_SET_USER_MEM_REGION", "GZVM_SET_USER_MEMORY_REGION"],
  [/vcpu/i, "GH_VCPU_RUN", "GZVM_RUN"],
];

/** The exit status with which crosvm ends is not an errno. */
const ENDS = /^exiting with error \d{1,3}: /;
/** A chain of causes that follows an error, as Rust's anyhow prints it. */
const CHAIN = "Caused by:", LINK = /^ {4,}(?:\d{1,2}: )?([^ ].{0,399})/, LINKS_MAX = 8;

/** A message with the causes that follow it, the last one at the end. */
function withCauses(message: string, after: readonly string[]): string {
  const own = message.replace(ENDS, ""), begins = after.findIndex((line) => line.trim() !== "");
  if (begins < 0 || after[begins].trim() !== CHAIN) return own;
  const links: string[] = [];
  for (const line of after.slice(begins + 1)) {
    const [, link] = LINK.exec(line) ?? [];
    if (link === undefined) break;
    links.push(link);
  }
  return [own, ...links].join(": ");
}

/**
 * The meaning of a failure in words that no form has.
 * @param lines of the file
 */
export function spoken(line: string, at: LinePlace, lines: readonly string[]): Explained | undefined {
  const found = speakerOf(line);
  if (found === undefined) return quoted(line, at, lines);
  if (!FAILURE.test(found.message)) return undefined;
  const message = withCauses(found.message, lines.slice(at.line, at.line + LINKS_MAX)),
    { by } = found,
    errno = errnoOf(message),
    isGeniezone = /gzvm|geniezone/i.test(line);
  const names = CALLS.find(([pattern]) => pattern.test(message)), call = names?.[isGeniezone ? 2 : 1];
  const what = call === undefined ? "a failure" : `${call} seems to have failed`;
  return {
    at,
    text: line,
    by,
    says: `${what}${errno === undefined ? "" : `, with ${errno}`}; el2 does not know this message`,
    ...call !== undefined && errno !== undefined && { call: `${call} -> ${errno}` },
    ...call !== undefined && bookOf(call),
    count: 1,
    sign: { kind: "call", values: { ...call !== undefined && { call }, ...errno !== undefined && { errno }, guess: "yes" }, at },
  };
}

/** The kind of a failure that a VMM reports, or another program that started it. */
function quoted(line: string, at: LinePlace, lines: readonly string[]): Explained | undefined {
  for (const [has, pattern, by] of QUOTED) {
    const [, option, message] = line.includes(has) ? pattern.exec(line) ?? [] : [];
    const given = message === undefined || WARNING.test(message) ? undefined : kindOfFailure(message, option);
    if (given) return failed(line, at, by, given);
  }
  // Rust's panics have their message below the place, whose path names what failed.
  const [, place] = line.includes(UNWRAPPED) ? PANIC.exec(lines[at.line - 2] ?? "") ?? [] : [];
  const given = place === undefined ? undefined : kindOfFailure(line, place);
  return given && failed(line, at, "a VMM", given);
}

function failed(line: string, at: LinePlace, by: string, { kind, values }: FailureKind): Explained {
  const what = SIGN_KINDS[kind].replaceAll("`", "").replace(/: .*$/, "");
  return {
    at,
    text: line,
    by,
    says: `a failure of this kind: ${what}; el2 does not know this message`,
    count: 1,
    sign: { kind, values: { ...values, guess: "yes" }, at },
  };
}

function speakerOf(line: string): { message: string; by: string } | undefined {
  for (const [has, pattern, by] of SPEAKERS) {
    const message = line.includes(has) ? pattern.exec(line)?.[1] : undefined;
    if (message !== undefined) return { message, by };
  }
  if (!/gunyah|gh[_-]|gzvm|geniezone|ghvm/.test(line)) return undefined;
  const message = DRIVER.exec(bodyOf(line))?.[1];
  return message === undefined ? undefined : { message, by: "a driver" };
}

function errnoOf(message: string): string | undefined {
  const word = message.match(/\bE[A-Z]{3,10}\b/g)?.find((one) => Object.hasOwn(Errno, one));
  if (word !== undefined) return word;
  const code = /os error (\d{1,3})\b/.exec(message) ?? CODE.exec(message);
  return code && Number(code[1]) > 0 ? errnoName(Number(code[1])) : WORDS.find(([pattern]) => pattern.test(message))?.[1];
}
