// A core is the same whether its blueprint was generated just now or read from the cache, and
// damage to a cached file changes nothing.

import assert from "node:assert/strict";
import {
  blueprintKey,
  type CoreBlueprint,
  generateBlueprint,
  generateCore,
  type GeneratedCore,
} from "../../../../src/cpu/core/core-module.ts";
import type { Filling, Variant } from "../../../../src/cpu/core/decoded/variants.ts";
import { CORE_SIZE } from "../../../../src/cpu/core/state/layout.ts";
import { CPU_NAMES, parseCpu } from "../../../../src/cpu/isa/cpus/cpus.ts";
import { encodings } from "../../../../src/cpu/isa/table.ts";
import { decodeBlueprint, encodeBlueprint } from "../../../../src/session/assembly/code/blueprint-file.ts";
import { CoreCache } from "../../../../src/session/assembly/code/core-cache.ts";
import { A64, imageOf, SYSTEM_OFF } from "../../../app/cli/program.ts";
import { el2Command } from "../../../support/el2.ts";
import { Random } from "../../../support/random.ts";
import { inFolder } from "../../../support/temporary-folder.ts";

const RAM = { base: 0x4000_0000, wasmAddress: CORE_SIZE, size: 0x1_0000 };
const WASM_SIZE = CORE_SIZE + RAM.size;
const KEY = blueprintKey(RAM, WASM_SIZE);
/** Counts for a while, then ends: movz w5, #3000; sub w5, w5, #1; cbnz w5, .-4. */
const GUEST = imageOf([0x52817705, 0x510004a5, 0x35ffffe5, ...A64.loadW0(SYSTEM_OFF), A64.hvc]);

const blueprint = generateBlueprint(RAM, WASM_SIZE);

/** A cache that notes what it is asked. */
class ObservedCache extends CoreCache {
  readonly found: boolean[] = [];
  kept = 0;

  override load(key: string): CoreBlueprint | undefined {
    const blueprint = super.load(key);
    this.found.push(blueprint !== undefined);
    return blueprint;
  }

  override keep(key: string, blueprint: CoreBlueprint): void {
    this.kept++;
    super.keep(key, blueprint);
  }
}

function fillingOf({ handler, operands }: Filling, words: readonly number[]): unknown {
  return [handler, operands.map(({ offset, kind, evaluate }) => [offset, kind, words.map(evaluate)])];
}

function variantOf({ filling, fill, branch }: Variant, words: readonly number[]): unknown {
  return [fillingOf(filling, words), fill, branch && [words.map(branch.offset), fillingOf(branch.near, words)]];
}

/** All that the decoder knows of all encodings. */
function decoderOf({ dispatch }: GeneratedCore): unknown {
  const random = new Random(3), words = Array.from({ length: 4 }, () => random.word());
  const decodings = encodings().map((encoding) => {
    const decoding = dispatch.decodings.of(encoding);
    return [variantOf(decoding, words), decoding.specials.map(({ mask, value, variant }) => [mask, value, variantOf(variant, words)])];
  });
  return [decodings, [...dispatch.computed]];
}

Deno.test("a blueprint that was a file is the same, and its decoder fills every record the same", async () => {
  const read = decodeBlueprint(encodeBlueprint(blueprint));
  assert.deepEqual(read, blueprint);
  assert.deepEqual(generateBlueprint(RAM, WASM_SIZE), blueprint, "generating again gives something else");
  await inFolder((folder) => {
    const cache = new ObservedCache(folder, Infinity);
    const generated = generateCore(RAM, WASM_SIZE, cache), cached = generateCore(RAM, WASM_SIZE, cache);
    assert.deepEqual(cache.found, [false, true]);
    assert.deepEqual(decoderOf(cached), decoderOf(generated));
    assert.deepEqual(cached.dispatch.fused.pairs, generated.dispatch.fused.pairs);
    assert.deepEqual(WebAssembly.Module.exports(cached.module), WebAssembly.Module.exports(generated.module));
  });
});

Deno.test("a file that was damaged, cut off or is of another kind is not used, and is written again", async () => {
  const whole = encodeBlueprint(blueprint), random = new Random(5);
  const flipped = (at: number) => whole.map((byte, index) => index === at ? byte ^ 1 << random.word() % 8 : byte);
  const places = [0, 7, 8, 39, 40, 43, 44, whole.length - 1, ...Array.from({ length: 40 }, () => random.word() % whole.length)];
  const cut = [0, 7, 40, 43, 44, whole.length >> 1, whole.length - 1].map((length) => whole.slice(0, length));
  const longer = new Uint8Array(whole.length + 1);
  longer.set(whole);
  for (const bytes of [...places.map(flipped), ...cut, longer]) assert.equal(decodeBlueprint(bytes), undefined);
  await inFolder(async (folder) => {
    new CoreCache(folder, Infinity).keep(KEY, blueprint);
    const [{ name }] = await Array.fromAsync(Deno.readDir(folder));
    await Deno.writeFile(`${folder}/${name}`, flipped(whole.length - 100));
    const cache = new ObservedCache(folder, Infinity);
    generateCore(RAM, WASM_SIZE, cache);
    assert.deepEqual([cache.found, cache.kept], [[false], 1]);
    assert.deepEqual(await Deno.readFile(`${folder}/${name}`), whole);
  });
});

Deno.test("RAM elsewhere or of another size has its own file", async () => {
  await inFolder((folder) => {
    const cache = new ObservedCache(folder, Infinity);
    generateCore(RAM, WASM_SIZE, cache);
    generateCore({ ...RAM, size: RAM.size / 2 }, WASM_SIZE, cache);
    generateCore({ ...RAM, base: 0 }, WASM_SIZE, cache);
    assert.deepEqual(cache.found, [false, false, false]);
  });
});

Deno.test("each CPU has its own file, whose name a file can have", async () => {
  const cpus = CPU_NAMES.map(parseCpu),
    keys = cpus.flatMap((cpu) => [false, true].map((counts) => blueprintKey(RAM, WASM_SIZE, { cpu, counts })));
  assert.equal(new Set(keys).size, 2 * new Set(cpus.map(({ key }) => key)).size);
  const [longest] = keys.toSorted((a, b) => b.length - a.length);
  await inFolder((folder) => {
    const cache = new ObservedCache(folder, Infinity), max = { cpu: parseCpu("max"), counts: false };
    cache.keep(longest, blueprint);
    assert.ok(cache.load(longest));
    for (let start = 0; start < 2; start++) generateCore(RAM, WASM_SIZE, cache, max);
    assert.deepEqual(cache.found, [true, false, true]);
  });
});

Deno.test("sources that changed after they were read do not name what was generated from them", async () => {
  await inFolder(async (folder) => {
    const cache = new CoreCache(`${folder}/core`, 0);
    cache.keep(KEY, blueprint);
    assert.equal(cache.load(KEY), undefined);
    assert.deepEqual(await Array.fromAsync(Deno.readDir(folder)), []);
  });
});

Deno.test("many versions and sizes leave a bounded number of files, the last ones", async () => {
  await inFolder(async (folder) => {
    const cache = new CoreCache(folder, Infinity);
    for (let version = 0; version < 40; version++) {
      cache.keep(`version ${version}`, blueprint);
      // Times of files count in ms.
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    assert.equal((await Array.fromAsync(Deno.readDir(folder))).length, 16);
    for (const version of [24, 39]) assert.ok(cache.load(`version ${version}`), `version ${version}`);
    assert.equal(cache.load("version 23"), undefined);
  });
});

Deno.test("where no file can be read or written there is no cache, and no error", async () => {
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/file`, "");
    for (const nowhere of ["/proc/none", `${folder}/file`, `${folder}/file/core`]) {
      const cache = new CoreCache(nowhere, Infinity);
      cache.keep(KEY, blueprint);
      assert.equal(cache.load(KEY), undefined);
    }
    // A folder has the path of the file.
    new CoreCache(`${folder}/core`, Infinity).keep(KEY, blueprint);
    const [{ name }] = await Array.fromAsync(Deno.readDir(`${folder}/core`));
    await Deno.remove(`${folder}/core/${name}`);
    await Deno.mkdir(`${folder}/core/${name}/in the way`, { recursive: true });
    const cache = new CoreCache(`${folder}/core`, Infinity);
    cache.keep(KEY, blueprint);
    assert.equal(cache.load(KEY), undefined);
    assert.deepEqual((await Array.fromAsync(Deno.readDir(`${folder}/core`))).map((entry) => entry.name), [name]);
  });
});

/** Boots the guest; its hashes on the way. */
async function hashes(cache: string, image: string, tier: string): Promise<string[]> {
  const [program, ...args] = el2Command("boot", image, "--stdio", "--memory", "24MiB", "--tier", tier, "--hash-at", "1000,5000");
  const env = { EL2_CACHE: cache, NO_COLOR: "1" };
  const { code, stderr } = await new Deno.Command(program, { args, env, stdin: "null" }).output();
  const text = new TextDecoder().decode(stderr);
  assert.equal(code, 0, text);
  return text.split("\n").filter((line) => line.startsWith("{"));
}

Deno.test("a guest runs the same on a core that was generated, on one from the cache, and without a cache; processes may start at once", async () => {
  await inFolder(async (folder) => {
    const image = `${folder}/guest.bin`, cache = `${folder}/cache`;
    await Deno.writeFile(image, GUEST);
    const files = () => Array.fromAsync(Deno.readDir(`${cache}/core`), ({ name }) => name);
    const first = await Promise.all([hashes(cache, image, "interp"), hashes(cache, image, "interp")]);
    assert.equal(first[0].length, 2);
    assert.deepEqual(first[1], first[0]);
    const [file, ...more] = await files();
    assert.ok(file.endsWith(".core"), file);
    assert.deepEqual(more, []);
    const path = `${cache}/core/${file}`, { mtime } = await Deno.stat(path);
    for (const tier of ["interp", "jit"]) assert.deepEqual(await hashes(cache, image, tier), first[0], tier);
    assert.deepEqual((await Deno.stat(path)).mtime, mtime, "it was not read but written again");
    assert.deepEqual(await hashes("/proc/none", image, "interp"), first[0]);
    await Deno.truncate(path, 1000);
    assert.deepEqual(await hashes(cache, image, "interp"), first[0]);
    assert.ok((await Deno.stat(path)).size > 100_000, "a damaged file stays");
    assert.deepEqual(await files(), [file]);
  });
});

Deno.test("a command that makes a machine in its own thread takes its core from the cache too", async () => {
  await inFolder(async (folder) => {
    await Deno.writeFile(`${folder}/guest.bin`, GUEST);
    const trace = async () => {
      const [program, ...args] = el2Command("trace", "calls", "--vm", "rm", `${folder}/guest.bin`);
      const env = { EL2_CACHE: folder, NO_COLOR: "1" };
      const { code, stdout, stderr } = await new Deno.Command(program, { args, env, stdin: "null" }).output();
      assert.equal(code, 0, new TextDecoder().decode(stderr));
      return new TextDecoder().decode(stdout);
    };
    const first = await trace();
    const [{ name }, ...more] = await Array.fromAsync(Deno.readDir(`${folder}/core`));
    assert.deepEqual(more, []);
    const { mtime } = await Deno.stat(`${folder}/core/${name}`);
    assert.equal(await trace(), first);
    assert.deepEqual((await Deno.stat(`${folder}/core/${name}`)).mtime, mtime);
  });
});
