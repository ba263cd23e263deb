// Limits and folders of the computer, as el2 itself meets them: warnings, refusals, `el2 doctor`.

import assert from "node:assert/strict";
import { FROM_SOURCES } from "../../../src/session/worker/prepared-program.ts";
import { LIMITS_VARIABLE } from "../../../src/kit/support/computer/limits.ts";
import { amount, BOUNDS, boundText } from "../../../src/kit/support/computer/needs.ts";
import { MiB } from "../../../src/kit/support/values/sizes.ts";
import { denoFolder, el2Command } from "../../support/el2.ts";
import { LONG } from "../../support/long.ts";
import { inFolder } from "../../support/temporary-folder.ts";
import { after, CAN_MOUNT, mounted, run } from "../../scripts/surroundings.ts";
import { A64, el2Process, el2With, imageOf, SYSTEM_OFF } from "./program.ts";

const LINUX = { ignore: Deno.build.os !== "linux" };
/** The launcher of a program finds limits anew. */
const SOURCES = { ignore: Deno.env.has("EL2_PROGRAM") };

/** An image that ends at once. */
const OFF = imageOf([...A64.loadW0(SYSTEM_OFF), A64.hvc]);

/** The rows of `el2 doctor` where a launcher has found these limits. */
async function doctor(limits: string, env: Readonly<Record<string, string>> = {}) {
  const { stdout } = await el2Process(["doctor", "--json"], { [LIMITS_VARIABLE]: limits, ...env });
  const rows = JSON.parse(stdout).data as { id: string; ok: boolean; says: string; remedy: string }[];
  return (id: string) => rows.find((row) => row.id === id)!;
}

Deno.test("doctor says each limit of the launchers' list in the launchers' words", SOURCES, async () => {
  const low = BOUNDS.map(({ code, least }) => `${code}=${least - 1}`).join(" ");
  const { ok, says, remedy } = (await doctor(low))("limits");
  assert.equal(ok, false);
  for (const bound of BOUNDS) {
    assert.ok(says.includes(boundText(bound, amount(bound.least - 1, bound.unit))), bound.code);
    assert.ok(remedy.includes(bound.wayOut), bound.code);
  }
  const enough = (await doctor("stack=8388608 open-files=1024 group-memory=unlimited"))("limits");
  assert.deepEqual(enough, {
    id: "limits",
    ok: true,
    says: "the stack 8 MiB (ulimit -s), the number of open files 1024 (ulimit -n)",
    remedy: "",
  });
  assert.match((await doctor(""))("limits").says, /^not known: /);
});

Deno.test("doctor and a run say that a control group has less memory than a machine may use", SOURCES, () =>
  inFolder(async (folder) => {
    const limits = `group-memory=${600 * MiB}`, { says, remedy } = (await doctor(limits))("memory");
    assert.deepEqual([says, remedy], [
      "the control group allows 600 MiB",
      "give machines at most --memory 472MiB, or allow the group more",
    ]);
    await Deno.writeFile(`${folder}/image`, OFF);
    for (const [memory, warned] of [["1GiB", true], ["256MiB", false]] as const) {
      const { stderr } = await el2With({ [LIMITS_VARIABLE]: limits }, "boot", `${folder}/image`, "--memory", memory);
      const warning = "el2: the control group allows 600 MiB, and this machine may use 1 GiB of RAM and 128 MiB for el2 itself; ";
      assert.equal(stderr.startsWith(warning), warned, stderr);
    }
  }));

Deno.test("a machine that does not fit in the memory of its process is refused, with a way out", LINUX, () =>
  inFolder(async (folder) => {
    await Deno.writeFile(`${folder}/image`, OFF);
    const words = el2Command("boot", `${folder}/image`, "--memory", "3000MiB");
    const { code, stderr } = await run(after(`ulimit -d ${3 << 20}`, words), { NO_COLOR: "1" });
    assert.equal(code, 2, stderr);
    assert.match(
      stderr,
      /^el2: the system does not give el2 the \S+ of the machine's memory; use less memory, or raise ulimit -v and -d$/m,
    );
    assert.doesNotMatch(stderr, /bug/);
  }));

Deno.test("doctor says that a home is read-only or full", { ignore: !CAN_MOUNT }, () =>
  inFolder(async (folder) => {
    const env = { EL2_CACHE: "", XDG_CACHE_HOME: "", XDG_STATE_HOME: "", EL2_RUNTIME: `${folder}/runtime`, DENO_DIR: denoFolder() };
    const full = "mount -t tmpfs -o size=16k none /mnt && ! dd if=/dev/zero of=/mnt/fill bs=4k 2>/dev/null";
    for (const [mount, why] of [["mount -t tmpfs -o ro none /mnt", "Read-only file system"], [full, "No space left on device"]]) {
      const words = mounted(mount, el2Command("doctor", "--json")), { code, stdout, stderr } = await run(words, { ...env, HOME: "/mnt" });
      assert.equal(code, 1, stderr);
      const { ok, says, remedy } = JSON.parse(stdout).data.find(({ id }: { id: string }) => id === "folders");
      assert.equal(ok, false);
      assert.match(
        says,
        new RegExp(`^cache: /mnt/.cache/el2 cannot be written: ${why}.*; .*: /mnt/.local/state/el2/recordings cannot be written: ${why}`),
      );
      assert.equal(remedy, "set EL2_CACHE to a writable folder\nset XDG_STATE_HOME to a writable folder");
    }
    const good = (await doctor("", { EL2_CACHE: `${folder}/new/cache`, XDG_STATE_HOME: folder }))("folders");
    assert.deepEqual([good.ok, good.remedy], [true, ""]);
    // Nothing is made.
    assert.deepEqual([...Deno.readDirSync(folder)], []);
  }));

Deno.test("libraries that Deno cannot put anywhere are one line", SOURCES, () =>
  inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/file`, "");
    for (const args of [["ls"], ...LONG ? [["run", "demo"]] : []]) {
      // The prepared program has its libraries in it.
      const { code, stdout, stderr } = await el2Process(args, { DENO_DIR: `${folder}/file/deno`, [FROM_SOURCES]: "1" });
      assert.deepEqual([code, stdout], [1, ""]);
      assert.match(
        stderr,
        /^el2: its libraries cannot be loaded: .*Not a directory.*; Deno fetches them once, into DENO_DIR: .*\n$/,
      );
    }
  }));

Deno.test("libraries that Deno cannot fetch are one line, also of the workers that need them", SOURCES, () =>
  inFolder(async (folder) => {
    // A registry that has nothing: Deno would try again for a minute where nobody answers. A
    // library of the workers is missing before the command line knows that its own are.
    await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async ({ url }) => {
      if (!url.includes("/valibot/")) await new Promise((resolve) => setTimeout(resolve, 400));
      return new Response("", { status: 404 });
    });
    const { port } = server.addr;
    for (const args of [["ls"], ["run", "demo", "--headless"], ["trace", "calls", "demo"]]) {
      const env = { DENO_DIR: `${folder}/deno`, NPM_CONFIG_REGISTRY: `http://127.0.0.1:${port}/`, [FROM_SOURCES]: "1" };
      const { code, stdout, stderr } = await el2Process(args, env);
      assert.deepEqual([code, stdout], [1, ""]);
      assert.match(stderr, /^el2: its libraries cannot be loaded: .*; Deno fetches them once, into DENO_DIR: .*\n$/, args.join(" "));
    }
  }));
