import assert from "node:assert/strict";
import fc from "fast-check";
import { A64, SYSTEM_OFF } from "../../app/cli/program.ts";
import type { WasmCore } from "../../../src/cpu/core/core.ts";
import { Stage2Flags } from "../../../src/cpu/core/interface.ts";
import { encodePacket, toHex } from "../../../src/session/debug/packets.ts";
import type { GuestSystem } from "../../../src/session/assembly/system/guest-system.ts";
import { assemble } from "../../../src/session/assembly/assemble.ts";
import { oneVm } from "../../../src/model/queries/debugged-vms.ts";
import { el2Plan, withEl2Program } from "../../support/el2-program.ts";
import { CODE, DebuggedVm, ENTRY, machineWith } from "./debugged-vm.ts";

const PC = 32, CPSR = 33;
const ACK = "+".charCodeAt(0), NAK = "-".charCodeAt(0);
/** Counts X0 up for ever. */
const COUNT = [0x91000400, A64.branch(-1)];
const off = [...A64.loadW0(SYSTEM_OFF), A64.hvc];
const hex = (value: number | bigint) => value.toString(16);
/** A register's value in a packet. */
const digits = (value: bigint, bytes = 8) => toHex(Array.from({ length: bytes }, (_, index) => Number(value >> BigInt(8 * index) & 0xffn)));

Deno.test("the VM is before its first instruction, and a step executes one", async () => {
  const vm = new DebuggedVm(COUNT);
  assert.equal(await vm.ask("?"), "T05thread:1;");
  assert.equal(await vm.register(PC), BigInt(ENTRY));
  assert.equal(await vm.ask("vCont;s:1"), "T05thread:1;");
  assert.equal(await vm.register(PC), BigInt(CODE));
  assert.equal(await vm.ask("s"), "T05thread:1;");
  assert.equal(await vm.register(PC), BigInt(CODE + 4));
});

Deno.test("a breakpoint stops where it is, is named if gdb knows the name, and is gone when it is removed", async () => {
  const vm = new DebuggedVm(COUNT);
  await vm.ask("qSupported:swbreak+;hwbreak+");
  const x0 = await vm.register(0);
  assert.equal(await vm.ask(`Z0,${hex(CODE + 4)},4`), "OK");
  assert.equal(await vm.ask("vCont;c"), "T05thread:1;swbreak:;");
  assert.equal(await vm.register(PC), BigInt(CODE + 4));
  assert.equal(await vm.register(0), x0 + 1n);
  // As gdb continues from a breakpoint.
  assert.equal(await vm.ask(`z0,${hex(CODE + 4)},4`, "vCont;s:1"), "T05thread:1;");
  assert.equal(await vm.ask(`Z1,${hex(CODE + 4)},4`, "c"), "T05thread:1;hwbreak:;");
  assert.equal(await vm.register(0), x0 + 2n);
  assert.equal(await vm.ask(`z1,${hex(CODE + 4)},4`, "c"), undefined, "it runs on");
});

Deno.test("a question that gdb repeats because the answer was late is answered once; asked again later, again", async () => {
  const vm = new DebuggedVm(COUNT), answers: string[] = [];
  const packet = encodePacket("qAttached"), late = Uint8Array.of(...packet, ...packet, ...packet);
  const before = vm.sent;
  await vm.raw(late);
  assert.equal(vm.sent - before, 2, "an acknowledgment and an answer");
  await vm.raw(Uint8Array.of(ACK, ...packet));
  assert.equal(vm.sent - before, 4);
  await vm.ask("QStartNoAckMode");
  for (let time = 0; time < 2; time++) answers.push(await vm.ask("s") ?? "");
  assert.deepEqual(answers, ["T05thread:1;", "T05thread:1;"]);
});

Deno.test("a gdb that has waited for an answer for long, and complains, gets it once", async () => {
  const vm = new DebuggedVm(COUNT);
  await vm.ask("QStartNoAckMode");
  const before = vm.sent;
  // Its complaint (remotetimeout) is read after the answer that was late.
  await vm.raw(Uint8Array.of(...encodePacket("qAttached"), NAK));
  assert.equal(vm.sent - before, 1);
});

Deno.test("a condition of gdb's is evaluated where the breakpoint is; a damaged one stops, and another replaces it", async () => {
  const vm = new DebuggedVm(COUNT), at = `Z0,${hex(CODE + 4)},4`;
  assert.match(await vm.ask("qSupported:swbreak+") ?? "", /;ConditionalBreakpoints\+;/);
  const x0 = await vm.register(0);
  // $x0 == X, and $x0 == Y
  const equals = (value: bigint) => `;Xe,26000025${value.toString(16).padStart(16, "0")}1327`;
  assert.equal(await vm.ask(`${at}${equals(x0 + 500n)}${equals(x0 + 300n)}`, "c"), "T05thread:1;swbreak:;");
  assert.equal(await vm.register(0), x0 + 300n);
  assert.equal(await vm.register(PC), BigInt(CODE + 4));
  assert.equal(
    await vm.ask(`z0,${hex(CODE + 4)},4`, "vCont;s:1", `${at}${equals(x0 + 300n)}${equals(x0 + 500n)}`, "c"),
    "T05thread:1;swbreak:;",
  );
  assert.equal(await vm.register(0), x0 + 500n);
  // A step in a range passes the place as well.
  assert.equal(
    await vm.ask(`z0,${hex(CODE + 4)},4`, `${at}${equals(x0 + 700n)}`, `vCont;r${hex(CODE)},${hex(CODE + 8)}:1`),
    "T05thread:1;swbreak:;",
  );
  assert.equal(await vm.register(0), x0 + 700n);
  assert.equal(await vm.ask(`z0,${hex(CODE + 4)},4`, `${at};X2,2227`, "c"), "T05thread:1;swbreak:;", "a constant without its byte");
  assert.equal(await vm.register(0), x0 + 700n);
  for (const wrong of [";X3,2227", ";X1,2", ";Y1,27", ";X1", ";X,27"]) assert.equal(await vm.ask(`${at}${wrong}`), "E16", wrong);
});

Deno.test("gdb's own file follows a kernel that has moved; QEMU's packets choose the VM's physical addresses", async () => {
  const vm = new DebuggedVm(STORE);
  assert.equal(await vm.ask("qOffsets"), "");
  assert.equal(await vm.ask("qqemu.Supported"), "PhyMemMode");
  vm.movedTo = 0xffff_8123_4501_0000n;
  assert.equal(await vm.ask("qOffsets"), "TextSeg=ffff812345010000");
  assert.equal(await vm.ask("qqemu.PhyMemMode"), "0");
  assert.equal(await vm.ask("Qqemu.PhyMemMode:1", "qqemu.PhyMemMode"), "1");
  assert.match(await monitor(vm, "space"), /intermediate physical addresses/);
  assert.match(
    await monitor(vm, "space va"),
    /virtual addresses .*\ngdb may show code that it has read before: maintenance flush dcache\n/,
  );
  assert.equal(await vm.ask("qqemu.PhyMemMode"), "0");
  assert.equal(await vm.ask("Qqemu.PhyMemMode:2"), "E16");
});

/** The answer to `monitor`, as text. */
async function monitor(vm: DebuggedVm, command: string): Promise<string> {
  return new TextDecoder().decode(Uint8Array.fromHex(await vm.ask(`qRcmd,${toHex(new TextEncoder().encode(command))}`) ?? ""));
}

/** Counts in memory at X1. */
const STORE = [A64.loadX1High(0x4030), 0x91000400, 0xf9000020, 0xf9400022, A64.branch(-3)];

Deno.test("watchpoints stop before the access, and say which bytes", async () => {
  const vm = new DebuggedVm(STORE);
  const place = 0x4030_0000;
  assert.equal(await vm.ask(`Z2,${hex(place)},8`, "c"), `T05thread:1;watch:${hex(place)};`);
  assert.equal(await vm.register(PC), BigInt(CODE + 8));
  assert.equal(await vm.ask(`m${hex(place)},8`), digits(0n), "not stored yet");
  // As gdb continues: without the watchpoint over the instruction, then it looks for the change.
  assert.equal(await vm.ask(`z2,${hex(place)},8`, "vCont;s:1"), "T05thread:1;");
  assert.notEqual(await vm.ask(`m${hex(place)},8`), digits(0n));
  assert.equal(await vm.ask(`Z3,${hex(place + 4)},4`, "c"), `T05thread:1;rwatch:${hex(place + 4)};`);
  assert.equal(await vm.register(PC), BigInt(CODE + 12));
  assert.equal(await vm.ask(`z3,${hex(place + 4)},4`, `Z4,${hex(place)},8`, "s"), "T05thread:1;");
  assert.equal(await vm.ask("c"), `T05thread:1;awatch:${hex(place)};`);
  assert.equal(await vm.ask(`z4,${hex(place)},8`, "c"), undefined, "it runs on");
  assert.equal(await vm.ask(`Z2,${hex(place)},0`), "E16", "the VM runs, and no byte is nothing to watch");
});

Deno.test("breakpoints and watchpoints follow the VM to the tables of stage 2 that it has after a reset", async () => {
  const vm = new DebuggedVm(STORE), place = 0x4030_0000;
  const { core } = vm.system as GuestSystem, [vcpu] = vm.system.debugger.control!.vcpus();
  await vm.ask(`Z0,${hex(CODE + 16)},4`, `Z2,${hex(place)},8`);
  assert.equal(await vm.ask("c"), `T05thread:1;watch:${hex(place)};`);
  assert.equal(await vm.ask("s", "c"), "T05thread:1;");
  assert.equal(await vm.register(PC), BigInt(CODE + 16));
  // As the Resource Manager resets a VM: the same addresses by other tables.
  const tables = (core as WasmCore).stage2Pool.create()!;
  tables.map(0x4000_0000, 0x4000_0000, 0x400_0000, Stage2Flags.Read | Stage2Flags.Write | Stage2Flags.ExecuteEl1);
  const before = vcpu.registers.stage2;
  vcpu.registers.stage2 = tables.id;
  assert.equal(await vm.ask("s", "c"), `T05thread:1;watch:${hex(place)};`);
  assert.equal(await vm.ask("s", "c"), "T05thread:1;");
  assert.equal(await vm.register(PC), BigInt(CODE + 16));
  // Nothing is left at its old place.
  vcpu.registers.stage2 = before;
  assert.equal(await vm.ask("D"), "OK");
  vm.system.machine.run(vm.system.machine.time + 1_000_000);
  assert.equal(vm.system.debugger.control!.takeStop(), undefined);
});

Deno.test("a step in a range ends where PC leaves it, or at what stops in it, but not where it begins", async () => {
  const vm = new DebuggedVm(STORE);
  assert.equal(await vm.ask(`vCont;r${hex(ENTRY)},${hex(CODE + 8)}:1;c`), "T05thread:1;");
  assert.equal(await vm.register(PC), BigInt(CODE + 8));
  // The whole loop: it goes round until something stops it.
  const loop = `vCont;r${hex(CODE + 4)},${hex(CODE + 20)}:1;c`;
  assert.equal(await vm.ask(`Z0,${hex(CODE + 16)},4`, loop), "T05thread:1;");
  assert.equal(await vm.register(PC), BigInt(CODE + 16));
  assert.equal(await vm.ask(loop), "T05thread:1;");
  assert.equal(await vm.register(PC), BigInt(CODE + 16), "once round");
  assert.equal(await vm.ask(`z0,${hex(CODE + 16)},4`, "Z2,40300000,8", loop), "T05thread:1;watch:40300000;");
  assert.equal(await vm.register(PC), BigInt(CODE + 8));
});

Deno.test("memory is as the guest sees it: breakpoints do not show, and what is written is executed", async () => {
  const vm = new DebuggedVm(COUNT);
  await vm.ask(`Z0,${hex(CODE)},4`, "c");
  assert.equal(await vm.ask(`m${hex(CODE)},4`), "00040091");
  assert.equal(await vm.ask(`M${hex(CODE)},4:000c0091`), "OK"); // add x0, x0, #3
  const x0 = await vm.register(0);
  await vm.ask("vCont;s:1");
  assert.equal(await vm.register(0), x0 + 3n);
  assert.equal(await vm.ask(`X${hex(ENTRY + 0x1000)},3:ab\x00`), "OK");
  assert.equal(await vm.ask(`m${hex(ENTRY + 0xffe)},6`), "000061620000");
  assert.equal(await vm.ask("m9000000,4"), "E0e", "a device is not memory that can be read");
  assert.equal(await vm.ask("Mffffffffffffffff,2:0000"), "E0e");
});

Deno.test("registers can be read and written, one by one and all together; PSTATE only to what a guest can have", async () => {
  const vm = new DebuggedVm(COUNT);
  assert.equal(await vm.ask(`P5=${digits(0x1234_5678_9abc_def0n)}`), "OK");
  assert.equal(await vm.register(5), 0x1234_5678_9abc_def0n);
  const all = await vm.ask("g") ?? "";
  assert.equal(all.length, 2 * (33 * 8 + 4 + 32 * 16 + 8));
  assert.equal(all.slice(5 * 16, 6 * 16), digits(0x1234_5678_9abc_def0n));
  assert.equal(await vm.ask(`G${digits(7n)}${all.slice(16)}`), "OK");
  assert.equal(await vm.register(0), 7n);
  assert.equal(await vm.ask(`P22=${digits(3n << 100n, 16)}`), "OK");
  assert.equal(await vm.register(0x22), 3n << 100n);
  assert.equal(await vm.ask(`P${hex(CPSR)}=${digits(0x6000_03c4n, 4)}`), "OK");
  assert.equal(await vm.register(CPSR), 0x6000_03c4n);
  assert.equal(await vm.ask(`P${hex(CPSR)}=${digits(0x3c9n, 4)}`), "E16", "EL2");
  assert.equal(await vm.ask(`P${hex(CPSR)}=${digits(0x1dn, 4)}`), "E16", "AArch32");
  assert.equal(await vm.ask("P200=00"), "E16");
  assert.equal(await vm.ask(`G${all}00`), "E16");
});

Deno.test("vCPUs are threads, with what they wait for; a thread that is not there is an error", async () => {
  const vm = new DebuggedVm(COUNT, 2);
  assert.equal(await vm.ask("qfThreadInfo"), "m1,2");
  assert.equal(await vm.ask("qsThreadInfo"), "l");
  assert.equal(await vm.ask("qThreadExtraInfo,2"), toHex(new TextEncoder().encode("vCPU 1, waits for power-on")));
  assert.equal(await vm.ask("T2"), "OK");
  assert.equal(await vm.ask("Hg2"), "OK");
  assert.equal(await vm.register(PC), 0n);
  assert.equal(await vm.ask("T3"), "E16");
  assert.equal(await vm.ask("vCont;s:3;c"), "E16");
});

Deno.test("LLDB learns the architecture, and that watchpoints stop before the access", async () => {
  const vm = new DebuggedVm(COUNT);
  const fields = async (packet: string) =>
    Object.fromEntries((await vm.ask(packet) ?? "").split(";").filter(Boolean).map((one) => one.split(":")));
  const host = await fields("qHostInfo");
  assert.equal(new TextDecoder().decode(Uint8Array.fromHex(host.triple)), "aarch64-unknown-none");
  assert.deepEqual([host.endian, host.ptrsize, host.watchpoint_exceptions_received], ["little", "8", "before"]);
  assert.deepEqual(await fields("qProcessInfo"), { pid: "1", triple: host.triple, endian: "little", ptrsize: "8" });
});

Deno.test("the description of the target comes in parts, and has every register", async () => {
  const vm = new DebuggedVm(COUNT);
  let document = "";
  for (let part = ""; !part.startsWith("l"); document += part.slice(1)) {
    part = await vm.ask(`qXfer:features:read:target.xml:${hex(document.length)},400`) ?? assert.fail();
  }
  assert.match(document, /<feature name="org.gnu.gdb.aarch64.core">[^]*<reg name="x0" bitsize="64"[^]*<reg name="cpsr" bitsize="32"/);
  assert.match(document, /<reg name="v31" bitsize="128" type="aarch64v" regnum="65"\/>/);
  assert.match(document, /<reg name="TTBR1_EL1" .*group="system"/);
  assert.match(document, /<feature name="org.gnu.gdb.aarch64.pauth_v2">\s*<reg name="pauth_dmask" bitsize="64"/);
});

Deno.test("the end of the machine is the end of the process, and of the connection", async () => {
  const vm = new DebuggedVm(off);
  assert.equal(await vm.ask("vCont;c"), "W00");
  assert.deepEqual(vm.done, ["close"]);
});

Deno.test("detach and kill do what they say, and a lost connection is a detach", async () => {
  const vm = new DebuggedVm(COUNT);
  assert.equal(await vm.ask(`Z0,${hex(CODE)},4`, "D"), "OK");
  assert.deepEqual(vm.done, ["detach", "close"]);
  const killed = new DebuggedVm(COUNT);
  await killed.ask("k");
  assert.deepEqual(killed.done, ["kill", "close"]);
  const lost = new DebuggedVm(COUNT);
  lost.session.lost();
  assert.deepEqual(lost.done, ["detach"]);
});

Deno.test("a gdb that reads no answers gets no more of them: each byte may ask for the last one again", async () => {
  const vm = new DebuggedVm(COUNT), read = Promise.withResolvers<void>();
  await vm.ask(`m${hex(ENTRY)},2000`);
  const before = vm.sent;
  vm.reading = read.promise;
  const received = vm.raw(new TextEncoder().encode("-".repeat(50)));
  await new Promise((resolve) => setTimeout(resolve));
  assert.equal(vm.sent - before, 1);
  vm.reading = undefined;
  read.resolve();
  await received;
  assert.equal(vm.sent - before, 50);
});

Deno.test("an interrupt asks the machine to stop only while it runs", async () => {
  const vm = new DebuggedVm(COUNT);
  await vm.raw(Uint8Array.of(3));
  assert.deepEqual(vm.done, []);
  await vm.ask("c");
  await vm.raw(Uint8Array.of(3));
  assert.deepEqual(vm.done, ["stop"]);
  assert.equal(await vm.ask("g"), "E16", "it runs");
});

Deno.test("a run with a debugger is the same run: registers, memory and time", async () => {
  // WFE, YIELD and two CPUs: turns end early, and the one with the debugger stops in the middle of
  // them.
  const program = [0x91000400, 0xd503203f, 0x91000400, 0xd503205f, A64.branch(-4)];
  const plain = machineWith(program, 2, false);
  const vm = new DebuggedVm(program, 2);
  await vm.ask(`Z0,${hex(CODE + 8)},4`);
  for (let round = 0; round < 50; round++) {
    assert.match(await vm.ask("c") ?? "", /^T05/);
    assert.match(await vm.ask("s") ?? "", /^T05/);
    if (round % 7 === 0) await vm.ask("Hg2", `m${hex(ENTRY)},40`, "g", "Hg1", "s", "s");
  }
  await vm.ask("D");
  const end = vm.system.machine.time + 1_000_000;
  for (const { machine } of [plain, vm.system]) {
    for (let result = machine.run(end); result.kind !== "time"; result = machine.run(end)) {
      if (result.kind === "idle") machine.skipTo(Math.min(end, result.next));
    }
  }
  assert.equal(vm.system.machine.time, plain.machine.time);
  assert.equal(vm.system.instructions(), plain.instructions());
  assert.equal(vm.system.hashes.registers(), plain.hashes.registers());
  assert.equal(vm.system.hashes.memory(), plain.hashes.memory());
});

Deno.test("no packet breaks the session or the machine", async () => {
  const vm = new DebuggedVm(COUNT, 2);
  const number = fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.constantFrom(BigInt(ENTRY), BigInt(CODE), 0n)).map(hex);
  const start = fc.constantFrom(
    ..."qSupported Hg Hc T g G p P m M X Z0, Z1, Z2, Z4, z0, z1, z2, z4, vCont vCont;s: vCont;r vCont;c qXfer:features:read:target.xml: ? s c qThreadExtraInfo,"
      .split(" "),
  );
  const packet = fc.tuple(
    start,
    fc.array(fc.oneof(number, fc.constantFrom(",", ":", ";", "=", "-1", "*"), fc.string({ maxLength: 8, unit: "binary-ascii" })), {
      maxLength: 6,
    }),
  )
    .map(([first, rest]) => first + rest.join(""));
  await fc.assert(
    fc.asyncProperty(packet, async (data) => {
      await vm.raw(encodePacket(data));
      if (vm.running) vm.session.stopped({ cause: "asked", vcpu: 0, pc: 0n });
      assert.equal(await vm.ask("qAttached"), "1");
    }),
    { numRuns: 2000 },
  );
});

Deno.test("monitor space has the levels of a vCPU with EL2, and no other vCPU has them", async () => {
  const plain = new DebuggedVm(COUNT);
  assert.match(await monitor(plain, "space el2"), /^monitor space el2: use one of va, ipa, pa$/m);
  await withEl2Program(["start.S", "guest.c"], async (elf) => {
    const vm = new DebuggedVm(assemble({ ...await el2Plan(elf), debug: oneVm("host") }));
    assert.match(await monitor(vm, "space moon"), /use one of va, el1, el2, ipa, pa$/m);
    assert.match(await monitor(vm, "space el2"), /^memory is read and written by virtual addresses of its EL2/);
    // Both stages of its EL1 are off before it begins.
    const [own, ofEl1] = [await vm.ask(`m${hex(ENTRY)},8`), (await monitor(vm, "space el1"), await vm.ask(`m${hex(ENTRY)},8`))];
    assert.match(own ?? "", /^[0-9a-f]{16}$/);
    assert.equal(ofEl1, own);
  });
});
