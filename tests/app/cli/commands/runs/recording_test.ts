import assert from "node:assert/strict";
import { keepMarks } from "../../../../../src/session/recordings/file/marks.ts";
import { recordingHeader } from "../../../../../src/session/recordings/file/recording-writer.ts";
import { saveRecording } from "../../../../../src/session/recordings/file/save.ts";
import { DEMO } from "../recordings.ts";
import { typedBy } from "../../../../../src/app/cli/start/plans/consent.ts";
import { plannedOf } from "../../../../../src/app/cli/start/plans/planned.ts";
import { ENTRY, P9, writeFields, writeMessage } from "../../../../../src/machine/virtio/p9/messages.ts";
import { el2, el2Refused } from "../../program.ts";
import { inFolder } from "../../../../support/temporary-folder.ts";

const END = { instructions: 9, registers: "aa", own: false, code: 0, message: "ended", memory: "bb", console: "cc" };

const outside = (data: unknown) => ({ at: 3, settled: true, input: { kind: "outside", source: 0, data } } as const);

/** A resolver's answer (RFC 1035) without records. */
function answerAbout(...labels: string[]): Uint8Array {
  const name = labels.flatMap((label) => [label.length, ...new TextEncoder().encode(label)]);
  return new Uint8Array([0x12, 0x34, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0, ...name, 0, 0, 1, 0, 1]);
}

/** A shared folder's answer with these names. */
function listing(names: readonly string[]): Uint8Array {
  const entry = (name: string) => writeFields(ENTRY, { qid: { type: 0, version: 0, path: 1n }, next: 1n, type: 8, name });
  const entries = Uint8Array.from(names.flatMap((name) => [...entry(name)]));
  return writeMessage(P9.readdir.type + 1, 1, writeFields(P9.readdir.answer, { entries }));
}

Deno.test("recording show lists what a stranger sees: images, disks, typed input, marks, paths; merge takes marks of copies", () =>
  inFolder(async (folder) => {
    const file = `${folder}/a.rec`, copy = `${folder}/b.rec`, disk = `${folder}/disk.img`;
    await Deno.writeFile(disk, new Uint8Array(4096));
    await Deno.writeTextFile(
      `${folder}/el2.toml`,
      `el2 = 1\n[machine]\nmemory = "192MiB"\n[vm.rt]\nimage = "${
        new URL("guests/hello.bin", `file://${DEMO}`).pathname
      }"\nmemory = "4MiB"\n` +
        `devices = [{ kind = "block", image = "${disk}", mode = "ro" }]\n`,
    );
    const typed = (at: number, text: string) => ({
      at,
      settled: true,
      input: { kind: "console", console: "rt", bytes: new TextEncoder().encode(text) },
    } as const);
    const inputs = [
      typed(1, "root\n"),
      typed(2, "se\x1b[2Jcret"),
      outside(null),
      outside({ ticket: 1, bytes: new Uint8Array(5000) }),
      outside({ ticket: 2, bytes: listing([".", "..", "of Ann", "se\x1b[2Jcret"]) }),
      outside({ ticket: 3, bytes: listing(["cut"]).subarray(0, -1) }),
      outside({ ticket: 4, bytes: writeMessage(P9.readlink.type + 1, 1, writeFields(P9.readlink.answer, { target: "/home/ann" })) }),
      outside({ kind: "connected" }),
      outside({ kind: "data", bytes: new Uint8Array(7) }),
      outside(answerAbout("deb", "example", "org")),
      outside({ peer: { address: 1, port: 2 }, bytes: answerAbout("se\x1b[2Jcret") }),
      outside(answerAbout("deb", "example", "org").subarray(0, 20)),
    ];
    saveRecording(file, await recordingHeader((await plannedOf(`${folder}/el2.toml`, typedBy(undefined))).plan), { inputs }, 9, END);
    await Deno.copyFile(file, copy);
    keepMarks(copy, [{ name: "lost", instructions: 5, time: 5, text: "here it is lost", by: "Ann" }]);
    const merged = await el2("recording", "merge", file, copy);
    assert.deepEqual([merged.code, merged.stderr], [0, `el2: ${file}: 1 mark\n`]);

    const { stdout, code, stderr } = await el2("recording", "show", file);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^images\n {2}image \/.*hello\.bin {2}10784 bytes in the recording {2}sha256 [0-9a-f]{64}$/m);
    assert.match(stdout, new RegExp(`^disks, folders, sockets and logs, by path\n  disk ${disk}$`, "m"));
    assert.match(stdout, /^typed input\n {2}rt {2}15 bytes {2}"root\\nse\\u001b\[2Jcret"\nall input\n {2}2 console\n {2}10 outside$/m);
    assert.match(
      stdout,
      /^data from outside\n {2}shared folders {2}5181 bytes\n {2}connections {2}7 bytes\n {2}datagrams {2}\d+ bytes\n/m,
    );
    assert.match(
      stdout,
      /^host names\n {2}deb\.example\.org\nnames in shared folders\n {2}"of Ann"\n {2}"se\\u001b\[2Jcret"\n {2}"\/home\/ann"\nabsolute paths$/m,
    );
    assert.match(stdout, /^marks\n {2}lost {2}here it is lost {2}\(Ann\)$/m);
    assert.match(stdout, /^console output: not in the file; a replay prints that of rt again$/m);
    assert.match(stdout, new RegExp(`^absolute paths\n  /.*hello\\.bin\n  ${disk}$`, "m"));
    const json = JSON.parse((await el2("recording", "show", file, "--json")).stdout);
    assert.equal(json.schema, "el2.recording.contents/1");
    assert.deepEqual(json.typed, [{ console: "rt", bytes: 15, text: "root\nse\x1b[2Jcret" }]);
    assert.deepEqual([json.uses, json.inputs], [[{ kind: "disk", path: disk }], { console: 2, outside: 10 }]);
    assert.deepEqual([json.hosts, json.folders, json.sources], [["deb.example.org"], [], []]);
    assert.deepEqual(json.shared, ["of Ann", "se\x1b[2Jcret", "/home/ann"]);

    for (const words of [["show", `${folder}/none`], ["show", disk], ["merge", file, disk], ["merge", file, `${folder}/none`]]) {
      const refused = await el2Refused(["recording", ...words]);
      assert.equal(refused.code, 2, words.join(" "));
    }
  }));

Deno.test("recording show lists the symbols of VMs, of which one can have several files", () =>
  inFolder(async (folder) => {
    const file = `${folder}/a.rec`, { plan } = await plannedOf("demo", typedBy(undefined)), { hello = [] } = plan.symbols ?? {};
    const several = { ...plan, symbols: { ...plan.symbols, hello: [...hello, new Uint8Array(5)] } };
    saveRecording(file, await recordingHeader(several), { inputs: [] }, 9, END);
    const { stdout, code, stderr } = await el2("recording", "show", file);
    assert.equal(code, 0, stderr);
    const symbols = Array.from(stdout.matchAll(/^ {2}symbols (\w+) {2}(\d+) bytes in the recording/gm), ([, vm, bytes]) => [vm, bytes]);
    const expected = Object.entries(several.symbols).flatMap(([vm, all]) => all.map(({ length }) => [vm, String(length)]));
    assert.equal(expected.length, 4);
    assert.deepEqual(symbols, expected);
  }));
