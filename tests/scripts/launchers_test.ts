// Checks of the shell launchers before they start the engine, on computers that lack something.

import assert from "node:assert/strict";
import { debianLauncher } from "../../scripts/dist/debian-package.ts";
import { pack, programName } from "../../scripts/dist/one-file.ts";
import { launcher } from "../../scripts/install.ts";
import { codeProbe, PROBE_MACHINES, probeName } from "../../scripts/launch/code-probe.ts";
import { disassemble } from "../../src/cpu/isa/disassemble.ts";
import { limitsText, readLimits } from "../../src/kit/support/computer/limits.ts";
import { amount, boundText, CONDITIONS, GROUP_BOUNDS, PROCESS_BOUNDS } from "../../src/kit/support/computer/needs.ts";
import { inFolder } from "../support/temporary-folder.ts";
import {
  after,
  assertGivenBack,
  assertOwnCache,
  assertRefused,
  CAN_MOUNT,
  DYING,
  hardened,
  mounted,
  run,
  STARTED,
  writeProgram,
} from "./surroundings.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const TARGET = `${Deno.build.arch}-unknown-linux-gnu`;
const LINUX = { ignore: Deno.build.os !== "linux" };
const MOUNTS = { ignore: !CAN_MOUNT };

/** The option of bash's ulimit for each limit, and its unit. */
const ULIMIT: Readonly<Record<string, readonly [option: string, unit: number]>> = {
  "address-space": ["-v", 1024],
  data: ["-d", 1024],
  stack: ["-s", 1024],
  "file-size": ["-f", 1024],
  "open-files": ["-n", 1],
  processes: ["-u", 1],
};

/** Writes a launcher of `deno task install` whose engine says that it was started. */
function installed(folder: string): string {
  writeProgram(`${folder}/deno`, STARTED);
  writeProgram(`${folder}/el2`, launcher(`${folder}/deno`, "1.2.3", ROOT));
  return `${folder}/el2`;
}

/** Writes a one file with an engine. */
async function oneFile(folder: string, engine = STARTED): Promise<string> {
  for (const name of ["split", "page"]) await Deno.mkdir(`${folder}/${name}`);
  await Deno.writeTextFile(`${folder}/split/el2.js`, "");
  await pack(
    { folder, split: `${folder}/split`, page: `${folder}/page` } as Parameters<typeof pack>[0],
    TARGET,
    new TextEncoder().encode(engine),
  );
  return `${folder}/${programName(TARGET)}`;
}

Deno.test(
  "a launcher refuses each limit that is lower than the engine needs, and takes the least",
  LINUX,
  () =>
    inFolder(async (folder) => {
      const el2 = installed(folder), preflight = ["sh", `${ROOT}scripts/preflight.sh`];
      for (const bound of PROCESS_BOUNDS) {
        const [option, unit] = ULIMIT[bound.code], least = bound.least / unit, low = least - 1;
        const says = boundText(bound, amount(low * unit, bound.unit));
        for (const words of [[el2, "ls"], preflight]) assertRefused(await run(after(`ulimit ${option} ${low}`, words)), says, bound.wayOut);
        assert.equal((await run(after(`ulimit ${option} ${least}`, [el2]))).code, 0, bound.code);
      }
    }),
);

Deno.test("the least limits are enough for the engine", LINUX, async () => {
  const limits = PROCESS_BOUNDS.map(({ code, least }) => `ulimit ${ULIMIT[code][0]} ${least / ULIMIT[code][1]}`).join(" && ");
  const program = new URL("../../main.ts", import.meta.url).pathname;
  const { PERMISSIONS } = await import("../../src/app/cli/common/runtime.ts");
  const words = [Deno.execPath(), "run", "-q", "--no-check", ...PERMISSIONS, program, "run", "demo", "--headless", "--for", "10ms"];
  const { code, stdout, stderr } = await run(after(limits, words), { NO_COLOR: "1" });
  assert.equal(code, 0, stderr);
  assert.match(stdout, /hello from EL1/);
});

Deno.test("shell and TypeScript find the same limits", LINUX, () =>
  inFolder(async (folder) => {
    const el2 = installed(folder), read = ["cat", "/proc/self/limits"];
    for (const limits of ["true", "ulimit -n 512", "ulimit -s 4096 && ulimit -n 100", "ulimit -v 99999999"]) {
      const { stdout: found } = await run(after(limits, [el2]));
      const { stdout: text } = await run(after(limits, read));
      const expected = readLimits((path) => path === "/proc/self/limits" ? text : systemText(path));
      const sorted = (text: string) => text.trim().split(" ").sort();
      assert.deepEqual(sorted(found), sorted(`started: ${limitsText(expected)}`));
    }
  }));

function systemText(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined;
  }
}

/** Text of /proc/self/cgroup, files below /sys/fs/cgroup, the limits of memory and processes. */
const GROUPS: readonly (readonly [cgroup: string, files: Readonly<Record<string, string>>, memory: number, pids: number])[] = [
  ["0::/a/b", { "a/b/memory.max": "max", "a/memory.max": "629145600", "a/b/pids.max": "99" }, 629145600, 99],
  // A container sees its own files at the top, whatever the path says.
  ["0::/system.slice/docker-1", { "memory.max": "700000000" }, 700000000, Infinity],
  [
    "9:name=systemd:/x\n4:memory:/x/y\n3:cpu,pids:/x\n0::/",
    { "memory/memory.limit_in_bytes": "9223372036854771712", "memory/x/memory.limit_in_bytes": "268435456", "pids/x/pids.max": "77" },
    268435456,
    77,
  ],
  ["0::/", {}, Infinity, Infinity],
  ["", {}, Infinity, Infinity],
];

Deno.test("a launcher finds the least limit of the control groups, of both versions", MOUNTS, () =>
  inFolder(async (folder) => {
    const el2 = installed(folder);
    for (const [cgroup, files, memory, pids] of GROUPS) {
      const read = (path: string) =>
        path === "/proc/self/cgroup" ? cgroup : path.startsWith("/sys/fs/cgroup/") ? files[path.slice(15)] : undefined;
      const limits = readLimits(read);
      assert.deepEqual([limits.get("group-memory"), limits.get("group-processes")], [memory, pids], cgroup);
      const { code, stdout, stderr } = await run(mounted(planted(folder, cgroup, files), [el2]));
      assert.equal(code, 0, stderr);
      assert.equal(stdout.trim().split(" ").slice(-2).join(" "), limitsText(limits).split(" ").slice(-2).join(" "), cgroup);
    }
    for (const bound of GROUP_BOUNDS) {
      const limit = bound.least - 1, file = `unit/${bound.files.v2}`;
      const outcome = await run(mounted(planted(folder, "0::/unit", { [file]: String(limit) }), [el2]));
      assertRefused(outcome, boundText(bound, amount(limit, bound.unit)), bound.wayOut);
    }
  }));

/** Lines of bash that put control groups around the process. */
function planted(folder: string, cgroup: string, files: Readonly<Record<string, string>>): string {
  Deno.writeTextFileSync(`${folder}/cgroup`, `${cgroup}\n`);
  const writes = Object.entries(files).map(([name, text]) =>
    `mkdir -p /sys/fs/cgroup/$(dirname ${name}) && echo ${text} >/sys/fs/cgroup/${name}`
  );
  return ["mount -t tmpfs none /sys/fs/cgroup", ...writes, `mount --bind ${folder}/cgroup /proc/$$/cgroup`].join(" && ");
}

Deno.test("launchers refuse where memory cannot be made executable", LINUX, () =>
  inFolder(async (folder) => {
    const { program, rules } = await hardened(folder), { says, wayOut } = CONDITIONS.code;
    const el2 = installed(folder), one = await oneFile(folder), env = { EL2_RUNTIME: `${folder}/runtime` };
    for (const words of [[el2], [one], ["sh", `${ROOT}scripts/preflight.sh`]]) {
      assert.equal((await run(words, env)).code, 0);
      for (const rule of rules) assertRefused(await run([program, rule, ...words], env), says, wayOut);
    }
  }));

Deno.test("launchers refuse without /proc, and in a folder that is gone", MOUNTS, () =>
  inFolder(async (folder) => {
    const env = { EL2_RUNTIME: `${folder}/runtime` };
    for (const words of [[installed(folder)], [await oneFile(folder)], ["sh", `${ROOT}scripts/preflight.sh`]]) {
      const { proc, folder: gone } = CONDITIONS;
      assertRefused(await run(mounted("mount -t tmpfs none /proc", words), env), proc.says, proc.wayOut);
      const leave = `mkdir ${folder}/gone && cd ${folder}/gone && rmdir ${folder}/gone`;
      assertRefused(await run(after(leave, words), env), gone.says, gone.wayOut);
    }
  }));

Deno.test("the launcher of Debian's package gives the engine no cache that others can change", LINUX, () =>
  inFolder(async (folder) => {
    writeProgram(`${folder}/deno`, STARTED);
    writeProgram(`${folder}/code-probe`, "#!/bin/sh\n");
    writeProgram(`${folder}/el2`, debianLauncher(TARGET, folder));
    const cache = `${folder}/cache`;
    await assertOwnCache(cache, () => run([`${folder}/el2`], { EL2_CACHE: cache }));
  }));

Deno.test("the one file says that glibc is missing or old before it unpacks anything", MOUNTS, () =>
  inFolder(async (folder) => {
    const one = await oneFile(folder), env = { EL2_RUNTIME: `${folder}/runtime` }, { says, wayOut } = CONDITIONS.loader;
    // A program that runs already needs its loader no more.
    const hidden = `. /dev/null; hide=$(dirname "$(readlink -e ${Deno.build.arch === "x86_64" ? "/lib64" : "/lib"})/x")`;
    const outcome = await run(["unshare", "--mount", "sh", "-c", `${hidden}; mount -t tmpfs none "$hide" && . ${one}`], env);
    assertRefused(outcome, says, wayOut);
    assert.throws(() => Deno.statSync(`${folder}/runtime`), Deno.errors.NotFound);
    const line = "deno: /lib/libc.so.6: version `GLIBC_2.27' not found (required by deno)";
    const old = await oneFile(
      `${await Deno.makeTempDir({ dir: folder })}`,
      `#!/bin/sh\necho "${line.replaceAll("`", "\\`")}" >&2\nexit 1\n`,
    );
    assertRefused(await run([old], env), `the engine does not start here: ${line}`, wayOut);
    assert.deepEqual([...Deno.readDirSync(`${folder}/runtime`)], []);
  }));

Deno.test("the one file says why it cannot unpack itself: no exec, no room, read-only", MOUNTS, () =>
  inFolder(async (folder) => {
    const one = await oneFile(folder, `${STARTED}#${"x".repeat(100_000)}\n`), env = { EL2_RUNTIME: "/mnt" };
    const on = async (options: string) => await run(mounted(`mount -t tmpfs -o mode=700,${options} none /mnt`, [one]), env);
    assertRefused(await on("noexec"), "programs in /mnt cannot be executed: it is mounted noexec", "name another folder with EL2_RUNTIME");
    assertRefused(
      await on("size=16k"),
      "cannot unpack 1 MB into /mnt: there is no room, or this file is damaged",
      "name another folder with EL2_RUNTIME",
    );
    assertRefused(await on("ro"), "cannot write to /mnt", "name a writable folder with EL2_RUNTIME");
  }));

Deno.test("the probes of executable memory are those of their source (deno task reference writes them)", async () => {
  for (const machine of PROBE_MACHINES) {
    const file = `${ROOT}assets/launch/${probeName(machine)}`;
    assert.deepEqual(Deno.readFileSync(file), codeProbe(machine));
    // A checkout has the modes that the umask leaves.
    assert.equal((Deno.statSync(file).mode ?? 0) & 0o100, 0o100);
  }
  if (Deno.build.os === "linux") assert.equal((await run([`${ROOT}assets/launch/${probeName(Deno.build.arch)}`])).code, 0);
  const bytes = codeProbe("aarch64"), words = new Uint32Array(bytes.buffer.slice(64 + 56));
  assert.deepEqual([...words].map((word) => disassemble(word, 0n).replace("\t", " ")), [
    ...["movz x0, #0x0", "movz x1, #0x1000", "movz x2, #0x0", "movz x3, #0x22", "movn x4, #0x0", "movz x5, #0x0"],
    ...["movz x8, #0xde", "svc #0x0", "movz x2, #0x7", "movz x8, #0xe2", "svc #0x0", "sub x0, xzr, x0", "movz x8, #0x5e", "svc #0x0"],
  ]);
});

Deno.test("the launchers give the terminal back after an engine that was killed", LINUX, () =>
  inFolder(async (folder) => {
    await assertGivenBack(await oneFile(folder, `${DYING.replace("\n", "\n[ $1 = run ] || exit 0\n")}`), {
      EL2_RUNTIME: `${folder}/runtime`,
    });
    writeProgram(`${folder}/deno`, DYING);
    writeProgram(`${folder}/el2`, debianLauncher(TARGET, folder));
    await assertGivenBack(`${folder}/el2`, { EL2_CACHE: `${folder}/cache` });
    writeProgram(`${folder}/el2`, launcher(`${folder}/deno`, "1.2.3", ROOT));
    await assertGivenBack(`${folder}/el2`);
  }));
