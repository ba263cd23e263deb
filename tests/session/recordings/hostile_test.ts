// Recordings of others: lines that are JSON, and nothing that a recording has.

import assert from "node:assert/strict";
import { RecordingError } from "../../../src/session/recordings/file/recording.ts";
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
    const header = (version: string, plan: string) => `{"schema":"el2.recording/1","version":${version},"plan":${plan}}\n`;
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
      await assert.rejects(readRecording(path), RecordingError, text.slice(0, 100));
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
      const kept = Number(/: head -n (\d+)$/.exec(problem.wayOut ?? "")?.[1]);
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
    const symbols = Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`vm${index}`, file]));
    await Deno.writeTextFile(path, await recordingHeader(await bootPlan({ symbols })));
    const { plan } = await readRecording(path);
    assert.deepEqual(plan.symbols?.vm1, file);
    assert.equal(new Set(Object.values(plan.symbols ?? {})).size, 1, "each has a copy");
    assert.equal([...Deno.readDirSync(`${folder}/cache/recorded`)].length, 1);
  });
});

/** Parts of a plan by their path, and what they cannot be. */
const WRONG: readonly (readonly [path: string, value: unknown, says?: RegExp])[] = [
  ...[["cpus", 0], ["cpus", 9], ["cpus", "2"], ["memory", 1], ["memory", 2 ** 40], ["seed", -1], ["turbo", 1], ["more", 1]] as const,
  ...[["cpu", { name: "v8", features: "all" }], ["tier", "fast"], ["behaviour.msi", "all"], ["behaviour.parcels", 1e9]] as const,
  ...[["inject", ["nothing"]], ["until", "no_such_column=1"], ["hashAt", [2, 1]], ["debug", { kind: "some" }], ["symbols", {
    a: "file",
  }]] as const,
  ...[["what.kind", "walk"], ["what.host.vcpus", 99], ["what.host.vms.0.name", ""], ["what.host.vms.0.memory", 4096]] as const,
  ...[["what.host.vms.0.image.bytes", "AAAA"], ["what.host.vms.0.image.offset", -1], ["what.host.vms.0.image.size", 2 ** 31]] as const,
  ...[["what.host.vms.0.platform", "pc"], ["what.host.vms.0.vcpus", 9], ["what.host.vms.0.base", 0x8000_0001]] as const,
  ...[["what.host.vms.0.links", [{ kind: "rope" }]], ["what.host.vms.0.devices", [{ kind: "tape" }]]] as const,
  ...[["what.host.vms.0.devices", [{ kind: "9p", folder: "/", mode: "ro", tag: "../x" }]], ["what.host.driver.device", "v99"]] as const,
  ["what.host.vms.0.devices", [{ kind: "net", backend: "user", forward: [{ protocol: "tcp", host: 99_999, guest: 1 }] }]],
];

/** Parts that are right alone, and not together with the others: the rules of configurations. */
const WRONG_TOGETHER: readonly (readonly [path: string, value: unknown, says: RegExp])[] = [
  ["memory", 64 << 20, /memory "64MiB" is under the \d+MiB that host and VMs need together/],
  ["what.host.memory", 2 ** 30, /that host and VMs need together/],
  ["what.host.vcpus", 8, /vcpus 8 is over the \d physical CPUs/],
  ["what.host.vms", [], /no VM; add/],
  ["what.host.vms.0.name", "rm", /every machine has a VM "rm"/],
  ["what.host.vms.0.name", "A b", /"A b" is not of the form/],
  ["what.host.vms.0.vcpus", 8, /vcpus 8 is over/],
  ["what.host.vms.0.base", 2 ** 36 - 2 ** 21, /leaves no room for/],
  ["what.host.vms.0.windows", [{ base: 0x8000_0000, size: 2 << 20 }], /overlaps the RAM below it/],
  ["what.host.vms.0.start", { after: "nobody" }, /no vm "nobody"/],
  ["what.host.vms.0.start", { after: "hello" }, /waits for itself/],
  ["what.host.vms.0.hypervisor", "geniezone", /needs \/dev\/gzvm/],
  ["what.host.vms.0.swiotlb", 2 << 20, /swiotlb needs platform = "crosvm"/],
  ["what.host.vms.0.links", [{ kind: "doorbell", label: 9, peer: "ping", sourceCanClear: false }], /links of vm "ping" are not those/],
  ["what.host.vms.0.links", [{ kind: "shared-memory", label: 9 }], /links of vm "hello" are not those/],
  ["what.host.vms.0.devices", [{ kind: "console", ports: ["a"] }, { kind: "console", ports: ["a"] }], /there is a console "a" already/],
  [
    "what.host.vms.0.devices",
    [{ kind: "vsock", cid: 9 }, { kind: "vsock", cid: 9 }],
    /cid 9 is already that of vm "hello"/,
  ],
  ["what.host.driver.device", "v6", /has no ioctl to run vCPUs/],
  ["what.host.vms.0.flash", { code: { $bytes: "AAAA" }, size: 240 }, /the flash of bios has 240 bytes/],
  ["behaviour.geniezone", true, /geniezone needs \[host\] kind = "image"/],
];

Deno.test("a plan in a recording is as strict as a configuration: a wrong field is refused by its name", () =>
  inCache(async (folder) => {
    const path = `${folder}/a.rec`, header = await recordingHeader(await demoPlan());
    await Deno.writeTextFile(path, header);
    await readRecording(path);
    for (const [place, value, why = /./] of [...WRONG, ...WRONG_TOGETHER]) {
      const changed = JSON.parse(header), keys = place.split(".");
      const last = keys.pop()!, part = keys.reduce((at, key) => at[key] ??= {}, changed.plan);
      part[last] = value;
      await Deno.writeTextFile(path, `${JSON.stringify(changed)}\n`);
      const names = (error: unknown) =>
        error instanceof RecordingError && error.message.startsWith(`${path}:1: its plan does not make a machine: `) &&
        why.test(error.message);
      await assert.rejects(readRecording(path), names, `${place} = ${JSON.stringify(value)}`);
    }
  }));
