// Requests to drivers in the output of strace: their codes by the tables of every generation, in
// each form that strace writes, also where other threads interrupt a call.

import { callName, type Sign } from "./forms/sign.ts";
import type { Explained, LinePlace, SignValues } from "./forms/sign.ts";
import { decodeRequest, KVM_MAGIC } from "../../machine/abi/ioctl/decode.ts";
import { errnoName } from "../../machine/abi/ioctl/errno.ts";
import { GZVM_MAGIC } from "../../machine/abi/ioctl/geniezone.ts";
import { LEGACY_MAGIC } from "../../machine/abi/ioctl/gunyah.ts";
import { describeCode, Direction, requestCode, requestParts } from "../../machine/abi/ioctl/request.ts";

/** A call whose end is on a later line, by its thread. */
interface BegunCall {
  readonly code: number;
  readonly descriptor: string;
  readonly argument: string;
}

const IOCTL = /\bioctl\((\d+(?:<[^>]{0,100}>)?), ([^,()]{1,60}(?:\([^()]{0,100}\))?)(?:, ([^)]{0,400}))?/;
const RESULT = /\) += (-?\d+|\?)(?: (E[A-Z0-9]+))?/;
const OPEN =
  /\bopen(?:at)?\((?:[^,"]{1,40}, )?"(\/dev\/(?:gunyah|gzvm|halla))"[^)]{0,100}\) += (-?\d+)(?:<[^>]{0,100}>)?(?: (E[A-Z0-9]+))?/;
/** The thread of a line: `strace -f` writes it first. */
const THREAD = /^\s*(?:\[pid +)?(\d+)\]?/;
/** Drivers whose magic no other driver has. */
const GENERATIONS: Readonly<Record<number, string>> = { [LEGACY_MAGIC]: "legacy", [KVM_MAGIC]: "kvm" };
/** A request of KVM's; only its magic counts here. */
const KVM_CODE = requestCode({ direction: Direction.None, size: 0, magic: KVM_MAGIC, number: 0 });
/** Threads whose calls are remembered. */
const THREADS_MAX = 4096;

export class TracedCalls {
  readonly #begun = new Map<string, BegunCall>();
  readonly #counts = new Map<string, number>();
  #started = false;

  /** The meaning of a line that has a call to a driver of VMs. */
  read(line: string, at: LinePlace): Explained | undefined {
    if (line.includes("ioctl")) return this.#ioctl(line, at);
    const open = line.includes("/dev/") ? OPEN.exec(line) : null;
    if (open === null) return undefined;
    const [, path, result, errno] = open, failed = Number(result) < 0;
    const values: SignValues = failed ? { path, errno: errno ?? "?" } : { path };
    return {
      at,
      text: line,
      by: "strace",
      count: 1,
      says: failed ? `the VMM may not open ${path}, or there is none: ${errno ?? "?"}` : `the VMM opened ${path} as descriptor ${result}`,
      book: ["vm-manager", "4"],
      ...!failed && { quiet: true },
      sign: { kind: failed ? errno === "ENOENT" ? "no-node" : "not-opened" : "host", values, at },
    };
  }

  #ioctl(line: string, at: LinePlace): Explained | undefined {
    const thread = THREAD.exec(line)?.[1] ?? "";
    if (line.includes("<... ioctl resumed>")) {
      const begun = this.#begun.get(thread), result = RESULT.exec(line.replace("resumed>", "resumed>)"));
      this.#begun.delete(thread);
      return begun && result ? this.#ended(begun, result, line, at) : undefined;
    }
    const found = IOCTL.exec(line);
    if (found === null) return undefined;
    const code = codeOf(found[2]) ?? (found[2].startsWith("KVM_") ? KVM_CODE : undefined);
    if (code === undefined) return undefined;
    const begun = { code, descriptor: found[1], argument: found[3] ?? "" };
    if (line.includes("<unfinished ...>")) {
      if (this.#begun.size < THREADS_MAX) this.#begun.set(thread, begun);
      return undefined;
    }
    const result = RESULT.exec(line.slice(found.index));
    return result ? this.#ended(begun, result, line, at) : undefined;
  }

  #ended(
    { code, descriptor, argument }: BegunCall,
    [, result, errno]: readonly string[],
    line: string,
    at: LinePlace,
  ): Explained | undefined {
    const { request, personas, geniezone, near } = decodeRequest(code), magic = requestParts(code).magic;
    const ofVms = /gunyah|gh-v|gzvm|halla/.test(descriptor);
    if (request === undefined && !ofVms && magic !== LEGACY_MAGIC && magic !== GZVM_MAGIC) return undefined;
    const known = request ?? near[0], name = known ? callName(known) : `0x${code.toString(16)}`;
    const failed = Number(result) < 0, answer = failed ? errno ?? errnoName(Number(result)) : result;
    const nth = (this.#counts.get(name) ?? 0) + 1;
    this.#counts.set(name, nth);
    const values: SignValues = { call: name, errno: failed ? answer : "OK", when: this.#started ? "after" : "before", nth };
    if (name === "GH_VM_START" && !failed) this.#started = true;
    const generations = geniezone ? "GenieZone" : personas.join(", ");
    const sign: Sign = {
      kind: failed ? "call" : "called",
      values: { ...values, ...GENERATIONS[magic] && { generation: GENERATIONS[magic] } },
      at,
    };
    return {
      at,
      text: line,
      by: "strace",
      count: 1,
      sign,
      says: request === undefined
        ? magic === KVM_MAGIC
          ? "a request of KVM's to a device that is not KVM"
          : `${describeCode(code)}: ${
            known ? `the number of ${name}, with another size or direction` : "no driver that el2 knows has this request"
          }`
        : `${name} on the ${request.on}'s descriptor (${generations})${argumentText(request.struct?.name, argument)}`,
      call: `${name} -> ${answer}`,
      ...bookOf(name),
      ...!failed && { quiet: true },
    };
  }
}

/** The argument: strace shows the address of a structure, and not its fields. */
function argumentText(struct: string | undefined, argument: string): string {
  if (argument === "") return "";
  return struct === undefined ? `, with the value ${argument}` : `, with a struct ${struct} whose fields strace does not show`;
}

/** A code as strace writes it: a number, or by its parts. */
function codeOf(text: string): number | undefined {
  const word = text.trim();
  if (/^(?:0x[0-9a-f]{1,8}|\d{1,10})$/i.test(word)) return inRange(Number(word));
  const parts = /^_IO(C|R|W|WR)?\(([^()]*)\)$/.exec(word);
  if (parts === null) return undefined;
  const words = parts[2].split(",").map((one) => one.trim());
  const direction = parts[1] === "C" ? directionOf(words.shift() ?? "") : DIRECTIONS[parts[1] ?? ""];
  const [magic, number, size = 0] = words.map((one) => one.length === 3 && one.startsWith("'") ? one.charCodeAt(1) : Number(one));
  if (direction === undefined || !(magic <= 0xff) || !(number <= 0xff) || !(size <= 0x3fff)) return undefined;
  return requestCode({ direction, size, magic, number });
}

/** As _IOC() takes it. */
const DIRECTION_WORDS: ReadonlySet<string> = new Set(["_IOC_WRITE", "_IOC_READ", "_IOC_NONE", "0"]);
/** As the names of _IO(), _IOW(), _IOR() and _IOWR() have it. */
const DIRECTIONS: Readonly<Record<string, Direction>> = {
  "": Direction.None,
  W: Direction.Write,
  R: Direction.Read,
  WR: Direction.ReadWrite,
};

function directionOf(text: string): Direction | undefined {
  const words = text.split("|"), isWrite = words.includes("_IOC_WRITE"), isRead = words.includes("_IOC_READ");
  if (!words.every((word) => DIRECTION_WORDS.has(word))) return undefined;
  return DIRECTIONS[`${isWrite ? "W" : ""}${isRead ? "R" : ""}`];
}

const inRange = (code: number) => code <= 0xffff_ffff ? code : undefined;

/** The section about a request's checks. */
const BOOKS: readonly (readonly [RegExp, Explained["book"]])[] = [
  [/^GZVM_/, ["geniezone", "3.3"]],
  [/CREATE_VM$|TENTATIVE/, ["vm-manager", "4"]],
  [/MEM_REGION|LEND_USER_MEM|MAP_MEM|CMA_MEM|GUEST_MEM/, ["vm-manager", "5.1"]],
  [/RECLAIM_REGION/, ["vm-manager", "5.3"]],
  [/DTB_CONFIG|FW_CONFIG|AUTH_TYPE|BOOT_CONTEXT|EXTENSION/, ["vm-manager", "6"]],
  [/VM_START$/, ["vm-manager", "7"]],
  [/_FUNCTION$/, ["vm-manager", "10"]],
  [/VCPU/, ["vm-manager", "9"]],
];

export function bookOf(call: string): Pick<Explained, "book"> {
  const found = BOOKS.find(([pattern]) => pattern.test(call));
  return found ? { book: found[1] } : {};
}
