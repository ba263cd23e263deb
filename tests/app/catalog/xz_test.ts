import assert from "node:assert/strict";
import { crc32 } from "node:zlib";
import { unxz } from "../../../src/app/catalog/xz.ts";
import { nativeProgram } from "../../../scripts/native-tools.ts";
import { MiB } from "../../../src/kit/support/values/sizes.ts";

async function unpacked(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  return new Uint8Array(await new Response(ReadableStream.from(unxz(new Blob([bytes]).stream()))).arrayBuffer());
}

Deno.test("xz is unpacked as the program does it, and what is damaged or truncated is refused", async () => {
  const program = await nativeProgram("xz"), folder = await Deno.makeTempDir();
  try {
    const bytes = new Uint8Array(3_000_000).map((_, index) => index * index >> 7);
    await Deno.writeFile(`${folder}/a`, bytes);
    // The form of packages, and the one of kernel modules.
    for (const options of [["-6"], ["--check=crc32", "--lzma2=dict=1MiB"], ["-0", "--check=none"]]) {
      const { stdout, success } = await new Deno.Command(program, { args: [...options, "-c", `${folder}/a`] }).output();
      assert.ok(success);
      assert.deepEqual(await unpacked(stdout), bytes);
      await assert.rejects(unpacked(stdout.slice(0, stdout.length - 100)));
      await assert.rejects(unpacked(stdout.slice(0, 50)));
    }
    await assert.rejects(unpacked(new Uint8Array()), { message: "the xz data is truncated or damaged" });
    await assert.rejects(unpacked(new TextEncoder().encode("this is not xz, and long enough to be a header of it")));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a block whose header asks for a dictionary of more than 64 MiB gets no memory", async () => {
  const bytes = new TextEncoder().encode("a small file"), folder = await Deno.makeTempDir();
  try {
    await Deno.writeFile(`${folder}/a`, bytes);
    const { stdout } = await new Deno.Command(await nativeProgram("xz"), { args: ["-c", `${folder}/a`] }).output();
    // The block header (xz file format 1.2.0, 3.1): its size, flags, LZMA2, one byte of properties,
    // which is the dictionary's size (5.3.1), padding, CRC32.
    assert.deepEqual([...stdout.subarray(12, 16)], [2, 0, 0x21, 1]);
    const asking = (size: number) => {
      const packed = stdout.slice(), header = new DataView(packed.buffer, 12, 12);
      header.setUint8(4, size);
      header.setUint32(8, crc32(packed.subarray(12, 20)), true);
      return packed;
    };
    assert.deepEqual(await unpacked(asking(0)), bytes);
    const before = Deno.memoryUsage().rss;
    // From 96 MiB to 3 GiB; 4 GiB, and what is not a size.
    for (let size = 29; size < 40; size++) {
      const message = "the xz data needs a dictionary of more than 64 MiB; pack it with xz -9 or less";
      await assert.rejects(unpacked(asking(size)), { message }, `size ${size}`);
    }
    for (const size of [40, 41]) await assert.rejects(unpacked(asking(size)), /has filters or a dictionary that el2 does not unpack/);
    const grown = Deno.memoryUsage().rss - before;
    assert.ok(grown < 32 * MiB, `${grown} bytes more`);
    // xz -9
    assert.deepEqual(await unpacked(asking(28)), bytes);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
