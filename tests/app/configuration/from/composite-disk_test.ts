// Disks of several files, as crosvm and Android's Virtualization Framework have them, become disks
// of partitions that plans can be made of.

import assert from "node:assert/strict";
import { machineOfLine } from "../../../../src/app/configuration/from/command-line.ts";
import type { Table } from "../../../../src/app/configuration/config.ts";
import { planOf } from "../../../../src/app/configuration/plan-run.ts";
import { planErrors } from "../../../support/planned.ts";
import { compositeDisk } from "../../../support/composite-disk.ts";
import { inFolder } from "../../../support/temporary-folder.ts";
import { makePublicFiles } from "./public-lines.ts";

function disksOf(line: string): Table[] {
  const { vm } = machineOfLine(line).table() as { readonly vm: { readonly guest: { readonly devices: Table[] } } };
  return Object.values(vm)[0].devices.filter(({ kind }) => kind === "block");
}

/** A plan is made of the machine; returns what is absent. */
async function checkPlanned(line: string): Promise<string[]> {
  const machine = machineOfLine(line), table = machine.table();
  assert.deepEqual(planErrors(await planOf(table)), []);
  return [...machine.text(table).matchAll(/^# absent: (.*)$/gm)].map(([, text]) => text);
}

Deno.test("a composite disk of crosvm becomes its files at their places", () =>
  inFolder(async (folder) => {
    await makePublicFiles(folder);
    await Deno.mkdir(`${folder}/disks`);
    const zero = `${folder}/disks/zero`;
    await Deno.writeFile(zero, new Uint8Array(4096));
    const components = [
      { path: "../root.img", offset: 20_480, writable: true },
      { path: "zero", offset: 0 },
      { path: "zero", offset: 4096 + 1000 },
      { path: zero, offset: 1_069_056 },
    ];
    const made = (length: number, version: number) => compositeDisk({ version, length, components });
    const [small, all] = [`${folder}/disks/small.img`, `${folder}/disks/all.img`];
    await Deno.writeFile(small, made(1_069_056 + 4096, 1));
    await Deno.writeFile(all, made(1_114_112, 2));
    const first = [
      { offset: 0, image: zero, mode: "ro" },
      { offset: 5096, image: zero, mode: "ro" },
      { offset: 20_480, image: `${folder}/root.img`, mode: "rw" },
    ];
    const line = (path: string, more = "") => `crosvm run --block path=${path}${more} ${folder}/Image`;
    assert.deepEqual(disksOf(line(small)), [{ kind: "block", partitions: [...first, { offset: 1_069_056, image: zero, mode: "ro" }] }]);
    const last = { offset: 1_069_056, image: zero, mode: "ro" };
    assert.deepEqual(disksOf(line(all)), [{ kind: "block", partitions: [...first, last] }]);
    const readOnly = [...first, last].map((one) => ({ ...one, mode: "ro" }));
    assert.deepEqual(disksOf(line(all, ",ro,block-size=4096")), [{ kind: "block", partitions: readOnly, sector: 4096 }]);
    assert.deepEqual(await checkPlanned(line(small)), []);
    const shorter = `--block ${all}: 1114112 bytes: the disk ends with its last file, at byte 1073152`;
    assert.deepEqual(await checkPlanned(line(all)), [shorter]);
    const config = `${folder}/vm_config.json`;
    await Deno.writeTextFile(config, JSON.stringify({ kernel: "Image", disks: [{ image: "disks/all.img", writable: true }] }));
    assert.deepEqual(disksOf(config), [{ kind: "block", partitions: [...first, last] }]);
    // QEMU reads its bytes as a raw disk.
    const [ofQemu] = (machineOfLine(`qemu-system-aarch64 -nodefaults -M virt -kernel ${folder}/Image -drive file=${all}`).table().host as {
      readonly devices: Table[];
    }).devices;
    assert.deepEqual([ofQemu.image, ofQemu.partitions], [all, undefined]);
  }));

Deno.test("partitions of a vm_config.json become those of a disk", () =>
  inFolder(async (folder) => {
    await makePublicFiles(folder);
    const config = `${folder}/vm_config.json`, guid = "0FC63DAF-8483-4772-8E79-3D69D8477DE4";
    const partitions = [
      { label: "root", path: "root.img", writable: true },
      { label: "data", path: "/data/local/tmp/disk.img", guid },
      { label: "a label with more than 36 characters, which crosvm cuts", path: "$PAYLOAD_DIR/debian.img", writable: false, guid: null },
    ];
    for (const writable of [true, false]) {
      await Deno.writeTextFile(config, JSON.stringify({ kernel: "Image", disks: [{ partitions, writable }] }));
      assert.deepEqual(disksOf(config), [{
        kind: "block",
        partitions: [
          { label: "root", image: `${folder}/root.img`, mode: writable ? "rw" : "ro" },
          { label: "data", guid, image: `${folder}/disk.img`, mode: "ro" },
          { label: "a label with more than 36 characters", image: `${folder}/debian.img`, mode: "ro" },
        ],
      }]);
      const absent = await checkPlanned(config);
      assert.deepEqual(absent.map((text) => text.replace(/:.*/, "")), [
        "/data/local/tmp/disk.img",
        'disks[0].partitions[2] "a label with more than 36 characters, which crosvm cuts"',
      ]);
    }
  }));

Deno.test("a composite disk that cannot be one of el2's is refused with what is wrong in it", () =>
  inFolder(async (folder) => {
    await makePublicFiles(folder);
    const path = `${folder}/disk.img`, sparse = `${folder}/sparse.img`;
    await Deno.writeFile(sparse, Uint8Array.of(0x3a, 0xff, 0x26, 0xed, 1, 0, 0, 0));
    const one = { path: "root.img", offset: 0 },
      of = (components: Parameters<typeof compositeDisk>[0]["components"], length = 65_536, version = 2) =>
        compositeDisk({ version, length, components });
    const whole = of([one]);
    const cases: readonly (readonly [Uint8Array, RegExp])[] = [
      [of([]), /lists no file$/],
      [of([one, one]), /has two files at byte 0$/],
      [of([{ ...one, offset: 512 }]), /has no file at byte 0, the first is at 512$/],
      [of([one, { ...one, offset: 65_536 }]), /has 65536 bytes, and a file at byte 65536$/],
      [of([one], 65_536, 3), /is of version 3, and 2 is the latest that is known$/],
      [of([{ path: "none", offset: 0 }]), /--block .*disk\.img .*none: no such file$/],
      [of([{ path: "/proc/self/fd/7", offset: 0 }]), /\/proc\/self\/fd\/7 was open in another process; name the disk's files: /],
      [of([{ ...one, fileOffset: 4096 }]), /root\.img begins at its byte 4096; copy that part into a file$/],
      [of([{ path: "disk.img", offset: 0 }]), /disk\.img is a composite disk in a composite disk$/],
      [of([{ path: "sparse.img", offset: 0 }]), /sparse\.img: a sparse image of Android; make it a raw one with simg2img$/],
      [of([{ path: "", offset: 7 }]), /lists a file without a path, at byte 7$/],
      [of(Array.from({ length: 261 }, (_, index) => ({ ...one, offset: index }))), /lists 261 files; a disk has up to 260$/],
      [whole.subarray(0, whole.length - 1), /is cut off at byte \d+$/],
    ];
    for (const [bytes, says] of cases) {
      await Deno.writeFile(path, bytes);
      assert.throws(() => machineOfLine(`crosvm run --block ${path} ${folder}/Image`).check(), { message: says }, String(says));
    }
    assert.throws(() => machineOfLine(`crosvm run --block ${sparse} ${folder}/Image`), { message: /a sparse image of Android/ });
  }));

Deno.test("an image that crosvm knows for qcow2 by its beginning is named where el2 reads it as raw", () =>
  inFolder(async (folder) => {
    await makePublicFiles(folder);
    await Deno.rename(`${folder}/disk.qcow2`, `${folder}/disk.raw`);
    const [absent] = await checkPlanned(`crosvm run --block ${folder}/disk.raw ${folder}/Image`);
    assert.match(absent, /disk\.raw: a qcow2 image is one by its name: rename it to \*\.qcow2, or it is read as raw$/);
  }));
