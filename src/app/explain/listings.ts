// Lines of listings: `ls -l /dev`, limits of processes, /proc/iomem, properties and versions of a
// phone, rows of top. What a chip or a kernel is says which driver it has.

import type { Explained, LinePlace, Sign, SignValue, SignValues } from "./forms/sign.ts";
import { PHONE_NAMES } from "../configuration/keys/names.ts";
import { ownValue } from "../configuration/phones.ts";
import type { PersonaName } from "../../machine/abi/ioctl/personas.ts";

type ListedLine = Omit<Explained, "at" | "text" | "count" | "sign"> & { readonly kind: Sign["kind"]; readonly values: SignValues };

interface Recognizer {
  /** A text that each of its lines has: others are not looked at. */
  readonly has: string;
  readonly pattern: RegExp;
  readonly found: (groups: readonly string[]) => ListedLine | undefined;
}

/** The driver that a kernel of Android has, by its version. */
const GENERATIONS: Readonly<Record<string, PersonaName>> = {
  "5.15": "legacy",
  "6.1": "ack-6.1",
  "6.6": "ack-6.6",
  "6.12": "ack-6.12",
};
/** A limit of locked memory, below which no VM's memory fits. Bytes. */
const LOCKED_LOW = 2 ** 24;

const shared = { shared: true, quiet: true } as const;

const RECOGNIZERS: readonly Recognizer[] = [
  {
    has: "android",
    pattern: /\b(\d{1,2}\.\d{1,3})\.\d{1,4}-android(\d\d)-/,
    found: ([, version, android]) => {
      const generation = GENERATIONS[version];
      return generation &&
        {
          by: "a kernel's version",
          kind: "platform",
          values: { generation, name: `android${android}-${version}` },
          says: `a kernel of android${android}-${version}; as a host's, its driver is the generation ${generation}`,
          ...shared,
        };
    },
  },
  {
    has: "SM8",
    pattern: /\b(SM8[45678]50)\b/,
    found: ([, name]) => {
      const generation = chipGeneration(name);
      return generation === undefined ? undefined : {
        by: "a chip's name",
        kind: "platform",
        values: { generation, name },
        says: `phones with ${name} have drivers of the generation ${generation}`,
        ...shared,
      };
    },
  },
  {
    has: "/dev/",
    pattern: /^(c[rwxst-]{9})[.+]? +\d+ +(\S{1,32}) +(\S{1,32}) +\d+, *\d+ .{1,40}(\/dev\/(?:gunyah|gzvm|halla))$/,
    found: ([, mode, owner, group, path]) => node(path, mode, owner, group),
  },
  {
    has: "crw",
    pattern: /^(c[rwxst-]{9})[.+]? +\d+ +(\S{1,32}) +(\S{1,32}) +(?:\S+ +)?\d+, *\d+ .{1,40} (gunyah|gzvm)$/,
    found: ([, mode, owner, group, path]) => node(`/dev/${path}`, mode, owner, group),
  },
  {
    has: "avc: ",
    pattern: /avc: +denied +\{ ([a-z_ ]{1,80}) \} .*?(?:name|path)="(?:\/dev\/)?(gunyah|gzvm)"/,
    found: ([, rights, name]) => ({
      by: "SELinux",
      kind: "denied",
      values: { path: `/dev/${name}` },
      says: `SELinux does not permit ${rights} of /dev/${name}`,
      book: ["vm-manager", "4"],
    }),
  },
  {
    has: "{ setrlimit }",
    pattern: /avc: +denied +\{ (setrlimit) \} .*virtualization/,
    found: () => ({ by: "SELinux", kind: "limit-kept", values: {}, says: "virtmgr may not raise the limit of locked memory" }),
  },
  {
    has: "Max locked memory",
    pattern: /Max locked memory +(\d+|unlimited) +(\d+|unlimited) +bytes/,
    found: ([, soft]) => locked(soft === "unlimited" ? Infinity : Number(soft)),
  },
  {
    has: "max locked memory",
    pattern: /max locked memory +\(kbytes, -l\) +(\d+|unlimited)/,
    found: ([, soft]) => locked(soft === "unlimited" ? Infinity : Number(soft) * 1024),
  },
  {
    has: " : ",
    pattern: /^ *([0-9a-f]{6,16})-([0-9a-f]{6,16}) : (.*(?:gunyah|geniezone|hyp_?region|hypervisor|\bgz\b).*)$/i,
    found: ([, start, end, name]) => ({
      by: "/proc/iomem",
      kind: "host",
      values: { name },
      quiet: true,
      says: `0x${start} to 0x${end} belongs to a hypervisor (${name}): Linux does not use it`,
    }),
  },
  {
    has: "qemu-system-aar",
    pattern: /^ *\d+ \S+ .*? (\d{2,4}(?:\.\d)?) +\d+\.\d +[\d:.]+ qemu-system-aar/,
    found: ([, share]) =>
      Number(share) < 150
        ? undefined
        : { by: "top", kind: "busy-vmm", values: { share: Number(share) }, says: `QEMU takes ${share} % of a CPU`, shared: true },
  },
];

/** The driver of the phones with a chip; undefined for other chips. */
function chipGeneration(chip: string): SignValue | undefined {
  const phone = PHONE_NAMES.find((name) => name === chip.toLowerCase()), value = phone && ownValue(phone, "kernel")?.value;
  return typeof value === "string" ? value : undefined;
}

function node(path: string, mode: string, owner: string, group: string): ListedLine {
  const closed = owner === "root" && mode[8] !== "w";
  return {
    by: "ls",
    kind: "node",
    values: { path, mode, owner, group, closed: closed ? "yes" : "no" },
    book: ["vm-manager", "4"],
    quiet: true,
    says: `${path} is there${closed ? `; only ${mode[5] === "w" ? `root and the group ${group}` : "root"} may open it` : ""}`,
  };
}

function locked(bytes: number): ListedLine | undefined {
  if (bytes >= LOCKED_LOW) {
    return {
      by: "a limit",
      kind: "locked-limit",
      values: { bytes: "enough" },
      says: "the process may lock as much memory as a VM needs",
      ...shared,
    };
  }
  return {
    by: "a limit",
    kind: "locked-limit",
    values: { bytes },
    says: `the process may lock ${bytes / 1024} KiB of memory`,
    shared: true,
  };
}

/** The meaning of a line of a listing. */
export function listed(line: string, at: LinePlace): Explained | undefined {
  for (const { has, pattern, found } of RECOGNIZERS) {
    if (!line.includes(has)) continue;
    const groups = pattern.exec(line), one = groups && found(groups);
    if (one) {
      const { kind, values, ...rest } = one;
      return { ...rest, at, text: line, count: 1, sign: { kind, values, at } };
    }
  }
  return undefined;
}
