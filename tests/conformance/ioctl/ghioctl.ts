// SPDX-License-Identifier: Apache-2.0 Companion of ghioctl.c. Usage (deno run --allow-read
// --allow-write ghioctl.ts ...):
//   script CASES.json            -> the line script ghioctl runs, on stdout
//   record LOG IN.json OUT.json  -> copies what a console log shows into each step's `want`
//   check LOG CASES.json         -> compares a console log with the recorded `want`
// The same JSON can be driven by an in-process runner against el2's own device API: no Linux
// needed.

export type Value = number | string | { fd: string } | { addr: string; plus?: number | string };
export type Item = [kind: string, value: Value];
export interface Step {
  op: string;
  [field: string]: unknown;
  want?: Record<string, unknown>;
  want2?: Record<string, unknown>; // the other recording, where the two differ
}
export interface Case {
  name: string;
  about?: string;
  steps: Step[];
  rpc?: string[]; // RM calls of the driver in order: id name request -> error reply
  notifications?: string[]; // RM notifications in order (their order against replies is not stable)
  ended?: string; // "exit" or "signal N"
  unstable?: number[]; // steps (from 1) that differed between two recordings of the same case
  rpc2?: string[]; // RM calls of the second recording, where their names differ
  recorded?: number; // how many boots
}
export interface CaseFile {
  format: string;
  recorded: string;
  cases: Case[];
}

const ERRNO: Record<number, string> = {
  0: "OK",
  1: "EPERM",
  2: "ENOENT",
  4: "EINTR",
  5: "EIO",
  9: "EBADF",
  11: "EAGAIN",
  12: "ENOMEM",
  13: "EACCES",
  14: "EFAULT",
  16: "EBUSY",
  17: "EEXIST",
  19: "ENODEV",
  22: "EINVAL",
  24: "EMFILE",
  25: "ENOTTY",
  29: "ESPIPE",
  75: "EOVERFLOW",
  74: "EBADMSG",
  95: "EOPNOTSUPP",
  7: "E2BIG",
  110: "ETIMEDOUT",
};

const val = (v: Value): string =>
  typeof v === "object" ? ("fd" in v ? `fd.${v.fd}` : `addr.${v.addr}${v.plus ? `+${v.plus}` : ""}`) : String(v);
const items = (list: Item[]): string => list.map(([k, v]) => `${k}:${val(v)}`).join(" ");
const arg = (a: unknown): string =>
  a && typeof a === "object" && "struct" in a ? `ptr ${items((a as { struct: Item[] }).struct)}` : `val ${val((a ?? 0) as Value)}`;

export function line(s: Step): string {
  const f = (k: string) => val(s[k] as Value);
  switch (s.op) {
    case "open":
      return `open ${s.save} ${s.path} ${s.mode ?? "rw"}`;
    case "ioctl":
      return `ioctl ${s.save ?? "-"} ${f("fd")} ${s.nr} ${arg(s.arg)}`;
    case "forked":
      return `forked ${f("fd")} ${s.nr} ${arg(s.arg)}`;
    case "start":
      return `start ${s.job} ${f("fd")} ${s.nr} val ${val((s.arg ?? 0) as Value)}`;
    case "join":
      return `join ${s.job} ${s.ms}`;
    case "signal":
      return `signal ${s.job}`;
    case "data":
      return `data ${s.save} ${items(s.items as Item[])}`;
    case "mmap":
      return `mmap ${s.save} ${s.fd ? f("fd") : "anon"} ${s.size} ${s.prot || "-"} ${s.share ?? "private"} ${s.offset ?? 0}`;
    case "munmap":
      return `munmap ${s.name}`;
    case "mprotect":
      return `mprotect ${s.name} ${s.prot || "-"}`;
    case "poke":
      return `poke ${s.name} ${s.offset} ${items(s.items as Item[])}`;
    case "peek":
      return `peek ${s.name} ${s.offset} ${s.size}`;
    case "load":
      return `load ${s.name} ${s.offset} ${s.path}`;
    case "eventfd":
      return `eventfd ${s.save} ${s.init ?? 0} ${s.nonblock === false ? 0 : "nonblock"}`;
    case "memfd":
      return `memfd ${s.save} ${s.size}`;
    case "poll":
      return `poll ${f("fd")} ${s.ms}`;
    case "read":
      return `read ${f("fd")} ${s.size}`;
    case "write":
      return `write ${f("fd")} ${items(s.items as Item[])}`;
    case "close":
      return `close ${f("fd")}`;
    case "dup":
      return `dup ${s.save} ${f("fd")}`;
    case "fdname":
      return `fdname ${f("fd")}`;
    case "memlock":
      return `memlock ${s.bytes}`;
    case "setuid":
      return `setuid ${s.uid}`;
    case "lockedkb":
      return "lockedkb";
    case "sleep":
      return `sleep ${s.ms}`;
  }
  throw new Error(`unknown op ${s.op}`);
}

export const script = (file: CaseFile): string =>
  file.cases.map((c) => [`case ${c.name}`, ...c.steps.map(line)].join("\n")).join("\n") + "\n";

const RPC: Record<string, string> = {
  "51000012": "MEM_LEND",
  "51000013": "MEM_SHARE",
  "51000015": "MEM_RECLAIM",
  "51000018": "MEM_APPEND",
  "56000001": "VM_ALLOC_VMID",
  "56000002": "VM_DEALLOC_VMID",
  "56000004": "VM_START",
  "56000005": "VM_STOP",
  "56000006": "VM_RESET",
  "56000009": "VM_CONFIG_IMAGE",
  "5600000b": "VM_INIT",
  "56000020": "VM_GET_HYP_RESOURCES",
  "56000024": "VM_GET_VMID",
  "56000032": "VM_SET_FIRMWARE_MEM",
  "51100012": "MEM_RELEASED",
  "56100001": "VM_EXITED",
  "56100008": "VM_STATUS",
};

/**
 * A request in words. Physical addresses differ from run to run, so memory lists are reduced to
 * what is stable.
 */
function request(id: string, size: number, hex: string): string {
  const b = Uint8Array.from(hex.match(/../g) ?? [], (x) => parseInt(x, 16));
  const v = new DataView(b.buffer);
  if (id === "51000012" || id === "51000013") {
    const n = v.getUint32(8, true);
    const acl = Array.from({ length: n }, (_, i) => `${v.getUint16(12 + 4 * i, true).toString(16)}:${b[14 + 4 * i]}`);
    return `type=${b[0]} flags=${b[2]} label=${v.getUint32(4, true)} acl=${acl} entries=${v.getUint16(12 + 4 * n, true)} bytes=${size}`;
  }
  if (id === "51000018") return `handle=${v.getUint32(0, true)} flags=${b[4]} entries=${v.getUint16(8, true)} bytes=${size}`;
  return hex;
}

interface Seen {
  steps: Map<number, Record<string, unknown>>;
  rpc: string[];
  notifications: string[];
  ended: string;
}

/** Reads a console log: result lines of ghioctl, plus the optional RPC trace lines between them. */
export function readLog(text: string): Map<string, Seen> {
  const out = new Map<string, Seen>();
  let now: Seen | undefined;
  for (const raw of text.split(/\r?\n/)) {
    const g = raw.match(/ghioctl: ([\w.-]+)\.(\d+) (.*)$/);
    if (g) {
      const [, name, n, rest] = g;
      if (rest === "begin") out.set(name, now = { steps: new Map(), rpc: [], notifications: [], ended: "missing" });
      const seen = out.get(name);
      if (!seen) continue;
      if (rest === "exit") seen.ended = "exit";
      else if (rest.startsWith("killed")) seen.ended = rest.replace("killed signal=", "signal ");
      else if (rest !== "begin" && rest !== "end") {
        const want: Record<string, unknown> = {};
        for (const [, k, v] of rest.matchAll(/(\w+)=(\S*)/g)) {
          if (k === "errno") { if (v !== "0") want.errno = ERRNO[+v] ?? v; }
          else want[k] = /^-?\d+$/.test(v) && k !== "out" ? +v : v;
        }
        if (rest === "join running") want.running = true;
        seen.steps.set(+n, want);
      }
      continue;
    }
    const r = raw.match(/RPC([><!]) (\w+)(?: err (\w+))? len (\d+) ?(\w*)/);
    if (r && now) {
      const [, way, id, err, size, hex] = r;
      if (way === "!") now.notifications.push(`${id} ${RPC[id] ?? "?"} ${hex}`);
      else if (way === ">") now.rpc.push(`${id} ${RPC[id] ?? "?"} ${request(id, +size, hex)}`.trim());
      else if (now.rpc.length) now.rpc[now.rpc.length - 1] += ` -> ${err} ${hex.slice(0, 8)}`.trimEnd();
    }
  }
  return out;
}

if (import.meta.main) {
  const [verb, ...rest] = Deno.args;
  const json = (p: string) => JSON.parse(Deno.readTextFileSync(p)) as CaseFile;
  if (verb === "script") Deno.stdout.writeSync(new TextEncoder().encode(script(json(rest[0]))));
  else if (verb === "record") {
    const seen = readLog(Deno.readTextFileSync(rest[0]));
    const file = json(rest[1]);
    for (const c of file.cases) {
      const s = seen.get(c.name);
      if (!s) continue;
      c.steps.forEach((step, i) => step.want = s.steps.get(i + 1) ?? { missing: true });
      if (s.rpc.length) c.rpc = s.rpc;
      if (s.notifications.length) c.notifications = s.notifications;
      c.ended = s.ended;
    }
    Deno.writeTextFileSync(rest[2], JSON.stringify(file, null, 1) + "\n");
  } else if (verb === "check") {
    const seen = readLog(Deno.readTextFileSync(rest[0]));
    let bad = 0, good = 0;
    for (const c of json(rest[1]).cases) {
      const s = seen.get(c.name);
      c.steps.forEach((step, i) => {
        const got = s?.steps.get(i + 1) ?? { missing: true };
        const same = (w: unknown) => w !== undefined && JSON.stringify(got) === JSON.stringify(w);
        if (same(step.want) || same(step.want2)) good++;
        else {
          bad++;
          console.log(`${c.name}.${i + 1} ${step.op}: want ${JSON.stringify(step.want)} got ${JSON.stringify(got)}`);
        }
      });
    }
    console.log(`${good} steps agree, ${bad} differ`);
    Deno.exit(bad ? 1 : 0);
  } else console.error("usage: script CASES.json | record LOG IN.json OUT.json | check LOG CASES.json");
}
