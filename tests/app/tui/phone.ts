// A paused session: the machine of docs/design/workstation.md §4, as rows. Screens drawn
// from it change only when screens do.

import { RmError } from "../../../src/machine/abi/rpc/errors.ts";
import { encodeError } from "../../../src/machine/abi/rpc/message.ts";
import { MEM_RECLAIM } from "../../../src/machine/abi/rpc/messages/memory.ts";
import { PacketType } from "../../../src/machine/abi/rpc/packet.ts";
import { messageParts } from "../../../src/machine/abi/rpc/text/message-bytes.ts";
import type { Answer } from "../../../src/model/queries/query.ts";
import type { AnyArguments } from "../../../src/model/queries/query-arguments.ts";
import { parseFilter } from "../../../src/model/queries/filters/filter.ts";
import type { Column, Json, Row, Table } from "../../../src/model/queries/table.ts";
import { type TableName, TABLES } from "../../../src/model/queries/tables.ts";
import type { MachineSample } from "../../../src/model/protocol/protocol.ts";
import type { BlockCode } from "../../../src/machine/abi/trace.ts";

const vcpu = (index: number, state: string, pcpu: number, load: number, waits: readonly BlockCode[], pc: string, instructions: number) => ({
  index,
  state: state as "RUN",
  pcpu,
  instructions,
  load,
  waits,
  pc,
});

/** The bytes of a message of the request that is refused. */
const parts = (type: PacketType, payload: Uint8Array) =>
  messageParts({ type, sequence: 0x1f, id: MEM_RECLAIM.id, payload }).map((part) => ({ ...part }));

type SomeCells = Readonly<Record<string, Json>>;

/** Rows of the VM debian, with more cells for each. */
function ofDebian(rows: readonly SomeCells[], more: (row: SomeCells, number: number) => SomeCells = () => ({})): SomeCells[] {
  return rows.map((row, number) => ({ vm: "vm:debian", ...more(row, number), ...row }));
}

/** The picture of the machine. */
export const PHONE_SAMPLE: MachineSample = {
  time: 12_481_306_000,
  instructions: 2_657_004_118,
  reasons: 1,
  mips: 212.4,
  physicalCpus: 2,
  vms: [
    {
      name: "host",
      vmid: 3,
      state: "RUNNING",
      schedule: "native",
      console: undefined,
      vcpus: [vcpu(0, "WFI", 0, 0.03, ["wfi"], "", 0), vcpu(1, "RUN", 1, 0.28, [], "", 0)],
      devices: [],
    },
    {
      name: "debian",
      vmid: 0x80,
      state: "RUNNING",
      schedule: "proxy",
      console: "debian",
      vcpus: [
        vcpu(0, "RUN", 0, 0.66, [], "0xffff80008001f2c4", 2_650_000_000),
        vcpu(1, "VMMIO", 1, 0, ["mmio"], "0xffff800080a41190", 7_000_000),
      ],
      devices: [
        { id: "dev:debian/blk0", kind: "virtio-block", metrics: { reads: 812, writes: 0, read_bytes: 3_325_952 } },
        { id: "dev:debian/net1", kind: "virtio-net", metrics: { rx_frames: 0, tx_frames: 0 } },
      ],
    },
    {
      name: "rt",
      vmid: 0x81,
      state: "RUNNING",
      schedule: "own",
      console: "rt",
      vcpus: [vcpu(0, "WFI", 1, 0.05, ["wfi"], "0x0000000080000184", 4_118)],
      devices: [],
    },
    {
      name: "rm",
      vmid: 255,
      state: "RUNNING",
      schedule: "native",
      console: undefined,
      vcpus: [vcpu(0, "WFI", 0, 0.01, ["wfi"], "", 0)],
      devices: [],
    },
  ],
};

/** Values that differ from a column's usual one, by table. */
const ROWS: Partial<Record<TableName, readonly Record<string, Json>[]>> = {
  "vcpu.ls": [
    {
      id: "vcpu:debian/0",
      vm: "vm:debian",
      state: "run",
      since: "400000",
      pc: "0xffff80008001f2c4",
      cpu: 0.66,
      exits: "81200",
      exits_rate: 1949,
    },
    {
      id: "vcpu:debian/1",
      vm: "vm:debian",
      state: "vmmio",
      wait: ["addrspace_vmmio_access"],
      since: "1100000",
      wakes: ["its VMM (MMIO)"],
      waits: [{ code: "mmio" }],
      pc: "0xffff800080a41190",
      exits: "9100",
      exits_rate: 96,
    },
    {
      id: "vcpu:rt/0",
      vm: "vm:rt",
      state: "wfi",
      wait: ["vcpu_wfi"],
      since: "400000",
      wakes: ["timer irq:rt/27 in 0.6ms"],
      waits: [{ code: "timer", irq: "irq:rt/27", intid: 27, in_ns: 0.6e6 }],
      pc: "0x0000000080000184",
      cpu: 0.05,
      exits: "12481",
      exits_rate: 1000,
    },
  ],
  "vcpu.regs": [
    { id: "reg:debian/0/x0", name: "x0", value: "0x0000000000000001", group: "general" },
    { id: "reg:debian/0/x1", name: "x1", value: "0xffff0000c0a81000", group: "general" },
    { id: "reg:debian/0/pc", name: "pc", value: "0xffff80008001f2c4", group: "general" },
    { id: "reg:debian/0/esr_el1", name: "esr_el1", value: "0x0000000056000000", group: "system" },
  ],
  "vcpu.timers": [
    {
      id: "timer:debian/0/virtual",
      name: "virtual",
      due: "600000",
      control: ["ENABLE"],
      compare: "0x000000002e805b1e",
      irq: "irq:debian/27",
    },
    {
      id: "timer:debian/0/physical",
      name: "physical",
      due: "0",
      control: ["ENABLE", "IMASK", "ISTATUS"],
      compare: "0x0000000000000000",
      irq: "irq:debian/30",
    },
  ],
  "code": [
    {
      id: "va:debian/0xffff80008001f2bc",
      address: "0xffff80008001f2bc",
      word: "0xd503207f",
      text: "wfi",
      mnemonic: "wfi",
      operands: "",
      target: null,
      leaves: false,
      symbol: "cpu_do_idle",
      label: "cpu_do_idle",
      pc: false,
    },
    {
      id: "va:debian/0xffff80008001f2c0",
      address: "0xffff80008001f2c0",
      word: "0xd50323bf",
      text: "autiasp",
      mnemonic: "autiasp",
      operands: "",
      target: null,
      leaves: false,
      symbol: "cpu_do_idle+0x4",
    },
    {
      id: "va:debian/0xffff80008001f2c4",
      address: "0xffff80008001f2c4",
      word: "0xd65f03c0",
      text: "ret",
      mnemonic: "ret",
      operands: "",
      target: null,
      leaves: true,
      symbol: "cpu_do_idle+0x8",
      pc: true,
    },
    {
      id: "va:debian/0xffff80008001f2c8",
      address: "0xffff80008001f2c8",
      word: "0x94000004",
      text: "bl 0xffff80008001f2d8 <arch_cpu_idle>",
      mnemonic: "bl",
      operands: "",
      target: "arch_cpu_idle",
      leaves: true,
      symbol: "cpu_do_idle+0xc",
    },
  ],
  "vcpu.stack": [
    { id: "frame:debian/0/0", pc: "0xffff80008001f2c4", by: "pc" },
    { id: "frame:debian/0/1", pc: "0xffff80008001e110", frame: "0xffff800081b03d80", by: "frame-pointer", note: "the outermost" },
  ],
  "irq.ls": [
    {
      id: "irq:debian/27",
      vm: "vm:debian",
      vcpu: "vcpu:debian/0",
      intid: 27,
      kind: "ppi",
      source: "vtimer",
      priority: "0xa0",
      en: true,
      pend: true,
      trigger: "level",
      line: "high",
      count: 841220,
      rate: 48211,
      finding: "storm: its line is high at each end, and it comes again",
      fact: { code: "storm", source: "vtimer" },
    },
    {
      id: "irq:debian/960",
      vm: "vm:debian",
      vcpu: "vcpu:debian/0",
      intid: 960,
      kind: "spi",
      source: "mq:7 tx",
      priority: "0xa0",
      en: true,
      trigger: "edge",
      line: "low",
      route: "aff 0",
      count: 912,
      rate: 12,
    },
    {
      id: "irq:host/961",
      vm: "vm:host",
      vcpu: "vcpu:host/0",
      intid: 961,
      kind: "spi",
      source: "mq:1 rx",
      priority: "0x80",
      pend: true,
      trigger: "level",
      line: "high",
      route: "aff 0",
      count: 214,
      rate: 3,
      finding: "cannot fire: disabled (ISENABLER30 bit 1)",
      fact: { code: "disabled", intid: 961 },
    },
  ],
  "mem.map": [
    {
      id: "pa:0x40000000",
      pa: "0x40000000",
      size: 134217728,
      access: "exclusive",
      vm: ["vm:host"],
      mapped: ["ipa:host/0x40000000 rwx"],
      state: "private",
      owner: "obj:12",
      owner_vm: "vm:host",
    },
    {
      id: "pa:0x48000000",
      pa: "0x48000000",
      size: 268435456,
      access: "host",
      vm: ["vm:debian", "vm:host"],
      mapped: ["ipa:debian/0x80000000 rwx", "ipa:host/0x48000000 rw"],
      parcel: "parcel:0x10",
      state: "accepted",
      owner: "obj:60",
      owner_vm: "vm:host",
    },
    {
      id: "pa:0x58000000",
      pa: "0x58000000",
      size: 4194304,
      access: "exclusive",
      vm: ["vm:rt"],
      mapped: ["ipa:rt/0x80000000 rwx"],
      parcel: "parcel:0x11",
      state: "offered",
      owner: "obj:61",
      owner_vm: "vm:host",
    },
    {
      id: "pa:0x58400000",
      pa: "0x58400000",
      size: 65536,
      access: "shared",
      vm: ["vm:host", "vm:debian", "vm:rt"],
      mapped: ["ipa:rt/0x80400000 rw"],
      parcel: "parcel:0x12",
      state: "blocked",
      owner: "obj:62",
      owner_vm: "vm:host",
    },
    { id: "pa:0x58410000", pa: "0x58410000", size: 666828800, access: "free", state: "free", owner: "root partition" },
  ],
  "mem.owner": [
    {
      id: "pa:0x40000000",
      owner: "vm:host",
      mapped: ["ipa:host/0x40000000 rwx"],
      access: "exclusive",
      chain: ["root partition", "obj:12"],
      offset: "0x0",
    },
    {
      id: "pa:0x58400000",
      owner: "vm:host",
      parcel: "parcel:0x12",
      mapped: ["ipa:rt/0x80400000 rw"],
      access: "shared",
      chain: ["root partition", "obj:12", "obj:62"],
      offset: "0x0",
    },
  ],
  "mem.parcels": [
    {
      id: "parcel:0x12",
      kind: "share",
      label: 12,
      size: 65536,
      state: "blocked",
      owner: "vm:host",
      vm: ["vm:debian", "vm:rt"],
      borrowers: ["vm:debian rw accepted", "vm:rt rw mapped"],
      held_by: ["vm:rt"],
      extent: "obj:62",
    },
    {
      id: "parcel:0x10",
      kind: "lend",
      label: 0,
      size: 268435456,
      state: "accepted",
      owner: "vm:host",
      vm: ["vm:debian"],
      borrowers: ["vm:debian rwx mapped"],
      held_by: ["vm:debian"],
      extent: "obj:60",
    },
  ],
  "mem.limits": [
    { id: "limit:root-heap", what: "root heap", used: 3774873, limit: 4194304, unit: "bytes", share: 0.9, over: true },
    { id: "limit:debian/capabilities", what: "capabilities", vm: "vm:debian", used: 6, limit: 1024, unit: "slots", share: 0.006 },
  ],
  "caps.ls": [
    { id: "cap:host/0x0", vm: "vm:host", slot: "0x0", type: "msgqueue", obj: "mq:0", rights: ["Send"], state: "active", holders: 2 },
    {
      id: "cap:host/0x3",
      vm: "vm:host",
      slot: "0x3",
      type: "thread",
      obj: "vcpu:debian/0",
      rights: ["Affinity", "YieldTo"],
      state: "active",
      holders: 2,
      used: "12479000000",
      res: "vcpu_set_priority -> CSPACE_INSUFFICIENT_RIGHTS",
      err: true,
    },
  ],
  "obj.ls": [{
    id: "obj:41",
    type: "thread",
    name: "vcpu:debian/0",
    state: "active",
    references: 3,
    size: 40960,
    holders: ["cap:rm/0x411", "cap:host/0x3"],
  }],
  "queue.ls": [
    {
      id: "mq:7",
      kind: "msgqueue",
      from: "vm:debian",
      to: "vm:rt",
      vm: ["vm:debian", "vm:rt"],
      count: 3,
      depth: 8,
      sent: "912",
      received: "909",
      rate: 12,
      size: 240,
      not_full: 7,
      not_empty: 1,
      send_virq: "irq:debian/960",
      receive_virq: "irq:rt/961",
      obj: "obj:70",
    },
    {
      id: "mq:1",
      kind: "msgqueue",
      from: "vm:host",
      to: "vm:rm",
      vm: ["vm:host", "vm:rm"],
      count: 1,
      depth: 8,
      sent: "215",
      received: "214",
      rate: 3.2,
      size: 240,
      not_full: 7,
      not_empty: 1,
      send_virq: "irq:host/960",
      receive_virq: "irq:rm/33",
      obj: "obj:71",
    },
    {
      id: "db:3",
      kind: "doorbell",
      from: "vm:rt",
      to: "vm:debian",
      vm: ["vm:rt", "vm:debian"],
      flags: "0x1",
      sent: "44",
      received: "43",
      rate: 1,
      enable: "0x3",
      ack: "0x0",
      receive_virq: "irq:debian/962",
      obj: "obj:73",
    },
  ],
  "queue.ring": [
    { id: "mq:7/0", size: 24, bytes: "01 00 00 00 10 00", ascii: "......" },
    {
      id: "mq:1/0",
      size: 16,
      bytes: "21 01 1f 00 15 00 00 51 12 00 00 00 00 00 00 00",
      ascii: "!......Q........",
      rpc: "request MEM_RECLAIM 0x1f",
      fields: { handle: 18, flags: 0 },
    },
  ],
  "rpc.ls": [
    {
      id: "rpc:213",
      t: "12480900000",
      vm: "vm:host",
      seq: "0x1e",
      msg: "MEM_SHARE",
      about: "parcel:0x12",
      latency: "90000",
      res: "ok",
      calls: 4,
    },
    {
      id: "rpc:214",
      t: "12481002000",
      vm: "vm:host",
      seq: "0x1f",
      msg: "MEM_RECLAIM",
      about: "parcel:0x12",
      latency: "100000",
      res: "0x0b MEM_INUSE",
      errno: "EINVAL",
      refused: true,
      why: "why:37",
      request: { handle: 18, flags: 0 },
      calls: 0,
      refused_by: "rm",
      bytes: {
        request: parts(PacketType.Request, MEM_RECLAIM.request.encode({ handle: 18, flags: 0 })),
        reply: parts(PacketType.Reply, encodeError(RmError.MEM_INUSE)),
      },
    },
  ],
  "events": [
    {
      id: "ev:90208",
      t: "12480902000",
      end: "12480902000",
      pcpu: "pcpu:0",
      vcpu: "vcpu:debian/0",
      vm: "vm:debian",
      kind: "mmio",
      name: "write",
      text: "write ipa:debian/0xa050 size 4 value 0 target vmm",
    },
    {
      id: "ev:90209",
      t: "12481002000",
      end: "12481002000",
      pcpu: "pcpu:1",
      vcpu: "vcpu:rt/0",
      vm: "vm:rt",
      kind: "hvc",
      name: "msgqueue_send",
      text: "msgqueue_send mq:8 size 24 push -> OK",
      res: "OK",
    },
    {
      id: "ev:90211",
      t: "12481102000",
      end: "12481102000",
      pcpu: "pcpu:0",
      vcpu: "vcpu:host/0",
      vm: "vm:host",
      kind: "rpc",
      name: "MEM_RECLAIM",
      text: "MEM_RECLAIM handle 18 -> MEM_INUSE",
      res: "MEM_INUSE",
      refused: true,
      why: "why:37",
    },
  ],
  "density": [
    { id: "ev:90208", t: "12480000000", kind: "mmio", events: 1 },
    { id: "ev:90209", t: "12481000000", kind: "hvc", events: 1 },
    { id: "ev:90211", t: "12481000000", kind: "rpc", events: 1, refused: 1 },
  ],
  "why": [
    {
      id: "why:37",
      t: "12481102000",
      asked_by: "vcpu:host/0",
      pc: null,
      symbol: null,
      source: null,
      vm: "vm:host",
      call: "VM_START",
      err: "EINVAL",
      failed: true,
      section: "resource-manager 5.4",
      rule: "a parcel that is mapped cannot be reclaimed",
      object: "parcel:0x12",
      values: { holder: "vm:rt", mapped: "ipa:rt/0x80400000" },
      chain: [
        { id: "ev:90200", kind: "ioctl", name: "VM_START", args: { fd: 7 }, result: { code: -22, name: "EINVAL" } },
        { id: "ev:90211", kind: "rpc", name: "MEM_RECLAIM", args: { handle: 18 }, result: { code: 11, name: "MEM_INUSE" } },
      ],
      shared_errno: 13,
      way_out: "vm:rt releases it first (MEM_RELEASE)",
    },
  ],
  "linux.ps": ofDebian([
    {
      pid: 1,
      ppid: 0,
      name: "systemd",
      state: "S",
      time: "820000000",
      resident: 9_437_184,
      waits: "do_epoll_wait",
      command: "/sbin/init",
    },
    { pid: 2, ppid: 0, name: "kthreadd", state: "S", kernel: true, time: "4000000", waits: "kthreadd" },
    { pid: 31, ppid: 2, name: "kworker/0:1-events", state: "I", kernel: true, time: "12000000", waits: "worker_thread" },
    {
      pid: 412,
      ppid: 1,
      name: "sshd",
      state: "S",
      time: "61000000",
      resident: 5_242_880,
      waits: "do_sys_poll",
      command: "sshd: /usr/sbin/sshd",
    },
    {
      pid: 518,
      ppid: 412,
      name: "dd",
      state: "D",
      time: "2200000000",
      resident: 1_048_576,
      waits: "folio_wait_bit",
      command: "dd if=/dev/vda of=/dev/null",
    },
    { pid: 519, ppid: 412, name: "sh", state: "R", time: "900000000", resident: 1_572_864, cpu: 0, command: "-sh" },
  ], ({ pid }) => ({ id: `task:debian/${pid}`, tgid: pid, uid: 0, threads: 1 })),
  "linux.log": ofDebian([
    { id: "log:debian/0", sequence: 0, t: "0", level: "info", text: "Booting Linux on physical CPU 0x0000000000 [0x410fd083]" },
    { id: "log:debian/311", sequence: 311, t: "1940418000", level: "info", text: "EXT4-fs (vda): mounted filesystem 6b5a0f7e ro." },
    { id: "log:debian/312", sequence: 312, t: "9100002000", level: "warn", text: "virtio_blk virtio0: [vda] slow request" },
    {
      id: "log:debian/313",
      sequence: 313,
      t: "12480100000",
      level: "err",
      text: "I/O error, dev vda, sector 2048 op 0x0:(READ) flags 0x80700",
    },
  ]),
  "linux.stack": ofDebian([
    { mode: "kernel", pc: "0xffff800080e1b2c8", symbol: "__switch_to+0xe4" },
    { mode: "kernel", pc: "0xffff8000802f1a40", symbol: "folio_wait_bit_common+0x15c" },
    { mode: "kernel", pc: "0xffff8000802f2014", symbol: "filemap_get_pages+0x5b8" },
    { mode: "user", pc: "0x0000aaaad2f81c44", file: "/usr/bin/dd+0x1c44" },
  ], (_, number) => ({ id: `call:debian/518/${number}` })),
  "linux.files": ofDebian([
    { id: "fd:debian/518/0", fd: 0, file: "/dev/vda", access: "r", position: "1048576", flags: "0x20000" },
    { id: "fd:debian/518/1", fd: 1, file: "/dev/null", access: "w", position: "0", flags: "0x20001" },
  ]),
  "linux.maps": ofDebian([
    { start: "0xaaaad2f80000", end: "0xaaaad2f94000", size: 81_920, access: "r-xp", device: "fe:00", inode: "1311", file: "/usr/bin/dd" },
    { start: "0xffffc0b1e000", end: "0xffffc0b3f000", size: 135_168, access: "rw-p", device: "00:00", inode: "0", file: "[stack]" },
  ], ({ start }) => ({ id: `vma:debian/518/${start}`, offset: "0x0" })),
  "sched.ls": [
    {
      id: "ev:1",
      t: "12470000000",
      pcpu: 0,
      vcpu: "vcpu:debian/0",
      vm: "vm:debian",
      reason: "vcpu:host/0 yields",
      fact: { code: "yields", vcpu: "vcpu:host/0" },
      seen: true,
    },
    { id: "ev:2", t: "12470000000", pcpu: 1, vcpu: "vcpu:rt/0", vm: "vm:rt", reason: "", seen: true },
    {
      id: "ev:3",
      t: "12472000000",
      pcpu: 1,
      vcpu: null,
      vm: null,
      reason: "vcpu:rt/0 waits for an interrupt (WFI)",
      fact: { code: "waits", vcpu: "vcpu:rt/0", waits: ["wfi"] },
      seen: true,
    },
    {
      id: "ev:4",
      t: "12474000000",
      pcpu: 0,
      vcpu: "vcpu:host/0",
      vm: "vm:host",
      reason: "vcpu:debian/0 waits for vcpu_run",
      fact: { code: "waits", vcpu: "vcpu:debian/0", waits: ["vcpu_run"] },
      seen: true,
    },
    {
      id: "ev:5",
      t: "12478000000",
      pcpu: 0,
      vcpu: "vcpu:debian/0",
      vm: "vm:debian",
      reason: "vcpu:host/0 yields",
      fact: { code: "yields", vcpu: "vcpu:host/0" },
      seen: true,
    },
  ],
};

/** A column's value where a row says nothing. */
function usual({ kind, optional, facts }: Column): Json {
  if (optional) return null;
  if (facts) return [];
  switch (kind) {
    case "flag":
      return false;
    case "list":
      return [];
    case "number":
    case "rate":
    case "size":
    case "share":
      return 0;
    case "count":
    case "time":
    case "duration":
      return "0";
    case "address":
      return "0x0";
    case "id":
      return "obj:1";
    case "detail":
      return {};
    default:
      return "";
  }
}

/** The rows of a table. */
export function phoneRows(name: TableName): Row[] {
  return (ROWS[name] ?? []).map((row) => wholeRow(name, row));
}

/** A row of a table, with usual values where it says nothing. */
export function wholeRow(name: TableName, row: Readonly<Record<string, Json>>): Row {
  const table: Table = TABLES[name];
  return Object.fromEntries(Object.entries(table.columns).map(([column, one]) => [column, row[column] ?? usual(one)])) as Row;
}

/** Answers a query as a session would. */
export function phoneAnswer({ table, args }: { readonly table: TableName; readonly args: AnyArguments }): Answer {
  const filter = parseFilter(args.filter ?? "", TABLES[table]);
  const rows = phoneRows(table).filter((row) =>
    filter.matches(row) && (args.queue === undefined || row.id.startsWith(`${args.queue}/`)) &&
    (table !== "mem.owner" || row.id === args.at)
  );
  return {
    table,
    at: { ns: "12481306000", insn: "2657004118" },
    rows: rows.slice(-(args.limit ?? 1000)),
    dropped: 0,
    cursor: table === "why" ? "1" : "3.0",
  };
}
