// Recordings of others: lines that are JSON, and nothing that a recording has.

import assert from "node:assert/strict";
import { wayOutText } from "../../../src/kit/support/text/way-out.ts";
import { RecordingError } from "../../../src/session/recordings/file/recording.ts";
import { plannedRecording } from "../../../src/app/cli/start/plans/saved-plans.ts";
import { readRecording } from "../../../src/session/recordings/file/recording-reader.ts";
import { VERSION } from "../../../src/kit/support/version.ts";
import { Random } from "../../support/random.ts";
import { inCache, inFolder } from "../../support/temporary-folder.ts";
import { recordingHeader, RecordingWriter } from "../../../src/session/recordings/file/recording-writer.ts";
import { MARKS_MAX } from "../../../src/model/plans/recorded-run.ts";
import { bootPlan, demoPlan } from "../snapshots/systems.ts";

Deno.test("a header with values that have no text, or without an end of nesting, is refused by its line", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/a.rec`;
    const header = (version: string, plan: string) => `{"schema":"el2.recording/2","version":${version},"plan":${plan}}\n`;
    const version = JSON.stringify(VERSION);
    const nested = (levels: number, open: string, close: string) => open.repeat(levels) + "1" + close.repeat(levels);
    const refused = [
      header('{"toString":1}', "{}"),
      header('{"toString":{},"valueOf":{}}', "{}"),
      header('{"$bigint":"1"}', "{}"),
      header("[[[]]]", "{}"),
      ...[300, 3000, 8000, 30_000, 200_000].flatMap((levels) => [
        header(version, nested(levels, "[", "]")),
        header(version, nested(levels, '{"a":', "}")),
        `${header(version, "{}")}{"at":1,"settled":true,"input":${nested(levels, "[", "]")}}\n`,
      ]),
    ];
    for (const text of refused) {
      await Deno.writeTextFile(path, text);
      await assert.rejects(plannedRecording(path), RecordingError, text.slice(0, 100));
    }
  });
});

Deno.test("wherever a recording is damaged, the lines before the defect are one that was cut off, as the way out says", async () => {
  await inCache(async (folder) => {
    const path = `${folder}/a.rec`, header = await recordingHeader(await bootPlan()), random = new Random(5);
    const input = { kind: "console", console: "host", bytes: Uint8Array.of(1) } as const;
    {
      using writer = new RecordingWriter(path, header);
      for (let at = 0; at < 20; at++) writer.input({ at, settled: true }, input);
    }
    const whole = (await Deno.readTextFile(path)).split("\n");
    for (let round = 0; round < 60; round++) {
      const lines = [...whole], line = 3 + random.below(17), text = lines[line];
      const at = random.below(text.length);
      lines[line] =
        [text.slice(0, at), text.replace('"at":', '"ad":'), text.replace(/"at":\d+/, '"at":-1'), "\0".repeat(at + 1)][round % 4];
      await Deno.writeTextFile(path, lines.join("\n"));
      const { problem } = await readRecording(path).then(() => assert.fail(lines[line]), (error: RecordingError) => error);
      const kept = Number(/: head -n (\d+)$/.exec(wayOutText(problem.wayOut) ?? "")?.[1]);
      assert.equal(kept, line, problem.what);
      await Deno.writeTextFile(path, lines.slice(0, kept).map((one) => `${one}\n`).join(""));
      const { inputs, end } = await readRecording(path);
      assert.deepEqual([inputs.map(({ at }) => at), end], [Array.from({ length: line - 1 }, (_, index) => index), undefined]);
    }
  });
});

Deno.test("a recording may have any number of marks of one name, of which the last counts, and a limit of names", async () => {
  await inCache(async (folder) => {
    const path = `${folder}/a.rec`, header = await recordingHeader(await bootPlan());
    const write = (names: readonly string[]) => {
      using writer = new RecordingWriter(path, header);
      for (const [index, name] of names.entries()) writer.mark(index, { name, instructions: index, time: index });
    };
    write(Array.from({ length: MARKS_MAX + 2 }, (_, index) => index ? "again" : "once"));
    assert.deepEqual((await readRecording(path)).marks?.map(({ name, time }) => [name, time]), [["once", 0], ["again", MARKS_MAX + 1]]);
    write(Array.from({ length: MARKS_MAX + 1 }, (_, index) => `m${index}`));
    const last = `${MARKS_MAX + 2}: a run has at most ${MARKS_MAX} marks`;
    await assert.rejects(readRecording(path), (error) => error instanceof RecordingError && error.message.endsWith(last));
  });
});

Deno.test("a file that a plan names many times is read once, and stored once", async () => {
  await inCache(async (folder) => {
    const path = `${folder}/a.rec`, file = new Uint8Array(100_000).fill(1);
    const symbols = Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`vm${index}`, [file]]));
    await Deno.writeTextFile(path, await recordingHeader(await bootPlan({ symbols })));
    const { plan } = await plannedRecording(path);
    assert.deepEqual(plan.symbols?.vm1, [file]);
    assert.equal(new Set(Object.values(plan.symbols ?? {}).flat()).size, 1, "each has a copy");
    assert.equal([...Deno.readDirSync(`${folder}/cache/recorded`)].length, 1);
  });
});

/** Parts of a plan by their path, what they cannot be, and why. */
const WRONG: readonly (readonly [path: string, value: unknown, says?: RegExp])[] = [
  ...[["machine.cpus", 0], ["machine.cpus", 9], ["machine.cpus", "2"], ["machine.memory", 1], ["machine.memory", "1TiB"]] as const,
  ...[["machine.seed", -1], ["machine.turbo", 1], ["machine.more", 1], ["more", {}], ["machine.cpu", "v8,all"]] as const,
  ...[["machine.msi", "all"], ["rm.parcels", 1e9], ["host.vcpus", 99], ["host.kind", "walk"], ["host.device", "v99"]] as const,
  ...[["vm.hello.memory", "4KiB"], ["vm.hello.platform", "pc"], ["vm.hello.vcpus", 9], ["vm.hello.base", 0x8000_0001]] as const,
  ...[["link.rope", { kind: "rope" }], ["vm.hello.devices", [{ kind: "tape" }]], ["vm", []], ["vm.hello", 5], ["host", null]] as const,
  ["vm.hello.devices", [{ kind: "9p", folder: "/", mode: "ro", tag: "../x" }]],
  ["vm.hello.devices", [{ kind: "net", forward: ["99999:1"] }]],
  ["vm.hello.image", "/etc/hostname", /image \/etc\/hostname: its content is not there/],
  ["vm.hello.initrd", { $bytes: "AAAA" }, /keys: is not a table/],
  ["vm.hello.cmdline", { $bigint: "1" }, /keys: is not a table/],
];

/** Fields beside the table. */
const WRONG_RUN: readonly (readonly [path: string, value: unknown, says?: RegExp])[] = [
  ...[["tier", "fast"], ["inject", ["nothing"]], ["until", "no_such_column=1"], ["hashAt", [2, 1]], ["debug", { kind: "some" }]] as const,
  ...[["symbols", { a: "file" }], ["seed", -1], ["turbo", 1], ["startsAt", 2 ** 32], ["record", { path: "/x" }], ["logs", {}]] as const,
];

/** Keys that are right alone, and not together with the others. */
const WRONG_TOGETHER: readonly (readonly [path: string, value: unknown, says: RegExp])[] = [
  ["machine.memory", "64MiB", /memory "64MiB" is under the \d+MiB that host and VMs need together/],
  ["host.memory", "1GiB", /that host and VMs need together/],
  ["host.vcpus", 8, /vcpus 8 is over the \d physical CPUs/],
  ["vm", {}, /no VM; add/],
  ["vm.rm", { image: "hello" }, /every machine has a VM "rm"/],
  ["vm.A b", { image: "hello" }, /"A b" is not of the form/],
  ["vm.hello.vcpus", 8, /vcpus 8 is over/],
  ["vm.hello.base", 2 ** 36 - 2 ** 21, /leaves no room for/],
  ["vm.hello.windows", [{ base: 0x8000_0000, size: "2MiB" }], /overlaps the RAM below it/],
  ["vm.hello.start", "after:nobody", /no VM "nobody"/],
  ["vm.hello.start", "after:hello", /waits for itself/],
  ["vm.hello.hypervisor", "geniezone", /needs \/dev\/gzvm/],
  ["vm.hello.swiotlb", "2MiB", /swiotlb needs platform = "crosvm"/],
  ["link.more", { kind: "doorbell", label: 9, from: "ping", to: "nobody" }, /no VM "nobody"/],
  ["link.more", { kind: "shm", label: 9, size: "4KiB", access: {} }, /names no VM/],
  ["vm.hello.devices", [{ kind: "console", ports: ["a"] }, { kind: "console", ports: ["a"] }], /there is a console "a" already/],
  ["vm.hello.devices", [{ kind: "vsock", cid: 9 }, { kind: "vsock", cid: 9 }], /cid 9 is already that of vm "hello"/],
  ["host.device", "v6", /has no ioctl to run vCPUs/],
  ["machine.geniezone", true, /geniezone needs \[host\] kind = "image"/],
];

Deno.test("a plan in a recording is as strict as a configuration: a wrong field is refused by its name", () =>
  inCache(async (folder) => {
    const path = `${folder}/a.rec`, header = await recordingHeader(await demoPlan());
    await Deno.writeTextFile(path, header);
    await plannedRecording(path);
    const places = [...WRONG, ...WRONG_TOGETHER].map(([place, ...rest]) => [`table.keys.${place}`, ...rest] as const);
    for (const [place, value, why = /./] of [...places, ...WRONG_RUN.map(([place, ...rest]) => [`run.${place}`, ...rest] as const)]) {
      const changed = JSON.parse(header), keys = place.split(".");
      const last = keys.pop()!, part = keys.reduce((at, key) => at[key] ??= {}, changed.plan);
      part[last] = value;
      await Deno.writeTextFile(path, `${JSON.stringify(changed)}\n`);
      const names = (error: unknown) =>
        error instanceof RecordingError && error.message.startsWith(`${path}:1: its plan does not make a machine: `) &&
        why.test(error.message);
      await assert.rejects(plannedRecording(path), names, `${place} = ${JSON.stringify(value)}`);
    }
  }));

Deno.test("a recording writes nothing that its keys name, and reads nothing but what it has", () =>
  inCache(async (folder) => {
    const path = `${folder}/a.rec`, changed = JSON.parse(await recordingHeader(await demoPlan()));
    const { keys } = changed.plan.table;
    keys.machine.record = `${folder}/record`;
    keys.vm.hello.devices = [{ kind: "pl011", log: `${folder}/log` }, { kind: "block", image: `${folder}/none.img`, mode: "ro" }];
    await Deno.writeTextFile(path, `${JSON.stringify(changed)}\n`);
    const { plan } = await plannedRecording(path);
    assert.deepEqual([plan.logs, plan.record], [undefined, undefined]);
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) => name === "log" || name === "record"), []);
  }));

Deno.test("a recording of the form before tables is refused with the way out", () =>
  inCache(async (folder) => {
    const path = `${folder}/a.rec`;
    await Deno.writeTextFile(path, '{"schema":"el2.recording/1","version":"0.1.0","plan":{"cpus":1}}\n');
    await assert.rejects(plannedRecording(path), /recorded by el2 0\.1\.0 in the form el2\.recording\/1, .*; replay it with the el2 that/);
  }));
