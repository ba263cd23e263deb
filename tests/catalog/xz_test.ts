import assert from "node:assert/strict";
import { unxz } from "../../src/catalog/xz.ts";
import { nativeProgram } from "../../scripts/native-tools.ts";

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
    await assert.rejects(unpacked(new TextEncoder().encode("this is not xz, and long enough to be a header of it")));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
