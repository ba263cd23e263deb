// The parts of Node's modules that a page has: Node's own are the oracle.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import path from "node:path";
import zlib from "node:zlib";
import { pageModule } from "../../../../src/app/web/host/page-modules.ts";

const random = (size: number, of = 256) => Uint8Array.from({ length: size }, () => Math.random() * of);

Deno.test("SHA-256 in a page is Node's, of any pieces", () => {
  const { createHash: ofPage } = pageModule("crypto") as { createHash: typeof createHash };
  for (let size = 0; size < 300; size++) {
    const bytes = random(size), cut = Math.floor(Math.random() * size), sum = ofPage("sha256").update(bytes.subarray(0, cut));
    const copy = sum.copy().digest("hex");
    assert.equal(copy, createHash("sha256").update(bytes.subarray(0, cut)).digest("hex"));
    assert.equal(sum.update(bytes.subarray(cut)).digest("hex"), createHash("sha256").update(bytes).digest("hex"), `${size} bytes`);
  }
  assert.equal(ofPage("sha256").update("é").digest("hex"), createHash("sha256").update("é").digest("hex"));
});

Deno.test("a page unpacks what Node has packed, and Node what a page has", () => {
  const page = pageModule("zlib") as typeof zlib;
  for (const bytes of [random(0), random(100), random(300_000, 4), new Uint8Array(2_000_000)]) {
    assert.deepEqual(new Uint8Array(page.gunzipSync(zlib.gzipSync(bytes))), bytes);
    assert.deepEqual(new Uint8Array(page.inflateSync(zlib.deflateSync(bytes))), bytes);
    assert.deepEqual(new Uint8Array(page.inflateRawSync(zlib.deflateRawSync(bytes))), bytes);
    assert.deepEqual(new Uint8Array(zlib.inflateRawSync(page.deflateRawSync(bytes, { level: 1 }))), bytes);
    assert.deepEqual(new Uint8Array(zlib.gunzipSync(page.gzipSync(bytes, { level: 1 }))), bytes);
    assert.equal(page.crc32(bytes), zlib.crc32(bytes));
  }
});

Deno.test("in a page, data that is cut off, damaged or too large has Node's code", () => {
  const page = pageModule("zlib") as typeof zlib, packed = zlib.gzipSync(new Uint8Array(1_000_000));
  const code = (work: () => unknown) => {
    try {
      work();
    } catch (error) {
      return (error as { code?: string }).code;
    }
  };
  assert.equal(code(() => page.gunzipSync(packed, { maxOutputLength: 1000 })), "ERR_BUFFER_TOO_LARGE");
  assert.equal(code(() => page.gunzipSync(packed.subarray(0, 100))), "Z_BUF_ERROR");
  assert.equal(code(() => page.gunzipSync(random(100).fill(7, 0, 2))), "Z_DATA_ERROR");
  const cut = page.inflateRawSync(zlib.deflateRawSync(random(5000, 4)).subarray(0, 600), { finishFlush: page.constants.Z_SYNC_FLUSH });
  assert.ok(cut.length > 0, "what is there, where an end is not asked for");
});

Deno.test("a page unpacks zstd as Node does: of several frames the first, of one that is cut off its beginning", () => {
  const page = pageModule("zlib") as typeof zlib;
  const equal = (packed: Uint8Array, options?: zlib.ZstdOptions) =>
    assert.deepEqual(new Uint8Array(page.zstdDecompressSync(packed, options)), new Uint8Array(zlib.zstdDecompressSync(packed, options)));
  const strong = { params: { [zlib.constants.ZSTD_c_compressionLevel]: 9, [zlib.constants.ZSTD_c_checksumFlag]: 1 } };
  for (const bytes of [random(0), random(100), random(300_000, 4), new Uint8Array(2_000_000)]) {
    for (const packed of [zlib.zstdCompressSync(bytes), zlib.zstdCompressSync(bytes, strong)]) {
      assert.deepEqual(new Uint8Array(page.zstdDecompressSync(packed)), bytes);
      equal(new Uint8Array([...packed, ...packed]));
      equal(new Uint8Array([...packed, 1, 2, 3]));
      const cut = packed.subarray(0, packed.length - 5), part = page.zstdDecompressSync(cut);
      assert.ok(part.length <= bytes.length && bytes.subarray(0, part.length).every((byte, at) => byte === part[at]));
      equal(packed, { maxOutputLength: Math.max(bytes.length, 1) });
    }
  }
  const packed = zlib.zstdCompressSync(new Uint8Array(1_000_000));
  assert.throws(() => page.zstdDecompressSync(packed, { maxOutputLength: 1000 }), { code: "ERR_BUFFER_TOO_LARGE" });
  for (const { zstdDecompressSync } of [zlib, page]) {
    assert.throws(() => zstdDecompressSync(random(100).fill(7, 0, 4)), (error) => error instanceof Error && !("code" in error));
  }
});

Deno.test("names of files in a page are cut and joined as Node does it", () => {
  const page = pageModule("path") as typeof path;
  for (const name of ["a", "a/b", "/a/b.rec", "/a", "a/b.c/d", ".hidden", "a/.hidden", "x.tar.gz", "/", "a/"]) {
    if (!name.endsWith("/")) assert.equal(page.basename(name), path.basename(name), name);
    if (!name.endsWith("/")) assert.equal(page.dirname(name), path.dirname(name), name);
    assert.equal(page.extname(name), path.extname(name), name);
  }
  for (const parts of [["a", "b"], ["/a", "../b"], ["a", "..", "..", "b"], [""], ["/x/./y", "z"]]) {
    assert.equal(page.join(...parts), path.join(...parts), parts.join());
  }
});

Deno.test("a page refuses by name what it does not have", () => {
  assert.throws(() => pageModule("net"), /a page has no node:net/);
});
