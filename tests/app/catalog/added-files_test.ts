// Disks and downloads of guests that users add.

import assert from "node:assert/strict";
import zlib from "node:zlib";
import { fetchUrl, rawDisk, unpackedImage } from "../../../src/app/catalog/added-files.ts";
import { sha256 } from "../../../src/kit/support/values/sha256.ts";
import { DISK, QCOW2 } from "../../support/disk-images.ts";
import { serving } from "../../support/signed-mirror.ts";
import { inCache } from "../../support/temporary-folder.ts";

/** The bytes, packed by the program xz. */
async function xz(bytes: Uint8Array<ArrayBuffer>, folder: string): Promise<Uint8Array<ArrayBuffer>> {
  await Deno.writeFile(`${folder}/packed`, bytes);
  const { code, stdout } = await new Deno.Command("xz", { args: ["-c", `${folder}/packed`] }).output();
  assert.equal(code, 0);
  return stdout;
}

const downloads = (folder: string) => [...Deno.readDirSync(`${folder}/cache/downloads`)].map(({ name }) => name);

Deno.test("a disk becomes raw: raw or qcow2, plain or packed with gzip, xz or zstd; zeros are holes", () =>
  inCache(async (folder) => {
    const path = `${folder}/disk`;
    const large = new Uint8Array(4 << 20);
    large.set(DISK, 1 << 20);
    const cases: readonly (readonly [name: string, file: Uint8Array, disk: Uint8Array])[] = [
      ["raw", DISK, DISK],
      ["raw with holes", large, large],
      ["raw.gz", zlib.gzipSync(large), large],
      ["raw.xz", await xz(DISK, folder), DISK],
      ["raw.zst", zlib.zstdCompressSync(large), large],
      ["qcow2", QCOW2.zlib, DISK],
      ["qcow2.xz", await xz(QCOW2["version 2"], folder), DISK],
      ["qcow2.zst", zlib.zstdCompressSync(QCOW2.zstd), DISK],
    ];
    for (const [name, file, disk] of cases) {
      await Deno.writeFile(path, file);
      const raw = await rawDisk(path);
      assert.deepEqual(new Uint8Array(await Deno.readFile(raw)), new Uint8Array(disk), name);
      if (disk === large) assert.ok((Deno.statSync(raw).blocks ?? 0) * 512 < large.length / 2, `${name} has holes`);
      await Deno.remove(raw);
      assert.deepEqual(downloads(folder), [], name);
    }
  }));

Deno.test("a damaged or truncated disk is refused and leaves no file", () =>
  inCache(async (folder) => {
    const path = `${folder}/disk`;
    const packed = { gz: zlib.gzipSync(DISK), zst: zlib.zstdCompressSync(DISK), xz: await xz(DISK, folder), qcow2: QCOW2.zlib };
    for (const [name, file] of Object.entries(packed)) {
      await Deno.writeFile(path, file.subarray(0, Math.floor(file.length / 2)));
      await assert.rejects(rawDisk(path), Error, name);
      assert.deepEqual(downloads(folder), [], name);
    }
    await assert.rejects(rawDisk(`${folder}/none`), Deno.errors.NotFound);
  }));

Deno.test("images lose xz and zstd, and keep gzip, which el2 and Linux unpack", () =>
  inCache(async (folder) => {
    for (const packed of [zlib.zstdCompressSync(DISK), await xz(DISK, folder)]) {
      assert.deepEqual(await unpackedImage(new Uint8Array(packed)), DISK);
    }
    const gzip = new Uint8Array(zlib.gzipSync(DISK));
    assert.equal(await unpackedImage(gzip), gzip);
    await assert.rejects(unpackedImage(new Uint8Array(zlib.zstdCompressSync(DISK).subarray(0, 100))));
  }));

Deno.test("a URL is fetched once its checksum is named; hostile servers get nothing into the cache", () =>
  inCache(async (folder) => {
    const good = await sha256(DISK);
    const answers: Readonly<Record<string, (request: Request) => Response>> = {
      "/good": () => new Response(DISK),
      "/replaced": () => new Response(DISK.slice().fill(1)),
      "/none": () => new Response(null, { status: 404 }),
      "/sizeless": () => new Response(ReadableStream.from([DISK])),
      "/endless": (request) =>
        new Response(request.method === "HEAD" ? null : ReadableStream.from(Array.from({ length: 8 }, () => DISK)), {
          headers: request.method === "HEAD" ? { "content-length": String(DISK.length) } : {},
        }),
      "/huge": () => new Response(null, { headers: { "content-length": String(2 ** 40) } }),
    };
    await serving((request) => answers[new URL(request.url).pathname](request), async (url) => {
      const done: number[] = [];
      const path = await fetchUrl(`${url}/good#sha256=${good.toUpperCase()}`, (bytes) => done.push(bytes));
      assert.deepEqual(new Uint8Array(await Deno.readFile(path)), DISK);
      assert.equal(done.at(-1), DISK.length);
      await Deno.remove(path);
      const refused: readonly (readonly [name: string, message: RegExp])[] = [
        [`/good`, /a URL needs its checksum; write URL#sha256=HEX/],
        [`/good#sha256=${"0".repeat(64)}`, /is not what its checksum says/],
        [`/good#sha256=12`, /needs its checksum/],
        [`/replaced#sha256=${good}`, /is not what its checksum says/],
        [`/none#sha256=${good}`, /answers 404/],
        [`/sizeless#sha256=${good}`, /does not say how large it is/],
        [`/endless#sha256=${good}`, /sends more than/],
        [`/huge#sha256=${good}`, /has 1099511627776 bytes; at most/],
      ];
      for (const [name, message] of refused) {
        await assert.rejects(fetchUrl(url + name), { message }, name);
        assert.deepEqual(downloads(folder), [], name);
      }
    });
  }));
