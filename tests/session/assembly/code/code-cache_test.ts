// Compiled regions by content: code that comes back has its module, from this process or from the
// cache folder, and no damage to a file changes what a guest does.

import assert from "node:assert/strict";
import { CodeCache } from "../../../../src/session/assembly/code/code-cache.ts";
import { decodeFile, encodeFile } from "../../../../src/session/assembly/code/code-file.ts";
import type { CodeSignature, RegionModule } from "../../../../src/cpu/core/boot.ts";
import { type CodeBacking, RegionStore } from "../../../../src/cpu/core/translator/region-store.ts";
import { A64, imageOf, SYSTEM_OFF } from "../../../app/cli/program.ts";
import { type Line, Machine, RAM_BASE } from "../../../cpu/core/program.ts";
import { el2Command } from "../../../support/el2.ts";
import { Random } from "../../../support/random.ts";
import { inFolder } from "../../../support/temporary-folder.ts";
import { LONG } from "../../../support/long.ts";

const EAGER = { tier: "jit", hotness: { samples: 1, landings: 2, slice: 50 } } as const;
const CODE = RAM_BASE + 0x1000;

/** Sums numbers in a function that a loop calls; `step` is what each call adds. */
function summing(step: number): Line[] {
  return [
    ["movz x0, #0x0", 0xd2800000],
    ["movz x1, #0x3e8", 0xd2807d01],
    ["bl", 0x94000004],
    ["subs x1, x1, #0x1", 0xf1000421],
    ["b.ne", 0x54ffffc1],
    ["b", 0x17fffffb],
    [`add x0, x0, #0x${step.toString(16)}`, 0x91000000 | step << 10],
    ["ret", 0xd65f03c0],
  ];
}

/** Runs a program at an address; its registers, and the regions that were found. */
function run(
  regions: RegionStore | undefined,
  step: number,
  at = CODE,
): { registers: string; found: number; cached: number; modules: number } {
  const machine = regions ? new Machine({ ...EAGER, regions }) : new Machine();
  machine.load(at, summing(step));
  machine.run(1, at);
  for (const budget of [7, 1000, 333, 5000, 2, 10_000]) assert.equal(machine.run(budget).retired, budget);
  const { returned = 0, cached = 0, modules = 0 } = machine.core.counters.translator ?? {};
  return { registers: machine.registers(), found: returned + cached, cached, modules };
}

/** A program of which nothing is known but its name. */
const program = (name = "this") => () => name;

/** A cache in a folder that has what programs with these steps were translated to. */
function filled(folder: string, ...steps: readonly number[]): void {
  const cache = new CodeCache(folder, program());
  for (const step of steps) run(new RegionStore(cache), step);
  cache.save();
}

function fileOf(folder: string): string {
  const names = Array.from(Deno.readDirSync(folder), ({ name }) => name);
  assert.equal(names.length, 1, names.join());
  return `${folder}/${names[0]}`;
}

/** Modules in memory alone, each of which is the same whenever it is made again. */
class CheckedBacking implements CodeBacking {
  readonly made = new Map<string, string>();
  again = 0;

  load(): undefined {}

  keep(signature: CodeSignature, { bytes, sizes }: RegionModule): void {
    const key = signature.join(), text = `${bytes.toHex()} ${sizes}`, before = this.made.get(key);
    if (before !== undefined) this.again++;
    if (before !== undefined) assert.equal(text, before, "one signature stands for two modules");
    this.made.set(key, text);
  }
}

Deno.test("a module follows from its signature, wherever its code lies and whatever was translated before", () => {
  const backing = new CheckedBacking(), store = () => new RegionStore(backing, 0);
  for (const step of [1, 2, 3]) {
    const { registers } = run(undefined, step);
    for (const _ of [1, 2]) assert.equal(run(store(), step).registers, registers);
  }
  // Other code first: numbers of regions and decoded pages are other ones.
  const machine = new Machine({ ...EAGER, regions: store() });
  for (const [at, step] of [[CODE + 0x7000, 9], [CODE + 0x3000, 1], [CODE, 2]] as const) {
    machine.load(at, summing(step));
    machine.run(1, at);
    machine.run(20_000);
  }
  assert.ok(backing.again >= 5, `${backing.again} modules were made again`);
});

Deno.test("code that comes back in a process has its modules", () => {
  const regions = new RegionStore(), first = run(regions, 1), again = run(regions, 1, CODE + 0x5000), other = run(regions, 2);
  assert.equal(first.found, 0);
  assert.ok(again.modules > 0);
  assert.equal(again.found, again.modules);
  assert.equal(again.registers, run(undefined, 1, CODE + 0x5000).registers);
  assert.ok(other.found < other.modules, "other code was found as well");
  assert.equal(other.registers, run(undefined, 2).registers);
});

Deno.test("modules that are found again have a bound; what was used last stays", () => {
  const capacity = 8000, regions = new RegionStore(undefined, capacity);
  for (let step = 1; step <= 30; step++) {
    assert.equal(run(regions, step).registers, run(undefined, step).registers);
    assert.ok(regions.bytes <= capacity);
  }
  const [last, first] = [run(regions, 30), run(regions, 1)];
  assert.equal(last.found, last.modules);
  assert.ok(first.found < first.modules);
});

Deno.test("a store with the wrong modules is noticed", () => {
  const modules: { signature: CodeSignature; module: RegionModule }[] = [];
  const keeping = (into: typeof modules): CodeBacking => ({
    load: () => undefined,
    keep: (signature, module) => void into.push({ signature, module }),
  });
  run(new RegionStore(keeping(modules)), 2);
  // For each module asked for, one of the same shape, made from other code.
  const wrong: CodeBacking = {
    load: ({ length }) => modules.find(({ signature }) => signature.length === length)?.module,
    keep: () => {},
  };
  const { registers, cached } = run(new RegionStore(wrong), 1);
  assert.ok(cached > 0);
  assert.notEqual(registers, run(undefined, 1).registers);
});

Deno.test("what one process has translated, the next has from a file that is ours alone", async () => {
  await inFolder(async (parent) => {
    const folder = `${parent}/code`;
    filled(folder, 1, 2);
    for (const [path, mode] of [[folder, 0o700], [fileOf(folder), 0o600]] as const) {
      assert.equal((await Deno.stat(path)).mode! & 0o777, mode);
    }
    for (const step of [1, 2]) {
      const { registers, cached, modules } = run(new RegionStore(new CodeCache(folder, program())), step);
      assert.equal(cached, modules);
      assert.equal(registers, run(undefined, step).registers);
    }
    assert.equal(run(new RegionStore(new CodeCache(folder, program("another"))), 1).cached, 0);
    assert.equal(run(new RegionStore(new CodeCache(folder, () => undefined)), 1).cached, 0);
  });
});

Deno.test("damaged, truncated and foreign files change nothing but the time", async () => {
  await inFolder(async (folder) => {
    filled(folder, 1, 2, 3);
    const path = fileOf(folder), whole = await Deno.readFile(path), random = new Random(7);
    const right = [1, 2, 3].map((step) => run(undefined, step).registers);
    const damages: (() => Uint8Array)[] = [
      () => whole.map((byte, i) => i === damaged ? byte ^ 1 << random.word() % 8 : byte),
      () => whole.slice(0, damaged),
      () => whole.map((byte, i) => i >= damaged && i < damaged + 64 ? random.word() & 0xff : byte),
      () => Uint8Array.from({ length: damaged }, () => random.word() & 0xff),
      () => new Uint8Array([...whole.subarray(0, damaged), ...whole]),
    ];
    let damaged = 0, cached = 0;
    for (let i = 0; i < (LONG ? 1000 : 50); i++) {
      // Half of them in the index.
      damaged = random.word() % (i % 2 ? whole.length : Math.min(whole.length, 400));
      await Deno.writeFile(path, damages[i % damages.length]());
      const step = 1 + random.word() % 3, outcome = run(new RegionStore(new CodeCache(folder, program())), step);
      assert.equal(outcome.registers, right[step - 1], `damage ${i} at ${damaged}`);
      cached += outcome.cached;
    }
    assert.ok(cached > 0, "no entry of a damaged file was used: the damage always hits all of it");
  });
});

Deno.test("an entry that is damaged is translated anew, and is right in the file afterwards", async () => {
  await inFolder(async (folder) => {
    filled(folder, 1);
    const path = fileOf(folder), bytes = await Deno.readFile(path), whole = bytes.slice();
    bytes[bytes.length - 100] ^= 1;
    await Deno.writeFile(path, bytes);
    const cache = new CodeCache(folder, program()), { cached, modules } = run(new RegionStore(cache), 1);
    assert.ok(cached < modules);
    cache.save();
    assert.deepEqual((await Deno.readFile(path)).length, whole.length);
    assert.equal(run(new RegionStore(new CodeCache(folder, program())), 1).cached, modules);
  });
});

Deno.test("two writers at once leave a whole file, with what both have", async () => {
  await inFolder(async (folder) => {
    const [a, b] = [new CodeCache(folder, program()), new CodeCache(folder, program())];
    for (let step = 1; step < 7; step++) {
      run(new RegionStore(step % 2 ? a : b), step);
      (step % 2 ? a : b).save();
    }
    const entries = decodeFile(await Deno.readFile(fileOf(folder)));
    assert.equal(new Set(entries.map(({ key }) => key)).size, entries.length);
    for (let step = 1; step < 7; step++) {
      const { cached, modules } = run(new RegionStore(new CodeCache(folder, program())), step);
      assert.equal(cached, modules, `step ${step}`);
    }
  });
});

/** A time after all writes, in s since 1970. */
const LATER = 4e9;

Deno.test("entries are found where another process has put them since the folder was searched", async () => {
  await inFolder(async (folder) => {
    const steps = [1, 2, 3];
    filled(folder, ...steps);
    const path = fileOf(folder), bytes = await Deno.readFile(path), reversed = encodeFile(decodeFile(bytes).toReversed());
    assert.equal(reversed.length, bytes.length);
    const rewrite = () => {
      Deno.writeFileSync(path, reversed);
      // The clock of a file system may not advance between two writes.
      Deno.utimeSync(path, LATER, LATER);
    };
    const changes = [rewrite, () => Deno.renameSync(path, path.replace("this-", "this-0"))];
    for (const change of changes) {
      const cache = new CodeCache(folder, program());
      assert.equal(cache.load(Int32Array.of(1)), undefined);
      change();
      for (const step of steps) {
        const { cached, modules } = run(new RegionStore(cache), step);
        assert.equal(cached, modules, `step ${step}`);
      }
    }
  });
});

Deno.test("a process finds the entries that it has saved", async () => {
  await inFolder((folder) => {
    const cache = new CodeCache(folder, program());
    for (const step of [1, 2, 3]) {
      run(new RegionStore(cache), step);
      cache.save();
    }
    for (const step of [1, 2, 3]) {
      const { cached, modules } = run(new RegionStore(cache), step);
      assert.equal(cached, modules, `step ${step}`);
    }
    return Promise.resolve();
  });
});

Deno.test("a folder has a bound: what was written last stays, in files of which each is small", async () => {
  await inFolder((folder) => {
    const capacity = 16_000;
    for (let step = 1; step <= 60; step++) {
      const cache = new CodeCache(folder, program(), capacity);
      run(new RegionStore(cache), step);
      cache.save();
      const sizes = Array.from(Deno.readDirSync(folder), ({ name }) => Deno.statSync(`${folder}/${name}`).size);
      assert.ok(sizes.reduce((sum, size) => sum + size) <= capacity);
      // A program of these tests may have more than the limit of a file.
      assert.ok(Math.max(...sizes) <= capacity / 4, sizes.join());
    }
    const [last, first] = [60, 1].map((step) => run(new RegionStore(new CodeCache(folder, program())), step));
    assert.equal(last.cached, last.modules);
    assert.ok(first.cached < first.modules);
    assert.equal(decodeFile(encodeFile([])).length, 0);
    return Promise.resolve();
  });
});

Deno.test("entries of a file that is gone are translated anew, others of the folder are found", async () => {
  await inFolder((folder) => {
    const capacity = 16_000, steps = [1, 2, 3, 4, 5, 6];
    const writer = new CodeCache(folder, program(), capacity);
    for (const step of steps) run(new RegionStore(writer), step);
    writer.save();
    const cache = new CodeCache(folder, program(), capacity), found = () => steps.map((step) => run(new RegionStore(cache), step));
    assert.ok(found().every(({ cached, modules }) => cached === modules));
    const names = Array.from(Deno.readDirSync(folder), ({ name }) => name);
    assert.ok(names.length > 1, "all are in one file");
    Deno.removeSync(`${folder}/${names[0]}`);
    const left = found();
    assert.ok(left.some(({ cached }) => cached > 0) && left.some(({ cached, modules }) => cached < modules));
    for (const [i, { registers }] of left.entries()) assert.equal(registers, run(undefined, steps[i]).registers);
    return Promise.resolve();
  });
});

Deno.test("a run with more code than there is room for finds some of it each time", async () => {
  await inFolder((folder) => {
    const capacity = 24_000, steps = Array.from({ length: 50 }, (_, i) => i + 1);
    /** Runs all programs in one process: those of which everything was found. */
    const found = () => {
      const cache = new CodeCache(folder, program(), capacity);
      return steps.filter((step) => {
        const { modules, cached } = run(new RegionStore(cache), step);
        return modules === cached;
      }).length;
    };
    assert.equal(found(), 0);
    for (let time = 0; time < (LONG ? 4 : 2); time++) {
      const count = found();
      assert.ok(count > 2 && count < steps.length, `${count} of ${steps.length}`);
    }
    return Promise.resolve();
  });
});

Deno.test("a folder that others can change is neither read nor written, and there is no cache where no file can be", async () => {
  await inFolder(async (parent) => {
    const folder = `${parent}/code`;
    filled(folder, 1);
    const path = fileOf(folder), { mtime } = await Deno.stat(path);
    await Deno.chmod(folder, 0o777);
    const error = console.error, said: string[] = [];
    console.error = (text) => void said.push(text);
    try {
      const cache = new CodeCache(folder, program());
      assert.equal(run(new RegionStore(cache), 1).cached, 0);
      cache.save();
    } finally {
      console.error = error;
    }
    assert.match(said[0], /compiled code is not kept: .* others can change it/);
    assert.deepEqual((await Deno.stat(path)).mtime, mtime);
    await Deno.writeTextFile(`${parent}/file`, "");
    for (const nowhere of ["/proc/none", `${parent}/file`, `${parent}/file/code`]) {
      const cache = new CodeCache(nowhere, program());
      assert.equal(run(new RegionStore(cache), 1).registers, run(undefined, 1).registers);
      cache.save();
    }
  });
});

/** Counts for a while, then ends: movz w5, #0xf000, lsl #16; sub w5, w5, #1; cbnz w5, .-4. */
const GUEST = imageOf([0x52a00c05, 0x510004a5, 0x35ffffe5, ...A64.loadW0(SYSTEM_OFF), A64.hvc]);

Deno.test("a guest runs the same with the code of an earlier run and without; EL2_NO_CODE_CACHE leaves the folder alone", async () => {
  await inFolder(async (folder) => {
    const image = `${folder}/guest.bin`;
    await Deno.writeFile(image, GUEST);
    const boot = async (cache: string, more: Record<string, string> = {}) => {
      const words = ["boot", image, "--stdio", "--memory", "24MiB", "--hash-at", "1000,500000", "--stats"];
      const [program, ...args] = el2Command(...words);
      const env = { EL2_CACHE: `${folder}/${cache}`, NO_COLOR: "1", ...more };
      const { code, stderr } = await new Deno.Command(program, { args, env, stdin: "null" }).output();
      const text = new TextDecoder().decode(stderr);
      assert.equal(code, 0, text);
      const lines = text.split("\n").filter((line) => line.startsWith("{")), stats = lines.findIndex((line) => line.includes("el2.core/1"));
      const [core] = lines.splice(stats, 1);
      return { hashes: lines, ...JSON.parse(core).translator as { modules: number; cached: number } };
    };
    const first = await boot("cache"), second = await boot("cache"), without = await boot("none", { EL2_NO_CODE_CACHE: "1" });
    assert.ok(first.modules > 0);
    assert.deepEqual([first.cached, second.cached, without.cached], [0, second.modules, 0]);
    assert.equal(first.hashes.length, 2);
    assert.deepEqual(second.hashes, first.hashes);
    assert.deepEqual(without.hashes, first.hashes);
    assert.deepEqual(await Array.fromAsync(Deno.readDir(`${folder}/none`), ({ name }) => name), ["core"]);
  });
});
