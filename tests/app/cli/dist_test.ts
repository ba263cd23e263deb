// The one-file program: what `deno task dist` writes runs without Deno on the PATH, from a folder
// with hostile configuration. Both are with EL2_LONG: tests/dist has the build of CI.

import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import { type Build, DistError } from "../../../scripts/dist/common.ts";
import { compile } from "../../../scripts/dist/one-file.ts";
import { VERSION } from "../../../src/kit/support/version.ts";
import { LONG } from "../../support/long.ts";

const ROOT = new URL("../../..", import.meta.url).pathname;

async function run(program: string, args: readonly string[], env: Record<string, string>, cwd?: string) {
  const command = new Deno.Command(program, { args: [...args], env, clearEnv: true, cwd, stdin: "null", stdout: "piped", stderr: "piped" });
  const { code, stdout, stderr } = await command.output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: decode(stdout), stderr: decode(stderr) };
}

const dist = (folder: string, denort: string) =>
  run(Deno.execPath(), ["task", "-q", "dist", "--only", "file", folder], { ...Deno.env.toObject(), DENORT_BIN: denort }, ROOT);

/** The words of `deno compile` with a runtime: how it was made, or why it is refused. */
async function outcome(build: Build, runtime: string): Promise<string> {
  const before = Deno.env.get("DENORT_BIN");
  Deno.env.set("DENORT_BIN", runtime);
  try {
    return await compile(build, `DENORT_BIN=${runtime}`);
  } catch (error) {
    if (error instanceof DistError) return error.message;
    throw error;
  } finally {
    if (before === undefined) Deno.env.delete("DENORT_BIN");
    else Deno.env.set("DENORT_BIN", before);
  }
}

/**
 * An ELF program of this machine that prints a text and ends with a code: what stands for denort,
 * which no package has.
 */
function printer(text: string, ends: 0 | 60 = 0): Uint8Array<ArrayBuffer> {
  const words = new TextEncoder().encode(text), size = words.length;
  const [machine, code] = Deno.build.arch === "x86_64"
    // mov eax, 1; mov edi, 1; lea rsi, [rip + 16]; mov edx, size; syscall; mov eax, 60; xor edi,
    // edi, or mov edi, eax; syscall
    ? [62, [
      0xb8,
      1,
      0,
      0,
      0,
      0xbf,
      1,
      0,
      0,
      0,
      0x48,
      0x8d,
      0x35,
      16,
      0,
      0,
      0,
      0xba,
      size,
      0,
      0,
      0,
      0x0f,
      5,
      0xb8,
      60,
      0,
      0,
      0,
      ...ends === 0 ? [0x31, 0xff] : [0x89, 0xc7],
      0x0f,
      5,
    ]]
    // mov x0, 1; adr x1, . + 28; mov x2, size; mov x8, 64; svc 0; mov x0, ends; mov x8, 93; svc
    : [
      183,
      [0xd2800020, 0x100000e1, 0xd2800002 | size << 5, 0xd2800808, 0xd4000001, 0xd2800000 | ends << 5, 0xd2800ba8, 0xd4000001].flatMap(
        littleEndian,
      ),
    ];
  const entry = 64 + 56, base = 0x400000n, bytes = new Uint8Array(entry + code.length + size), view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]); // 64 bits, little-endian
  const half = (at: number, value: number) => view.setUint16(at, value, true);
  const double = (at: number, value: bigint) => view.setBigUint64(at, value, true);
  half(16, 2); // ET_EXEC
  half(18, machine);
  view.setUint32(20, 1, true);
  double(24, base + BigInt(entry));
  double(32, 64n); // where the program header is
  half(52, 64);
  half(54, 56);
  half(56, 1);
  half(58, 64);
  view.setUint32(64, 1, true); // PT_LOAD, to be read and executed
  view.setUint32(68, 5, true);
  for (const at of [80, 88]) double(at, base);
  for (const at of [96, 104]) double(at, BigInt(bytes.length));
  double(112, 0x1000n);
  bytes.set(code, entry);
  bytes.set(words, entry + code.length);
  return bytes;
}

const littleEndian = (word: number) => [word & 0xff, word >>> 8 & 0xff, word >>> 16 & 0xff, word >>> 24];

if (LONG) {
  Deno.test("deno compile runs with the runtime that DENORT_BIN names; another file is refused by name, and the old output stays", async () => {
    const folder = await Deno.makeTempDir({ prefix: "el2-dist-test-" });
    try {
      const [denort, script] = [`${folder}/denort`, `${folder}/script`];
      await Deno.writeFile(denort, printer(`${VERSION}\n`), { mode: 0o755 });
      const build = { folder: `${folder}/out`, bundle: `${folder}/out/el2.js`, split: "", page: `${folder}/page`, time: 0 };
      await Deno.mkdir(build.page);
      const compiled = await dist(build.folder, denort);
      assert.equal(compiled.code, 0, compiled.stderr);
      assert.ok(compiled.stdout.trim().endsWith(`: by deno compile with DENORT_BIN=${denort}`), compiled.stdout);
      // The runtime comes first, and the whole program after it.
      const program = await Deno.readFile(`${folder}/out/el2-${VERSION}-${Deno.build.target}`);
      const runtime = await Deno.readFile(denort);
      assert.deepEqual(program.subarray(runtime.length - VERSION.length - 1, runtime.length), runtime.subarray(-VERSION.length - 1));
      const bundle = await Deno.readFile(`${folder}/out/el2.js`);
      assert.ok(Buffer.from(program.buffer).includes(Buffer.from(bundle.slice(bundle.length >> 1, (bundle.length >> 1) + 4096))));
      const written = await Deno.readTextFile(`${folder}/out/SHA256SUMS`);

      // A runtime that ends programs that ask for a worker with fewer rights, another program, the
      // whole deno, and one that answers for another el2.
      await Deno.writeFile(`${folder}/rights`, printer(`${VERSION}\n`, 60), { mode: 0o755 });
      await Deno.writeTextFile(script, "#!/bin/sh\n", { mode: 0o755 });
      await Deno.writeFile(`${folder}/other`, printer("0.0.0\n"), { mode: 0o755 });
      const named = new RegExp(`DENORT_BIN=\\S+ is not denort ${Deno.version.deno};`);
      const rights = /^what deno compile made cannot give its worker rights of its own \(doctor --rights ends with 60\);/;
      for (const wrong of [`${folder}/rights`, "/bin/true", Deno.execPath(), `${folder}/other`]) {
        const message = await outcome(build, wrong);
        assert.match(message, named);
        if (wrong === `${folder}/rights`) assert.match(message, rights);
      }

      // A file that is not a program, and a missing one.
      for (const wrong of [script, `${folder}/none`]) {
        const refused = await dist(`${folder}/out`, wrong);
        assert.equal(refused.code, 1, wrong);
        assert.match(refused.stderr, new RegExp(`^dist: .*DENORT_BIN=${wrong}.* denort ${Deno.version.deno}`, "m"));
        assert.doesNotMatch(refused.stderr, /\bat .*\.ts:\d+/, "no stack trace");
        assert.equal(await Deno.readTextFile(`${folder}/out/SHA256SUMS`), written);
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });

  Deno.test("the one-file program unpacks once, runs the demo from a hostile folder, and names a way out where it cannot write", async () => {
    const home = await Deno.makeTempDir({ prefix: "el2-dist-test-" });
    try {
      const dist = await run(Deno.execPath(), ["task", "-q", "dist", "--only", "file"], Deno.env.toObject(), ROOT);
      assert.equal(dist.code, 0, dist.stderr);
      const program = `${ROOT}dist/el2-${VERSION}-${Deno.build.target}`;
      await Deno.writeTextFile(`${home}/deno.json`, "{ broken");
      await Deno.writeTextFile(`${home}/package.json`, "{ broken");
      const env = { HOME: home, PATH: "/usr/bin:/bin" };

      // Two older versions: one has a session that continues.
      const [running, idle] = ["0123456789abcdef", "fedcba9876543210"].map((hash) => `${home}/.cache/el2/runtime/el2-0.0.1-${hash}`);
      for (const old of [running, idle]) {
        await Deno.mkdir(old, { recursive: true });
        await Deno.writeTextFile(`${old}/el2.js`, "");
        await Deno.copyFile("/bin/sleep", `${old}/deno`);
      }
      const session = new Deno.Command(`${running}/deno`, { args: ["60"], stdin: "null" }).spawn();

      const first = await Promise.all([1, 2, 3].map(() => run(program, ["--version"], env, home)));
      for (const { code, stdout, stderr } of first) assert.deepEqual([code, stdout.trim(), stderr], [0, VERSION, ""]);
      assert.ok((await Deno.stat(`${running}/deno`)).isFile, "what a session runs from stays");
      await assert.rejects(Deno.stat(idle), Deno.errors.NotFound);
      session.kill();
      await session.status;
      const demo = await run(program, [], env, home);
      assert.equal(demo.code, 0, demo.stderr);
      assert.match(demo.stdout, /^ping\| .*message round trips/m);

      const nowhere = await run(program, ["--version"], { HOME: "/proc", PATH: env.PATH });
      assert.equal(nowhere.code, 1);
      assert.match(nowhere.stderr, /^el2: cannot write to \/proc\S+; name a writable folder with EL2_RUNTIME$/m);
      const homeless = await run(program, ["--version"], { PATH: env.PATH });
      assert.match(homeless.stderr, /HOME is not set; name one with EL2_RUNTIME/);

      const kept = `${home}/other`;
      await Deno.mkdir(`${kept}/mine`, { recursive: true });
      assert.equal((await run(program, ["--version"], { EL2_RUNTIME: kept, PATH: env.PATH })).code, 0);
      assert.ok((await Deno.stat(`${kept}/mine`)).isDirectory, "a folder that is not el2's stays");

      const sums = await run("sha256sum", ["-c", "SHA256SUMS"], env, `${ROOT}dist`);
      assert.equal(sums.code, 0, sums.stdout + sums.stderr);

      // With the numbers of CI: they have the full ones on the sources.
      const { EL2_LONG: _, ...short } = Deno.env.toObject();
      const same = await run(Deno.execPath(), ["task", "-q", "test:dist"], short, ROOT);
      assert.equal(same.code, 0, `the end-to-end tests on the one file:\n${same.stdout}${same.stderr}`);
    } finally {
      await Deno.remove(home, { recursive: true });
    }
  });
}
