import assert from "node:assert/strict";
import { type CpioEntry, withEntries, writeCpio } from "../../../src/kit/formats/cpio.ts";

/** Reads an archive back, field by field as buffer-format.rst lays them out. */
function members(archive: Uint8Array): { name: string; mode: number; data: string; rdev: string; offset: number }[] {
  const text = new TextDecoder("latin1").decode(archive);
  const found = [];
  for (let offset = 0;;) {
    assert.equal(text.slice(offset, offset + 6), "070701");
    const field = (index: number) => parseInt(text.slice(offset + 6 + index * 8, offset + 14 + index * 8), 16);
    const nameEnd = offset + 110 + field(11);
    const dataStart = (nameEnd + 3) & ~3;
    const name = text.slice(offset + 110, nameEnd - 1);
    if (name === "TRAILER!!!") return found;
    found.push({
      name,
      mode: field(1),
      data: text.slice(dataStart, dataStart + field(6)),
      rdev: `${field(9)}:${field(10)}`,
      offset,
    });
    offset = (dataStart + field(6) + 3) & ~3;
  }
}

const entries: CpioEntry[] = [
  { path: "dev", kind: "folder", permissions: 0o755 },
  { path: "dev/console", kind: "device", permissions: 0o600, major: 5, minor: 1 },
  { path: "init", kind: "file", permissions: 0o755, data: new TextEncoder().encode("hello") },
  { path: "sbin/init", kind: "link", target: "/init" },
];

Deno.test("an archive holds every entry with its type, permissions, data and device number", () => {
  assert.deepEqual(members(writeCpio(entries)).map(({ offset: _, ...rest }) => rest), [
    { name: "dev", mode: 0o040755, data: "", rdev: "0:0" },
    { name: "dev/console", mode: 0o020600, data: "", rdev: "5:1" },
    { name: "init", mode: 0o100755, data: "hello", rdev: "0:0" },
    { name: "sbin/init", mode: 0o120777, data: "/init", rdev: "0:0" },
  ]);
});

Deno.test("headers lie on 4-byte boundaries and the archive is whole blocks", () => {
  const archive = writeCpio(entries);
  assert.equal(archive.length % 512, 0);
  for (const { offset } of members(archive)) assert.equal(offset % 4, 0);
});

Deno.test("equal entries give equal bytes", () => {
  assert.deepEqual(writeCpio(entries), writeCpio(entries));
});

Deno.test("entries are added to an archive behind it, on a 4-byte boundary", () => {
  const own: CpioEntry[] = [{ path: "init", kind: "file", permissions: 0o700, data: new TextEncoder().encode("other") }];
  const archive = Uint8Array.of(...writeCpio(entries), 0);
  const both = withEntries(archive, own);
  assert.deepEqual(both.subarray(0, archive.length), archive);
  assert.deepEqual([...both.subarray(archive.length, archive.length + 3)], [0, 0, 0]);
  assert.deepEqual(both.subarray(archive.length + 3), writeCpio(own));
});
