import assert from "node:assert/strict";
import { dumpHypervisor } from "../../machine/hypervisor/dump.ts";
import type { Query } from "../../../src/model/queries/query.ts";
import type { AnyArguments } from "../../../src/model/queries/query-arguments.ts";
import type { Column, RowOf, Table } from "../../../src/model/queries/table.ts";
import { type TableName, TABLES } from "../../../src/model/queries/tables.ts";
import { encodeError, encodeReply, encodeRequest } from "../../../src/machine/abi/rpc/message.ts";
import { encodePackets, PacketType } from "../../../src/machine/abi/rpc/packet.ts";
import type { Msgqueue } from "../../../src/machine/hypervisor/ipc/msgqueue.ts";
import { MEM_APPEND, MEM_RECLAIM } from "../../../src/machine/abi/rpc/messages/memory.ts";
import { RmError } from "../../../src/machine/abi/rpc/errors.ts";
import { assemble } from "../../../src/session/assembly/assemble.ts";
import { nativeHostOf } from "../../machine/host/plans.ts";
import { planDemo, planText, type RunConfiguration } from "../../../src/app/configuration/plan-run.ts";
import { HYPERCALL_ERRORS } from "../../../src/machine/abi/hypercall-errors.ts";
import { RPC_MESSAGES } from "../../../src/machine/abi/rpc/messages/all.ts";
import { ErrorCode } from "../../../src/machine/abi/errors.ts";
import { HVC_BASE, HYPERCALLS } from "../../../src/machine/abi/hypercalls.ts";
import { ASKING, queryOf } from "../../model/commands/samples.ts";
import { MEM_CHECK } from "../../../src/model/commands/mem.ts";
import { VM_TIMELINE } from "../../../src/model/commands/vm.ts";
import { pathOf } from "../../../src/model/commands/words.ts";
import { reasonLines } from "../../../src/model/queries/texts/reason-text.ts";
import { A64 } from "../../app/cli/program.ts";
import { CODE, machineWith } from "../debug/debugged-vm.ts";
import { Icc } from "../../../src/machine/hypervisor/gic/gic-registers.ts";
import { Irq } from "../../../src/machine/hypervisor/gic/irq-bank.ts";
import { VirqSource } from "../../../src/machine/hypervisor/gic/vic-source.ts";
import type { Vcpu } from "../../../src/machine/hypervisor/scheduling/vcpu.ts";
import type { NativeHostPlan } from "../../../src/machine/host/data/plan.ts";
import { DEVICETREE_SIZE } from "../../../src/machine/host/boards/el2/map.ts";
import type { GuestSystem } from "../../../src/session/assembly/system/guest-system.ts";
import { buildProgram } from "../debug/programs.ts";
import { writeElfSymbols } from "../../../src/inside/symbols/elf-symbols.ts";
import { LINUX_TABLES } from "../../../src/model/queries/linux-tables.ts";
import { isSection } from "../../support/specification.ts";
import { checkColumn } from "../../support/columns.ts";
import { Rig } from "../../app/tui/rig.ts";
import { demoSystem, rows, runUntil } from "./system.ts";
import { MiB } from "../../../src/kit/support/values/sizes.ts";

const HALF_SECOND = 5e8;
/** How a VM may not be scheduled. */
const OWN_ABOVE_OWNER = { affinity: "static", affinityMap: [0], priority: 4, timeslice: 5000 } as const;
/**
 * Tables about Linux, which the demo does not have, are checked in tests/inside/linux, and those of
 * a session's past in tests/app/cli/commands/session/who_test.ts.
 */
const NAMES = (Object.keys(TABLES) as TableName[]).filter((name) => !(name in LINUX_TABLES) && name !== "who");

/** Tables of the commands that list, by their words. */
const TABLE_OF_COMMAND = Object.fromEntries(ASKING.map((command) => [pathOf(command), queryOf(command)?.table]));

/** Names the first instruction of the demo's VMs. */
const START = writeElfSymbols([{ name: "start", type: "T", address: 0x8000_0000n }]);

/** Debug information for the same address. */
const LINES = await linesFile();

async function linesFile(): Promise<Uint8Array> {
  const path = await Deno.makeTempFile({ suffix: ".elf" });
  try {
    return await buildProgram("calls", path, { more: ["-Wl,-Ttext=0x80000000"] });
  } finally {
    await Deno.remove(path);
  }
}

/** Arguments of a query of each table, for the demo. */
function argumentsOf(table: TableName, queue: string): AnyArguments {
  const at: Partial<Record<TableName, string>> = {
    "code": "ping:start",
    "code.lines": "ping:0x80000000",
    "vcpu.vars": "$sp",
    "print": "ping/0:$sp",
    // The MMU of the demo's VMs is off.
    "vcpu.tables": undefined,
  };
  // All functions of ping have call frame information.
  const all: AnyArguments = {
    vm: table === "symbols.frames" ? "pong" : "ping",
    vcpu: "ping/0",
    at: table in at ? at[table] : "ipa:ping/0x80000000",
    queue,
    size: table === "code.lines" ? 1 : 64,
  };
  const { args = {} }: Table = TABLES[table];
  return Object.fromEntries(Object.entries(all).filter(([name]) => Object.hasOwn(args, name)));
}

Deno.test("W47: inspection changes nothing: the state and its hash are equal before and after, and the run continues as without it", async () => {
  const looked = await demoSystem(), plain = await demoSystem();
  runUntil(looked, HALF_SECOND);
  runUntil(plain, HALF_SECOND);
  looked.symbols.give("ping", LINES, "lines");
  looked.symbols.give("ping", START, "test");
  const before = dumpHypervisor(looked.hypervisor), hash = rows(looked, "hash");
  looked.inspector.watch(["hvc", "virq", "sched", "mmio", "trap", "mem"]);
  const [queue] = rows(looked, "queue.ls");
  for (const table of NAMES) rows(looked, table, argumentsOf(table, queue.id));
  assert.deepEqual(dumpHypervisor(looked.hypervisor), before);
  assert.deepEqual(rows(looked, "hash"), hash);
  runUntil(looked, 2 * HALF_SECOND);
  runUntil(plain, 2 * HALF_SECOND);
  assert.deepEqual(rows(looked, "hash"), rows(plain, "hash"));
});

Deno.test("W60: rows are JSON as their tables declare: 64 bits are strings, addresses are hexadecimal, every row has a unique id", async () => {
  const system = await demoSystem();
  system.inspector.watch(["hvc", "virq", "sched", "mmio", "trap", "mem"]);
  system.symbols.give("ping", LINES, "lines");
  system.symbols.give("ping", START, "test");
  system.symbols.give("pong", START, "test");
  system.inspector.act({ kind: "inject.add", rule: "virq vm=pong nth=999999999 -> lose" });
  for (const filter of ["kind=hvc", "kind=psci name=NO_SUCH"]) system.stops.change({ kind: "event", filter });
  system.traceBuffer.start(["hvc", "msg"]);
  runUntil(system, HALF_SECOND);
  const [queue] = rows(system, "queue.ls");
  for (const table of NAMES) {
    const found = rows(system, table, argumentsOf(table, queue.id));
    const { columns } = TABLES[table];
    if (!["queue.ring", "mem.check", "vcpu.tables"].includes(table)) assert.notEqual(found.length, 0, table);
    assert.equal(new Set(found.map(({ id }) => id)).size, found.length, `ids of ${table}`);
    for (const row of found) {
      assert.deepEqual(Object.keys(row).sort(), Object.keys(columns).sort(), table);
      for (const [name, value] of Object.entries(row)) checkColumn(`${table}.${name}`, (columns as Record<string, Column>)[name], value);
    }
    assert.deepEqual(JSON.parse(JSON.stringify(found)), found);
  }
});

Deno.test("a symbol that two ELF files of a VM have is listed once, from the later one", async () => {
  const system = await demoSystem();
  runUntil(system, HALF_SECOND);
  for (const source of ["first", "second"]) system.symbols.give("ping", START, source);
  const found = rows(system, "symbols", { vm: "ping" }).filter(({ name }) => name === "start");
  assert.deepEqual(found.map(({ id, source }) => [id, source]), [["sym:ping/start@0x80000000", "second"]]);
});

Deno.test("each VM has its memory: of the configuration, and of host and Resource Manager the RAM that they can access", async () => {
  const system = await demoSystem();
  runUntil(system, HALF_SECOND);
  const memory = new Map(rows(system, "vm.ls").map(({ id, memory }) => [id, memory]));
  for (const name of ["hello", "ping", "pong"]) assert.equal(memory.get(`vm:${name}`), 4 * MiB, name);
  const mapped = (vm: string) => rows(system, "mem.map", { filter: `vm=${vm}` }).filter(({ pa }) => Number(pa) >= 0x4000_0000);
  const ofHost = mapped("host").filter(({ vm }) => vm.length === 1).reduce((sum, { size }) => sum + size, 0);
  assert.equal(memory.get("vm:host"), ofHost);
  assert.equal(memory.get("vm:rm"), mapped("rm").reduce((sum, { size }) => sum + size, 0));
  assert.ok(ofHost > 64 * MiB);
});

Deno.test("W36: mem owner names owner, parcel, mappings and rights", async () => {
  const system = await demoSystem();
  runUntil(system, HALF_SECOND);
  const [given] = rows(system, "mem.owner", { at: "ipa:ping/0x80001000" });
  assert.deepEqual([given.owner, given.parcel, given.mapped], ["vm:ping", null, ["ipa:ping/0x80001000 rwx"]], "given page by page");
  // The devicetree is lent, at the end of the VM's memory.
  const at = `ipa:ping/0x${(0x8000_0000 + 4 * MiB - DEVICETREE_SIZE).toString(16)}`;
  const [page] = rows(system, "mem.owner", { at });
  assert.equal(page.owner, "vm:host");
  assert.match(page.parcel ?? "", /^parcel:0x/);
  assert.deepEqual(page.mapped, [`${at} rwx`]);
  const [same] = rows(system, "mem.owner", { at: page.id });
  assert.deepEqual(same, page);
  const [parcel] = rows(system, "mem.parcels", { filter: `id=${page.parcel}` });
  assert.deepEqual(parcel.held_by, ["vm:ping"]);
  assert.ok(page.chain.includes(parcel.extent ?? ""));
});

Deno.test("W38: limits: heap, page tables, parcels, entries, capabilities, vIRQs, locked memory", async () => {
  // A generation that locks what it lends, with a limit that just suffices.
  const system = await demoSystem(
    `el2 = 1\n[host]\ndevice = "v14"\nmemlock = "5MiB"\n[vm.a]\nimage = "hello.bin"\nmemory = "4MiB"\n`,
  );
  runUntil(system, HALF_SECOND);
  const limits = rows(system, "mem.limits");
  const of = (what: string, vm: string | null) => {
    const found = limits.find((row) => row.what === what && row.vm === vm);
    assert.ok(found, `${what} of ${vm}`);
    return found;
  };
  const heap = of("root heap", null);
  assert.ok(heap.used > 0 && heap.limit !== null && heap.used < heap.limit && heap.share === heap.used / heap.limit);
  assert.ok(of("free page tables", null).used > 0);
  assert.ok(of("parcels", "vm:host").used > 0);
  assert.ok(of("regions of parcels", null).used >= of("parcels", "vm:host").used, "entries: each parcel has one at least");
  assert.ok(of("capabilities", "vm:a").used > 0);
  assert.ok(of("vIRQs", "vm:a").limit! > 0);
  assert.equal(of("mapped", "vm:a").used > 0, true);
  const locked = of("locked memory", "vm:a");
  assert.deepEqual([locked.used, locked.limit, locked.unit], [4 * MiB, 5 * MiB, "bytes"]);
});

Deno.test("W39, W40: a blocked vCPU shows a reason of the specification's list, one in WFI what wakes it and when", async () => {
  const system = await demoSystem();
  runUntil(system, HALF_SECOND);
  const known = /^(thread_lifecycle|vcpu_off|vcpu_suspend|vcpu_wfi|vcpu_fault|vcpu_run|addrspace_vmmio_access|affinity_changed)$/;
  const vcpus = rows(system, "vcpu.ls");
  for (const { wait } of vcpus) for (const reason of wait) assert.match(reason, known);
  for (const { id, state, wait } of vcpus) assert.equal(wait.length > 0, !["run", "ready"].includes(state), `${id}: ${state} ${wait}`);
  const hello = vcpus.find(({ id }) => id === "vcpu:hello/0")!;
  assert.equal(hello.state, "wfi");
  assert.ok(hello.wakes.some((what) => /^timer irq:hello\/27 in [\d.]+[mun]?s$/.test(what)), hello.wakes.join());
});

Deno.test("W39: vCPUs that wait for other things than an interrupt say for what", async () => {
  // Two vCPUs, of which the guest starts one; and a VM that is made and not started.
  const system = await demoSystem(
    `el2 = 1\n[vm.two]\nimage = "hello.bin"\nmemory = "4MiB"\nvcpus = 2\n[vm.later]\nimage = "hello.bin"\nmemory = "4MiB"\nschedule = "own"\n` +
      `devices = []\n`,
  );
  runUntil(system, HALF_SECOND);
  const of = (id: string) => {
    const { state, wait } = rows(system, "vcpu.ls", { filter: `id=${id}` })[0];
    return [state, ...wait];
  };
  assert.deepEqual(of("vcpu:two/1"), ["off", "vcpu_off", "vcpu_run"], "and its VMM does not run it");
  assert.deepEqual(of("vcpu:later/0"), ["wfi", "vcpu_wfi"]);
  assert.equal(system.inspector.act({ kind: "vcpu.kill", vcpu: "later/0" }), undefined);
  runUntil(system, HALF_SECOND + 1e7);
  assert.deepEqual(of("vcpu:later/0"), ["exited", "thread_lifecycle", "vcpu_wfi"]);
});

Deno.test("W43: the trace of an RPC has its fields, decoded", async () => {
  const system = await demoSystem();
  runUntil(system, HALF_SECOND);
  const [start] = rows(system, "rpc.ls", { filter: "msg=VM_START about=ping" });
  assert.equal(start.vm, "vm:host");
  assert.equal(start.res, "ok");
  assert.equal((start.request as { vmid: number }).vmid, 0x81);
});

Deno.test("W45: capabilities show rights by name, holders, and what their last use was and answered", async () => {
  const system = await demoSystem();
  runUntil(system, HALF_SECOND);
  const caps = rows(system, "caps.ls", { filter: "vm=ping type=msgqueue" });
  assert.deepEqual(caps.map(({ rights }) => rights.join()).sort(), ["Receive", "Send"]);
  for (const { obj, holders } of caps) {
    const [object] = rows(system, "obj.ls", { filter: `name=${obj}` });
    assert.equal(object.holders.length, holders);
    assert.ok(object.holders.some((holder) => holder.startsWith("cap:ping/")));
  }
  const [sender] = caps.filter(({ rights }) => rights.includes("Send"));
  assert.deepEqual([sender.res, sender.err], ["msgqueue_send -> OK", false]);
  assert.ok(Number(sender.used) > 0 && Number(sender.used) <= HALF_SECOND);
});

Deno.test("W46: depth, size and thresholds are what the configuration says", async () => {
  const system = await demoSystem();
  runUntil(system, HALF_SECOND);
  const between = rows(system, "queue.ls", { filter: "from=ping to=pong kind=msgqueue" });
  assert.deepEqual(between.map(({ depth, size, not_full, not_empty }) => ({ depth, size, not_full, not_empty })), [
    { depth: 8, size: 64, not_full: 7, not_empty: 1 },
  ]);
});

Deno.test("queues and doorbells count what came and what was taken, and say how much a second", async () => {
  const system = await demoSystem();
  system.inspector.watch(["hvc"]);
  const moved = () =>
    Object.fromEntries(
      rows(system, "queue.ls", { filter: "vm=ping !vm=rm" }).map(({ id, kind, from, sent, received, rate }) => [
        `${kind} of ${from}`,
        { id, sent: Number(sent), received: Number(received), rate },
      ]),
    );
  runUntil(system, HALF_SECOND);
  const first = moved();
  const calls = (name: string, vm: string) => rows(system, "events", { filter: `name=${name} vm=${vm} res=OK` }).length;
  const [balls, answers, bell] = ["msgqueue of vm:ping", "msgqueue of vm:pong", "doorbell of vm:ping"];
  assert.equal(first[balls].sent, calls("msgqueue_send", "ping"));
  assert.equal(first[balls].received, calls("msgqueue_receive", "pong"));
  assert.equal(first[answers].sent, calls("msgqueue_send", "pong"));
  assert.equal(first[bell].sent, calls("doorbell_send", "ping"));
  assert.ok(first[bell].received > 0 && first[bell].received <= first[bell].sent);
  // ping plays once per second: a set between one look and the next.
  runUntil(system, HALF_SECOND + 1e9);
  const second = moved();
  for (const name of [balls, answers, bell]) {
    assert.equal(second[name].rate, second[name].sent - first[name].sent, name);
    assert.ok(second[name].rate > 0, name);
  }
});

Deno.test("W46: thresholds are those that a guest has configured since, not those of the start", async () => {
  const system = await demoSystem();
  runUntil(system, HALF_SECOND);
  const [{ id, not_full, not_empty }] = rows(system, "queue.ls", { filter: "from=ping to=pong kind=msgqueue" });
  assert.deepEqual([not_full, not_empty], [7, 1]);
  const queue = [...system.hypervisor.objects].find((one): one is Msgqueue => one.type === "msgqueue" && `mq:${one.serial}` === id)!;
  assert.deepEqual([queue.configureSend(3), queue.configureReceive(5)], [ErrorCode.OK, ErrorCode.OK]);
  const [now] = rows(system, "queue.ls", { filter: `id=${id}` });
  assert.deepEqual([now.not_full, now.not_empty], [3, 5]);
});

Deno.test("W33: each reason names a section of a specification", async () => {
  const system = await demoSystem();
  runUntil(system, HALF_SECOND);
  const reasons = rows(system, "why");
  assert.notEqual(reasons.length, 0);
  for (const { section, rule } of reasons) assert.ok(isSection(section) && rule, `${section}: ${rule}`);
});

Deno.test("W33: every hypercall, request, rule and file that refuses names a section that there is", async () => {
  // Which rule each refusal names is tested where each error is reached:
  // tests/machine/hypervisor/errors, tests/machine/resource-manager/errors_test.ts,
  // tests/machine/host/errnos_test.ts. Here: what they can name.
  const declared = [
    ...Object.values(HYPERCALL_ERRORS).map(({ section }) => section),
    ...[...RPC_MESSAGES.values()].map(({ section }) => `resource-manager ${section}`),
  ];
  for (const section of declared) assert.ok(isSection(section), section);
  const written: string[] = [];
  for (const folder of ["hypervisor", "resource-manager", "host"]) {
    for await (const text of sources(new URL(`../../../src/machine/${folder}/`, import.meta.url))) {
      // A section by its file, and where the Resource Manager alone is meant, without.
      for (const [, section] of text.matchAll(/"((?:hypervisor|resource-manager|vm-manager|geniezone) \d[^"]*)"/g)) written.push(section);
      if (folder !== "resource-manager") continue;
      for (const [, number] of text.matchAll(/section: "(\d[^"]*)"/g)) written.push(`resource-manager ${number}`);
    }
  }
  assert.ok(written.length > 40, `${written.length} found`);
  for (const section of written) assert.ok(isSection(section), section);
});

/** The text of each module in a folder. */
async function* sources(folder: URL): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) yield* sources(new URL(`${name}/`, folder));
    else if (name.endsWith(".ts")) yield await Deno.readTextFile(new URL(name, folder));
  }
}

Deno.test("W21: /state=blocked and --filter state=blocked give the same ids", async () => {
  const system = await demoSystem();
  runUntil(system, HALF_SECOND);
  // A parcel that pong still has mapped: its owner is refused.
  const [held] = rows(system, "mem.parcels").filter(({ vm }) => vm.includes("vm:pong"));
  const payload = encodeRequest(MEM_RECLAIM, { handle: Number(held.id.slice("parcel:".length)), flags: 0 });
  assert.equal(system.inspector.act({ kind: "rpc.send", id: MEM_RECLAIM.id, payload }), undefined);
  runUntil(system, HALF_SECOND + 1e7);
  // W37: the reason names who holds it.
  const [reason] = rows(system, "why", { filter: "err=MEM_INUSE" });
  assert.deepEqual([reason.object, (reason.values as { borrower: string }).borrower], [held.id, "vm:pong"]);
  assert.match(reason.way_out ?? "", /^vm:pong sends MEM_RELEASE, or its owner ends it/);
  const wanted = rows(system, "mem.parcels", { filter: "state=blocked" }).map(({ id }) => id);
  assert.deepEqual(wanted, [held.id]);
  const rig = new Rig(200, 60);
  rig.answer = (query) => system.inspector.answer(query);
  await rig.type("4");
  await rig.lines();
  await rig.press("tab", "tab");
  const parcels = (lines: string[]) => lines.flatMap((line) => line.match(/parcel:0x[0-9a-f]+/g) ?? []);
  assert.ok(new Set(parcels(await rig.lines())).size > 1, "there are others");
  await rig.type("/state=blocked\r");
  // Rows of the list alone: events beside it name parcels, too.
  const listed = (await rig.lines()).flatMap((line) => line.match(/parcel:0x[0-9a-f]+(?= +(?:share|lend))/g) ?? []);
  assert.deepEqual(listed, wanted);
});

Deno.test("W19, W61: what a screen lists is what the command lists that y c copies, at the same instant, with a filter and without", async () => {
  const system = await demoSystem();
  system.inspector.watch(["hvc", "virq", "sched"]);
  runUntil(system, HALF_SECOND);
  const tables: Record<string, TableName> = { "events": "events", "why --list": "why", ...TABLE_OF_COMMAND };
  const filters = {
    "9": "kind=hvc vm=ping",
    "2": "vm=ping",
    "3": "vm=pong",
    "5": "vm=ping",
    "6": "kind=msgqueue",
    "7": "about=ping",
    "0": "err=ARGUMENT_INVALID",
  };
  for (const [key, filter] of Object.entries(filters)) {
    for (const typed of [undefined, filter]) {
      const rig = new Rig(200, 400);
      rig.answer = (query) => system.inspector.answer(query);
      await rig.type(key);
      await rig.lines();
      if (typed !== undefined) await rig.type(`/\x15${typed}\r`);
      const lines = await rig.lines();
      await rig.type("yc");
      const [, command, said = ""] = /^el2 ([^-]*(?:--list)?) *(?:--filter '?([^']*)'?)?/.exec(rig.copied[0] ?? "") ?? [];
      const table = tables[command?.trim()];
      assert.ok(table, `${key}: ${rig.copied[0]}`);
      assert.equal(said, typed ?? said, rig.copied[0]);
      // A vCPU, an interrupt and a capability go without their kind, as the heading says it; an
      // event is shown by its time, VM, kind and text.
      const ids = key === "9"
        ? rows(system, "events", { filter: said }).map(eventWords)
        : rows(system, table, { filter: said }).map(({ id }) => id.replace(/^(?:vcpu|irq|cap):/, ""));
      // The list has the focus; below it, or to its right, are the details of one row.
      const begin = lines.findIndex((line) => line.startsWith("+= "));
      const end = lines.findIndex((line, index) => index > begin && line.startsWith("+"));
      assert.ok(begin > 0 && end > 0, lines.slice(0, 8).join("\n"));
      const row = key === "9"
        ? /^\|[ >][ !+*] +(\d+\.\d{6}) +(?:[A-Z] (\S+) +)?([a-z]+) +(\S+)/
        : /^\|[ >][ !+*] ?(?:[A-Z] )?((?:why|mq|db|rpc):\S+|[a-z]+\/\S+) /;
      const listed = lines.slice(begin + 1, end).flatMap((line) => row.exec(line)?.slice(1).join(" ") ?? []);
      // As many as there is room for, in the same order; events are followed, and end with the
      // newest.
      assert.deepEqual(listed, key === "9" ? ids.slice(-listed.length) : ids.slice(0, listed.length), `${key} ${rig.copied[0]}`);
      assert.ok(listed.length === ids.length || listed.length > 50, `${key}: ${listed.length} of ${ids.length}`);
      assert.ok(ids.length > 0 && (typed === undefined || ids.length < rows(system, table, {}).length || key === "0"));
    }
  }
});

/** Screen 9's text of an event at the start of its row. */
function eventWords({ end, vm, kind, text, fields }: RowOf<typeof TABLES.events>): string {
  // A switch has the VM that ran before.
  const [, before = ""] = /^vcpu:([^/]+)/.exec(String((fields as { from?: string }).from)) ?? [];
  return [(Number(end) / 1e9).toFixed(6), vm?.replace("vm:", "") ?? before, kind, text.split(" ")[0]].join(" ");
}

Deno.test("W21: a filter gives the rows that it says, in any table with that field", async () => {
  const system = await demoSystem();
  runUntil(system, HALF_SECOND);
  const all = rows(system, "vcpu.ls");
  assert.deepEqual(rows(system, "vcpu.ls", { filter: "vm=ping" }), all.filter(({ vm }) => vm === "vm:ping"));
  assert.deepEqual(rows(system, "vcpu.ls", { filter: "state!=wfi" }), all.filter(({ state }) => state !== "wfi"));
});

Deno.test("a query that names nothing says what there is", async () => {
  const system = await demoSystem();
  runUntil(system, HALF_SECOND);
  const error = (query: Query) => system.inspector.answer(query).error ?? "";
  assert.match(error({ table: "vcpu.regs", args: { vcpu: "rt/0" } }), /no vcpu:rt\/0; there are .*vcpu:hello\/0/);
  assert.match(error({ table: "mem.owner", args: { at: "0x80" } }), /use pa:0x/);
  assert.match(error({ table: "mem.read", args: { at: "pa:0x9000000" } }), /pa:0x9000000 is not RAM/);
  assert.match(error({ table: "vcpu.ls", args: { filter: "stat=on" } }), /no field "stat"/);
});

Deno.test("a row of memory across the end of a page has the bytes that its VM has there, and is refused if there are none", async () => {
  const system = await demoSystem();
  runUntil(system, HALF_SECOND);
  const space = [...system.hypervisor.addressSpaces.values()].find(({ vmid }) => system.hypervisor.names.vm(vmid) === "ping")!;
  const [first, second] = [0x8030_1000, 0x8030_0000].map((ipa) => space.stage2.lookup(ipa)!);
  space.stage2.map(0x9000_0000, first.pa, 0x1000, first.flags);
  space.stage2.map(0x9000_1000, second.pa, 0x1000, second.flags);
  const write = (at: string, text: string) =>
    assert.equal(system.inspector.act({ kind: "mem.write", at, bytes: new TextEncoder().encode(text) }), undefined);
  write("ipa:ping/0x80301ff8", "12345678");
  write("ipa:ping/0x80300000", "abcdefgh");
  write("ipa:ping/0x80302000", "........");
  const read = (at: string, size: number) => rows(system, "mem.read", { at, size }).map(({ id, ascii }) => [id, ascii]);
  assert.deepEqual(read("ipa:ping/0x90000ff8", 16), [["ipa:ping/0x90000ff8", "12345678abcdefgh"]]);
  assert.throws(() => read("ipa:ping/0x90001ff8", 16), /ipa:ping\/0x90002000 is not mapped in stage 2/);
});

Deno.test("messages in a queue of the Resource Manager are decoded, over several packets too; what is none says why", async () => {
  const system = await demoSystem();
  runUntil(system, HALF_SECOND);
  const queueOf = (filter: string) => {
    const [{ id }] = rows(system, "queue.ls", { filter });
    const queue = [...system.hypervisor.objects].find((one): one is Msgqueue => one.type === "msgqueue" && `mq:${one.serial}` === id);
    assert.ok(queue, id);
    return { id, queue };
  };
  const said = (filter: string, packets: readonly Uint8Array[]) => {
    const { id, queue } = queueOf(filter);
    assert.equal(queue.count, 0);
    for (const packet of packets) queue.append(packet, false);
    return rows(system, "queue.ring", { queue: id }).map(({ rpc, fields }) => [rpc, fields]);
  };
  const reclaim = { type: PacketType.Request, sequence: 0x1f, id: MEM_RECLAIM.id };
  const sgl = Array.from({ length: 20 }, (_, index) => ({ address: BigInt(index) * 0x1000n, size: 0x1000n }));
  const append = encodeRequest(MEM_APPEND, { handle: 2, flags: 1, sgl });
  assert.deepEqual(
    said("from=vm:host to=vm:rm", [
      ...encodePackets({ ...reclaim, payload: encodeRequest(MEM_RECLAIM, { handle: 0x12, flags: 0 }) }),
      ...encodePackets({ type: PacketType.Request, sequence: 0x20, id: MEM_APPEND.id, payload: append }),
      ...encodePackets({ ...reclaim, payload: new Uint8Array(3) }),
      Uint8Array.of(0x33, 0, 0, 0, 0, 0, 0, 0),
      encodePackets({ type: PacketType.Request, sequence: 0x21, id: MEM_APPEND.id, payload: append })[1],
    ]),
    [
      ["request MEM_RECLAIM 0x1f", { handle: 0x12, flags: 0 }],
      ["request MEM_APPEND 0x20 of 2 packets, more packets follow", {}],
      ["continuation MEM_APPEND 0x20 of 2 packets", {
        handle: 2,
        flags: 1,
        sgl: sgl.map(({ address }) => ({ address: `0x${address.toString(16)}`, size: "0x1000" })),
      }],
      ["request MEM_RECLAIM 0x1f: the payload of 3 bytes is too short", {}],
      ["not an RM RPC packet: version byte 0x33 is not 0x21", {}],
      ["continuation MEM_APPEND 0x21 of 2 packets: a continuation, but no message has begun", {}],
    ],
  );
  const reply = { type: PacketType.Reply, sequence: 0x1f, id: MEM_RECLAIM.id };
  assert.deepEqual(
    said("from=vm:rm to=vm:host", [
      ...encodePackets({ ...reclaim, ...reply, payload: encodeError(RmError.MEM_INUSE) }),
      ...encodePackets({ ...reclaim, ...reply, payload: encodeReply(MEM_RECLAIM) }),
    ]),
    [["reply MEM_RECLAIM 0x1f 0x0b MEM_INUSE", {}], ["reply MEM_RECLAIM 0x1f ok", {}]],
  );
  assert.deepEqual(said("from=vm:ping to=vm:pong", [Uint8Array.of(0x21, 1, 0, 0, 0, 0, 0, 0)]), [[null, {}]], "of other VMs: bytes");
});

Deno.test("W84: events that were lost count", async () => {
  const system = await demoSystem();
  runUntil(system, 1e7);
  for (let i = 0; i < 30_000; i++) system.hypervisor.trace.event("log", "filler", {});
  const answer = system.inspector.answer({ table: "events", args: { limit: 5 } });
  assert.equal(answer.rows.length, 5);
  assert.ok(answer.dropped >= 10_000);
});

Deno.test("W37: a parcel whose reclaim was refused names the VM that holds it, and comes first", async () => {
  const system = await demoSystem();
  runUntil(system, HALF_SECOND);
  const parcels = rows(system, "mem.parcels");
  const [held] = parcels.filter(({ vm }) => vm.includes("vm:pong"));
  const port = system.hypervisor.trace.port(() => "rm/0");
  const handle = Number(held.id.slice("parcel:".length));
  port.end(port.begin("rpc", "MEM_RECLAIM", { from: 3, handle }), { code: RmError.MEM_INUSE, name: "MEM_INUSE", refused: true });
  const [first] = rows(system, "mem.parcels");
  assert.deepEqual([first.id, first.state, first.held_by], [held.id, "blocked", ["vm:pong"]]);
  assert.ok(first.borrowers.some((borrower) => /^vm:pong .*mapped$/.test(borrower)), first.borrowers.join());
  const runs = rows(system, "mem.map");
  const [blocked, ...more] = runs.filter(({ state }) => state === "blocked");
  assert.deepEqual([blocked.parcel, blocked.owner_vm, more], [held.id, "vm:host", []]);
  const whose = (state: string) => new Set(runs.filter((run) => run.state === state).map(({ owner_vm }) => owner_vm));
  assert.deepEqual(whose("free"), new Set([null]));
  assert.deepEqual(whose("hypervisor"), new Set([null]));
  assert.ok(whose("private").has("vm:ping"));
});

Deno.test("W44: a refused request shows code, name, and what a driver makes of it", async () => {
  const system = await demoSystem();
  runUntil(system, HALF_SECOND);
  const port = system.hypervisor.trace.port(() => "rm/0");
  port.end(port.begin("rpc", "MEM_RECLAIM", { from: 3, handle: 0 }), { code: RmError.MEM_INUSE, name: "MEM_INUSE", refused: true });
  const [row] = rows(system, "rpc.ls", { filter: "refused=yes" });
  assert.deepEqual([row.res, row.errno, row.refused], ["0x0b MEM_INUSE", "EINVAL", true]);
  assert.match(row.why ?? "", /^why:/);
});

Deno.test("a reason about a VM or an interrupt that the Resource Manager knows by number has the id that all screens have", async () => {
  const system = await demoSystem();
  runUntil(system, HALF_SECOND);
  const port = system.hypervisor.trace.port(() => "rm/0");
  const objects = ["vm:0x80", "irq:0x28", "parcel:0x1"].map((object) => {
    const operation = port.begin("rpc", "VM_START", { from: 3 });
    port.refuse({ section: "resource-manager 3.7", rule: "some rule", object, values: {} });
    port.end(operation, { code: RmError.DENIED, name: "DENIED", refused: true });
    return rows(system, "why", { limit: 1 })[0].object;
  });
  assert.deepEqual(objects, ["vm:hello", "irq:host/40", "parcel:0x1"]);
});

/** The system of a configuration with other VMs than it says. */
function systemOf(run: RunConfiguration, host: NativeHostPlan): GuestSystem {
  return assemble({ ...run, turbo: true, what: { kind: "run", host } }) as GuestSystem;
}

Deno.test("W49: the timeline of a VM ends at the step that failed", async () => {
  const planned = await planDemo();
  assert.ok(planned.ok);
  const host = nativeHostOf(planned.run);
  // Memory that is not a multiple of RM's granule: the configuration would refuse it, another VMM
  // may not.
  const broken = { ...host, vms: host.vms.map((vm) => vm.name === "hello" ? { ...vm, vcpus: 9 } : vm) };
  const system = systemOf(planned.run, broken);
  runUntil(system, HALF_SECOND);
  const steps = rows(system, "rpc.ls", { filter: "about=vm-0x80 | about=hello" });
  const refused = steps.findIndex((step) => step.refused);
  assert.ok(refused > 0, steps.map(({ msg, res }) => `${msg} ${res}`).join());
  assert.equal(steps[refused].msg, "VM_INIT");
  // The following steps reclaim memory, and make nothing.
  const after = steps.slice(refused + 1).map(({ msg }) => msg);
  assert.deepEqual(after.filter((msg) => !["VM_STATUS", "VM_DEALLOCATE", "MEM_RECLAIM", "MEM_RELEASED", "VM_RESET"].includes(msg)), []);
  const timeline = rows(system, "rpc.ls", VM_TIMELINE.ask?.({ vm: "vm:hello", filter: undefined, limit: undefined })?.args).map(({ id }) =>
    id
  );
  assert.ok(timeline.includes(steps[refused].id), "vm timeline has the step that failed");
});

Deno.test("the timeline of a VM says which states it was in", async () => {
  const system = await demoSystem();
  runUntil(system, HALF_SECOND);
  const told = rows(system, "rpc.ls", VM_TIMELINE.ask?.({ vm: "ping", filter: undefined, limit: undefined })?.args).filter(({ msg }) =>
    msg === "VM_STATUS"
  ).map(({ res }) => res);
  assert.deepEqual(told, ["init", "ready", "running"]);
});

Deno.test("W70: the demo's VMs exchange messages", async () => {
  const system = await demoSystem();
  system.inspector.watch(["hvc"]);
  runUntil(system, HALF_SECOND);
  const sent = rows(system, "events", { filter: "name=msgqueue_send vm=ping res=OK" });
  const received = rows(system, "events", { filter: "name=msgqueue_receive vm=pong res=OK" });
  assert.ok(sent.length > 0 && received.length >= sent.length);
});

Deno.test("W50: mem check finds nothing on the demo, and a page that is mapped where nobody has recorded it", async () => {
  const system = await demoSystem();
  runUntil(system, HALF_SECOND);
  assert.deepEqual(rows(system, "mem.check"), []);
  const spaceOf = (name: string) =>
    [...system.hypervisor.addressSpaces.values()].find(({ vmid }) => system.hypervisor.names.vm(vmid) === name)!;
  const stolen = spaceOf("pong").stage2.lookup(0x8000_0000)!;
  spaceOf("ping").stage2.map(0x9000_0000, stolen.pa, 0x1000, stolen.flags);
  assert.match(rows(system, "mem.check")[0].rule, /breaks the invariant/);
  assert.equal(MEM_CHECK.printed?.({ filter: undefined, limit: undefined }).fails, "rows", "the command ends with 1 then");
});

Deno.test("W31: a refused START yields one why with ioctl, RPC, rule, values and way out", async () => {
  const planned = await planText(
    `el2 = 1\n[host]\ndevice = "v17"\n[vm.a]\nimage = "hello.bin"\nmemory = "4MiB"\n`,
    undefined,
    "assets/guests",
  );
  assert.ok(planned.ok);
  const host = nativeHostOf(planned.run);
  // A priority above the owner's: the configuration would refuse that, a VMM of one's own may not.
  const broken = { ...host, vms: host.vms.map((vm) => ({ ...vm, schedule: OWN_ABOVE_OWNER })) };
  const system = systemOf(planned.run, broken);
  runUntil(system, HALF_SECOND);
  const starts = rows(system, "why", { filter: "call~VM_START" });
  assert.equal(starts.length, 1, JSON.stringify(rows(system, "why").map(({ call, err }) => `${call} ${err}`)));
  const [reason] = starts;
  const chain = reason.chain as unknown as { kind: string; name: string; result: { name: string } }[];
  assert.deepEqual(chain.slice(0, 2).map(({ kind }) => kind), ["ioctl", "rpc"]);
  assert.match(reason.err, /^E[A-Z]+$/);
  assert.equal(reason.section, "resource-manager 6.4");
  assert.notDeepEqual(reason.values, {});
  assert.ok(reason.way_out, JSON.stringify(reason));
  // W34: no hypercall was made, and that is said; where one was, it is in the chain.
  assert.match(await whyScreen(system, "call~VM_START"), /` {2}\. no hypercall: refused before one was made/);
  const other = await demoSystem(undefined, ["hvc name=addrspace_map vm=rm nth=19 -> BUSY"]);
  runUntil(other, HALF_SECOND);
  const shown = await whyScreen(other, "call~VM_START");
  assert.match(shown, /` {2}o hvc addrspace_map addrspace=/);
  assert.doesNotMatch(shown, /no hypercall/);
});

/** Screen 0 of a system, with a filter. */
async function whyScreen(system: GuestSystem, filter: string): Promise<string> {
  const rig = new Rig(160, 48);
  rig.answer = (query) => system.inspector.answer(query);
  await rig.type("0");
  await rig.lines();
  await rig.type(`/${filter}\r`);
  return await rig.text();
}

/** The only vCPU of a VM of the demo. */
function vcpuOf(system: GuestSystem, vm: string): Vcpu {
  for (const object of system.hypervisor.objects) {
    if (object.type === "thread" && system.hypervisor.names.vcpu(object as Vcpu) === `${vm}/0`) return object as Vcpu;
  }
  throw new Error(`no vCPU of ${vm}`);
}

Deno.test("W41: an interrupt has its source and rate, and no rate is a defect", async () => {
  const system = await demoSystem();
  runUntil(system, HALF_SECOND);
  const { gic } = vcpuOf(system, "hello");
  const sgi = 5;
  gic.gic.update(gic, sgi, Irq.Group1 | Irq.Enabled, 0);
  const flagged = () => rows(system, "irq.ls", { filter: "id=irq:hello/5" })[0];
  /** The guest sends itself this many interrupts within half a second, and takes each. */
  const burst = (count: number) => {
    for (let i = 0; i < count; i++) {
      gic.gic.setPending(gic, sgi);
      gic.gic.activate(gic, sgi);
      gic.gic.deactivate(gic, sgi);
    }
    runUntil(system, system.machine.time + HALF_SECOND);
  };
  assert.deepEqual([flagged().rate, flagged().finding], [0, null]);
  burst(4000);
  assert.deepEqual([Math.round(flagged().rate / 100), flagged().finding], [80, null]);
  burst(24_000);
  const row = flagged();
  assert.deepEqual([row.source, row.vcpu, Math.round(row.rate / 100), row.finding], ["ICC_SGI1R", "vcpu:hello/0", 480, null]);
  assert.equal(rows(system, "irq.ls")[0].id, row.id, "the busiest comes first");
});

Deno.test("W42: an interrupt that cannot fire says which mask, route or trigger", async () => {
  const system = await demoSystem();
  runUntil(system, HALF_SECOND);
  const cpu = vcpuOf(system, "hello").gic, { gic } = cpu;
  const spi = 300, bound = 301;
  const finding = (intid = spi) => rows(system, "irq.ls", { filter: `id=irq:hello/${intid}` })[0]?.finding;
  assert.equal(finding(), undefined, "nothing is to be said of it");
  gic.update(cpu, spi, Irq.Group1 | Irq.Edge, 0);
  gic.setPriority(cpu, spi, 0x80);
  gic.setPending(cpu, spi);
  assert.equal(finding(), "cannot fire: disabled (ISENABLER9 bit 12)");
  gic.update(cpu, spi, Irq.Enabled, 0);
  const pmr = BigInt(cpu.readRegister(Icc.PMR)!);
  cpu.writeRegister(Icc.PMR, 0x80n);
  assert.equal(finding(), "cannot fire: priority 0x80 is masked by PMR 0x80");
  cpu.writeRegister(Icc.PMR, pmr);
  assert.equal(finding(), null, "it fires");
  gic.setRoute(spi, gic.affinityOf(7));
  assert.equal(finding(), "cannot fire: IROUTER names no vCPU");
  gic.setRoute(spi, gic.affinityOf(0));
  const { groups } = gic;
  gic.groups = 0;
  assert.equal(finding(), "cannot fire: group 1 is disabled in GICD_CTLR");
  gic.groups = groups;
  gic.clearPending(cpu, spi);
  assert.equal(finding(), "nothing raises it: no source is bound");
  // A source that gives edges, at an interrupt that wants a level.
  const source = new VirqSource(vcpuOf(system, "hello"), "halted", () => false, true);
  gic.bank(cpu, bound).sources.set(bound, source);
  gic.update(cpu, bound, Irq.Group1 | Irq.Enabled, Irq.Edge);
  assert.equal(finding(bound), "cannot fire: level-triggered, but its source sends edges");
  gic.update(cpu, bound, Irq.Edge, 0);
  assert.equal(finding(bound), null);
});

Deno.test("W35: an errno that several codes of the Resource Manager become says how many, by the driver", async () => {
  const refused = async (device: string, answer: string, more = "") => {
    const system = await demoSystem(`el2 = 1\n[host]\ndevice = "${device}"\n[vm.a]\nimage = "hello.bin"\nmemory = "4MiB"\n${more}`);
    assert.equal(system.inspector.act({ kind: "inject.add", rule: `rpc msg=VM_START nth=1 -> ${answer}` }), undefined);
    runUntil(system, HALF_SECOND);
    const [{ err, shared_errno }] = rows(system, "why").filter(({ chain }) =>
      (chain as { name: string }[]).some(({ name }) => name === "VM_START")
    );
    const [{ errno }] = rows(system, "rpc.ls", { filter: "msg=VM_START refused=yes" });
    assert.equal(errno, err, "the list of requests has what this driver makes of it");
    return { err, shared_errno };
  };
  // Codes 4 to 0x11 but BUSY.
  assert.deepEqual(await refused("v17", "MEM_INUSE"), { err: "EINVAL", shared_errno: 13 });
  assert.deepEqual(await refused("v17", "BUSY"), { err: "EBUSY", shared_errno: null });
  // The first generation makes one of all.
  assert.deepEqual(await refused("v6", "BUSY", 'schedule = "own"\naffinity = "static"\ndevices = []\n'), {
    err: "EINVAL",
    shared_errno: Object.keys(RmError).length - 1,
  });
});

Deno.test("states of VMs are events that name the VM", async () => {
  const system = await demoSystem();
  runUntil(system, HALF_SECOND);
  const [running] = rows(system, "events", { filter: "kind=state name=running vm=pong" });
  assert.equal(running.text, "running vm:pong");
});

Deno.test("the stack of a guest's vCPU begins where it is and ends with a reason", async () => {
  const system = await demoSystem();
  runUntil(system, HALF_SECOND);
  const [vcpu] = rows(system, "vcpu.ls", { filter: "id=ping/0" });
  const frames = rows(system, "vcpu.stack", { vcpu: "ping/0" });
  assert.equal(frames[0].pc, vcpu.pc);
  assert.ok(frames.length > 1);
  assert.ok(frames.at(-1)!.note, JSON.stringify(frames));
  assert.deepEqual(rows(system, "vcpu.stack", { vcpu: "rm/0" }), []);
});

Deno.test("a call of a guest that is refused says at which instruction, by name where that is known", () => {
  // A queue of which the guest has no capability: capability 0x77 in X0.
  const send = (0xd4000002 | (HVC_BASE + HYPERCALLS.msgqueue_send.number) << 5) >>> 0;
  const system = machineWith([0xd2800ee0, send, A64.wfi, A64.branch(-1)], 1, false) as GuestSystem;
  system.symbols.give("host", writeElfSymbols([{ name: "talk", type: "T", address: BigInt(CODE) }]), "test");
  runUntil(system, 50e6);
  const [reason] = rows(system, "why");
  assert.deepEqual([reason.asked_by, reason.call, reason.pc], [
    "vcpu:host/0",
    "msgqueue_send",
    `0x${(CODE + 4).toString(16).padStart(16, "0")}`,
  ]);
  assert.equal(reason.symbol, "talk+0x4");
  assert.match(reasonLines(reason)[0].text, /asked by vcpu:host\/0 at 0x0000000040200044 talk\+0x4$/);
});

Deno.test("what nobody recorded of who ran is not told as who ran last", async () => {
  const system = await demoSystem();
  system.inspector.watch(["sched"]);
  runUntil(system, 20e6);
  system.inspector.watch([]);
  runUntil(system, HALF_SECOND);
  system.inspector.watch(["sched"]);
  runUntil(system, HALF_SECOND + 20e6);
  const slices = rows(system, "sched.ls");
  const unseen = slices.filter(({ seen }) => !seen);
  assert.deepEqual(unseen.map(({ pcpu, vcpu }) => [pcpu, vcpu]), [[0, null], [1, null]], "each physical CPU, once");
  for (const { t } of unseen) assert.equal(Number(t), 20e6);
  assert.equal(new Set(slices.map(({ id }) => id)).size, slices.length);
});

Deno.test("who ran when: each slice of a CPU begins behind the one before; a VMM's RUN is none", async () => {
  const system = await demoSystem();
  system.inspector.watch(["sched"]);
  runUntil(system, HALF_SECOND);
  assert.ok(rows(system, "events", { filter: "kind=sched name~RUN" }).length > 10, "there are RUNs");
  const slices = rows(system, "sched.ls", { limit: 100_000 });
  const last = new Map<unknown, number>();
  let idle = 0;
  for (const { pcpu, vcpu, t, reason } of slices) {
    assert.ok(Number(t) >= (last.get(pcpu) ?? 0), `${reason} at ${t}`);
    last.set(pcpu, Number(t));
    if (vcpu === null) idle++;
  }
  assert.deepEqual([last.size, idle > 2], [2, true]);
});

Deno.test("a reason tells whether who asked first was refused, or only a step on the way", async () => {
  const system = await demoSystem(undefined, ["rpc msg=MEM_LEND nth=2 -> NOMEM"]);
  runUntil(system, HALF_SECOND);
  const of = (filter: string) => rows(system, "why", { filter }).map(({ call, err }) => `${call} ${err}`);
  assert.deepEqual(of("failed=yes vm=host"), ["GH_VM_START ENOMEM"]);
  assert.deepEqual(new Set(of("failed=no")), new Set(["prng_get_entropy BUSY", "vic_configure ARGUMENT_INVALID"]));
  const [start] = rows(system, "why", { filter: '"vm:ping"' });
  assert.deepEqual([start?.call, start?.object], ["GH_VM_START", "vm:ping"], "w on the VM finds why it could not be started");
  const ping = rows(system, "vm.ls").find(({ id }) => id === "vm:ping");
  assert.deepEqual([ping?.state, ping?.vcpus], ["failed", 0], "a VM that could not be started keeps its row");
  const sampled = () => system.samples.sample(0).filter(({ name }) => name === "ping").map(({ state, vcpus }) => [state, vcpus.length]);
  assert.deepEqual(sampled(), [["FAILED", 0]], "on the screens too");
  assert.equal(system.inspector.act({ kind: "vm.start", vm: "ping" }), undefined);
  runUntil(system, 2 * HALF_SECOND);
  assert.deepEqual(sampled(), [["RUNNING", 1]], "and it is one VM when it is started again");
  assert.deepEqual(rows(system, "vm.ls").filter(({ id }) => id === "vm:ping").map(({ state }) => state), ["running"]);
});

Deno.test("a reason is listed under the refused operation, not under the operations around it", async () => {
  const system = await demoSystem();
  runUntil(system, HALF_SECOND);
  const reasons = rows(system, "why");
  assert.ok(reasons.length > 0);
  for (const { err } of reasons) assert.notEqual(err, "OK");
});
