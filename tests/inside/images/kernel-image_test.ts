import assert from "node:assert/strict";
import zlib from "node:zlib";
import { imageHeader, unwrapImage } from "../../../src/inside/images/kernel-image.ts";

/** A small Image: header and a recognizable body. */
function sampleImage(): Uint8Array {
  const image = new Uint8Array(4096).map((_, index) => index * 7);
  const view = new DataView(image.buffer);
  view.setBigUint64(8, 0x8_0000n, true);
  view.setBigUint64(16, 0x1a_a000n, true);
  view.setBigUint64(24, 0xan, true);
  view.setUint32(56, 0x644d5241, true);
  return image;
}

/** An EFI zboot file around `payload`. */
function zboot(payload: Uint8Array, compression: string): Uint8Array {
  const file = new Uint8Array(512 + payload.length);
  const view = new DataView(file.buffer);
  file.set(new TextEncoder().encode("MZ\0\0zimg"));
  view.setUint32(8, 512, true);
  view.setUint32(12, payload.length, true);
  file.set(new TextEncoder().encode(compression), 24);
  file.set(payload, 512);
  return file;
}

Deno.test("the header of an Image gives its offset, size and flags", () => {
  assert.deepEqual(imageHeader(sampleImage()), { textOffset: 0x8_0000, imageSize: 0x1a_a000, flags: 0xan });
});

Deno.test("a raw Image unwraps to itself", () => {
  assert.equal(unwrapImage(sampleImage()).container, "raw");
});

Deno.test("gzip and EFI zboot containers give the Image back", () => {
  const image = sampleImage();
  const wrapped: [string, Uint8Array][] = [
    ["gzip", zlib.gzipSync(image)],
    ["zboot/gzip", zboot(zlib.gzipSync(image), "gzip")],
    ["zboot/zstd", zboot(zlib.zstdCompressSync(image), "zstd")],
  ];
  for (const [container, file] of wrapped) {
    const unwrapped = unwrapImage(new Uint8Array(file));
    assert.equal(unwrapped.container, container);
    assert.deepEqual(unwrapped.image, image);
  }
});

Deno.test("bytes that are not an Image are refused with their defect", () => {
  const cutOff = zboot(zlib.gzipSync(sampleImage()), "gzip").subarray(0, 600);
  assert.throws(() => unwrapImage(new Uint8Array(0)), /not an arm64 Linux Image/);
  assert.throws(() => unwrapImage(new Uint8Array(4096)), /not an arm64 Linux Image/);
  assert.throws(() => unwrapImage(new Uint8Array(zlib.gzipSync(new Uint8Array(100)))), /gzip container holds no arm64 Image/);
  assert.throws(() => unwrapImage(cutOff), /zboot image is truncated: payload ends at 867 of 600 bytes/);
  for (let length = 8; length < 56; length++) {
    assert.throws(() => unwrapImage(cutOff.subarray(0, length)), /zboot image is truncated in its header/, `${length} bytes`);
  }
  assert.throws(() => unwrapImage(zboot(new Uint8Array(9), "lzo")), /compressed with lzo/);
});

Deno.test("D9: an image that unpacks to more than the memory for it is refused before that is used", () => {
  const image = new Uint8Array(64 << 20);
  image.set(sampleImage());
  for (const [name, file] of [["gzip", zlib.gzipSync(image)], ["zstd", zboot(zlib.zstdCompressSync(image), "zstd")]] as const) {
    assert.throws(
      () => unwrapImage(new Uint8Array(file), 16 << 20),
      new RegExp(`the ${name} image unpacks to more than 16MiB, the memory for it`),
    );
    assert.equal(unwrapImage(new Uint8Array(file), 64 << 20).image.length, image.length);
  }
});

Deno.test("D9: a gzip stream that is cut anywhere, or that something follows, is refused", () => {
  const file = new Uint8Array(zlib.gzipSync(sampleImage()));
  for (let length = 2; length < file.length; length++) {
    assert.throws(() => unwrapImage(file.subarray(0, length)), /the gzip image is (cut off|damaged)/, `${length}`);
  }
  assert.throws(() => unwrapImage(Uint8Array.from([...file, 1, 2, 3])), /the gzip image is damaged/);
  // Some zboot files have the size once more after the stream.
  const sized = new Uint8Array([...file, ...file.subarray(-4)]);
  assert.deepEqual(unwrapImage(zboot(sized, "gzip")).image, sampleImage());
});
