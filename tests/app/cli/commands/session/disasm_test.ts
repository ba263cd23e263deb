import assert from "node:assert/strict";
import zlib from "node:zlib";
import { el2, imageOf } from "../../program.ts";

const NOP = 0xd503201f;
const RET = 0xd65f03c0;

Deno.test("words in hexadecimal are disassembled at the address given", async () => {
  const { code, stdout } = await el2("disasm", "94000002,0xd65f03c0", "--address", "0x40000000");
  assert.equal(code, 0);
  assert.equal(stdout, "40000000:\t94000002\tbl\t0x40000008\n40000004:\td65f03c0\tret\n");
});

Deno.test("a file is disassembled, raw or as an Image in a container, from --start for --count instructions", async () => {
  const folder = await Deno.makeTempDir({ prefix: "el2-disasm-" });
  try {
    const image = imageOf([NOP, NOP, RET]);
    await Deno.writeFile(`${folder}/Image`, image);
    await Deno.writeFile(`${folder}/Image.gz`, zlib.gzipSync(image));
    for (const name of ["Image", "Image.gz"]) {
      const { code, stdout, stderr } = await el2("disasm", `${folder}/${name}`, "--start", "0x44", "--count", "2");
      assert.equal(code, 0, stderr);
      assert.equal(stdout, "00000044:\td503201f\thint\t#0x0\n00000048:\td65f03c0\tret\n");
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("what is neither a file nor hexadecimal, or an ELF file for another machine, is a usage error", async () => {
  const missing = await el2("disasm", "no-such-file");
  assert.deepEqual([missing.code, missing.stdout, missing.stderr], [2, "", "el2: disasm no-such-file: no such file\n"]);
  const foreign = await el2("disasm", Deno.execPath());
  assert.equal(foreign.code, 2);
  assert.match(foreign.stderr, /ELF file is (for machine|not an executable)/);
});
