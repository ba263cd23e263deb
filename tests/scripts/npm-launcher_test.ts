// Checks of npm's launcher before it starts the engine, in a tree of packages whose engine is a
// script.

import assert from "node:assert/strict";
import { codeProbe, PROBE_MACHINES, probeName } from "../../scripts/launch/code-probe.ts";
import { npmLauncher } from "../../scripts/dist/npm-package.ts";
import { PERMISSIONS } from "../../src/app/cli/common/runtime.ts";
import { MALLOC_SETTINGS } from "../../src/kit/support/computer/garbage.ts";
import { killedText, limitsText, readLimits } from "../../src/kit/support/computer/limits.ts";
import { amount, boundText, CONDITIONS, PROCESS_BOUNDS } from "../../src/kit/support/computer/needs.ts";
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

const NAME = `linux-${Deno.build.arch === "x86_64" ? "x64" : "arm64"}-glibc`;
const LINUX = { ignore: Deno.build.os !== "linux" };

/** An installed package: its launcher, and the program that it starts. */
async function installed(folder: string): Promise<{ el2: string; engine: string }> {
  const modules = `${folder}/node_modules`, platform = `${modules}/@deno/${NAME}`, own = `${modules}/el2`;
  for (const path of [platform, own]) await Deno.mkdir(path, { recursive: true });
  await Deno.writeTextFile(`${platform}/package.json`, "{}");
  await npmLauncher(`${own}/el2.cjs`);
  for (const machine of PROBE_MACHINES) writeProgram(`${own}/${probeName(machine)}`, codeProbe(machine));
  writeProgram(`${platform}/deno`, STARTED);
  return { el2: `${own}/el2.cjs`, engine: `${platform}/deno` };
}

Deno.test(
  "npm's launcher starts the engine with the limits that it found, and refuses what the engine cannot bear",
  LINUX,
  () =>
    inFolder(async (folder) => {
      const { el2, engine } = await installed(folder), { program, rules } = await hardened(folder);
      // Deno reads /proc only with all permissions.
      const limits = readLimits((path) => {
        const { success, stdout } = new Deno.Command("cat", { args: [path], stderr: "null" }).outputSync();
        return success ? new TextDecoder().decode(stdout) : undefined;
      });
      assert.deepEqual(await run([el2, "ls"]), { code: 0, stdout: `started:${limitsText(limits)}\n`, stderr: "" });
      const files = PROCESS_BOUNDS.find(({ code }) => code === "open-files")!;
      assertRefused(await run(after("ulimit -n 31", [el2])), boundText(files, amount(31, "count")), files.wayOut);
      const space = PROCESS_BOUNDS.find(({ code }) => code === "address-space")!;
      assertRefused(await run(after(`ulimit -v ${8 << 20}`, [el2])), boundText(space, "8 GiB"), space.wayOut);
      for (const rule of rules) assertRefused(await run([program, rule, el2]), CONDITIONS.code.says, CONDITIONS.code.wayOut);
      const leave = `mkdir ${folder}/gone && cd ${folder}/gone && rmdir ${folder}/gone`;
      assertRefused(await run(after(leave, [el2])), CONDITIONS.folder.says, CONDITIONS.folder.wayOut);
      if (CAN_MOUNT) {
        assertRefused(await run(mounted("mount -t tmpfs none /proc", [el2])), CONDITIONS.proc.says, CONDITIONS.proc.wayOut);
      }
      writeProgram(engine, '#!/bin/sh\necho "$@"\nexport -p\n');
      const { stdout } = await run([el2, "ls", "a b"]);
      assert.ok(stdout.startsWith(`run -q ${PERMISSIONS.join(" ")} --no-config `), stdout);
      assert.match(stdout, /\/el2\.js ls a b\n/);
      for (const [name, value] of Object.entries(MALLOC_SETTINGS)) assert.match(stdout, new RegExp(`${name}=["']?${value}\\b`));
      writeProgram(engine, "#!/bin/sh\nkill -9 $$\n");
      assert.deepEqual(await run([el2]), { code: 137, stdout: "", stderr: `el2: ${killedText(limits)}\n` });
      Deno.chmodSync(engine, 0o644);
      assertRefused(await run([el2]), `${engine} cannot be executed: its file system is mounted noexec`, "install el2 on another one");
    }),
);

Deno.test(
  "npm's launcher says whether the platform's package is missing, or is another platform's",
  LINUX,
  () =>
    inFolder(async (folder) => {
      const { el2 } = await installed(folder), packages = `${folder}/node_modules/@deno`;
      await Deno.rename(`${packages}/${NAME}`, `${packages}/darwin-arm64`);
      assertRefused(
        await run([el2]),
        `node_modules has Deno for darwin-arm64, and this is ${NAME}`,
        "remove node_modules and install here",
      );
      await Deno.remove(packages, { recursive: true });
      assertRefused(await run([el2]), `the package @deno/${NAME} is not installed`, "install again without --omit=optional");
    }),
);

Deno.test("npm's launcher gives the engine no cache that others can change", LINUX, () =>
  inFolder(async (folder) => {
    const { el2 } = await installed(folder), cache = `${folder}/cache`;
    await assertOwnCache(cache, () => run([el2], { EL2_CACHE: cache }));
  }));

Deno.test("npm's launcher gives the terminal back after an engine that was killed", LINUX, () =>
  inFolder(async (folder) => {
    const { el2, engine } = await installed(folder);
    writeProgram(engine, DYING);
    await assertGivenBack(el2, { EL2_CACHE: `${folder}/cache` });
  }));
