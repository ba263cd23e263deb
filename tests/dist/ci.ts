// CI beyond one machine, with the build: the matrix of docs/ci.md by the action, and the lines of
// docs/scenarios.md by GNU parallel. In each, one of three parts dies and is run again.

import assert from "node:assert/strict";
import { parse } from "yaml";
import { nativeProgram } from "../../scripts/native-tools.ts";
import { LONG } from "../support/long.ts";
import { startAction, withIdleNpm } from "./action.ts";
import { runIn } from "./programs.ts";
import type { Artefact, AsUser, Environment } from "./user.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const PARTS = 3;

/** The used fields of a workflow of GitHub. */
interface Workflow {
  readonly jobs: Readonly<Record<string, { readonly strategy?: { readonly matrix: { readonly part: number[] } }; readonly steps: Step[] }>>;
}

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, string>>;
}

/** A scenario of one VM whose console must show a text within a time. */
const scenario = (text: string, within: string) =>
  `el2_test = 1\n[[step]]\nboot = "demo"\n[[step]]\nexpect_console = "${text}"\nof = "ping"\nwithin = "${within}"\n`;

/** The tests. @param installed the prefix into which npm has installed el2 */
export function ciTests(artefact: Artefact, asUser: AsUser, installed: (env: Environment) => Promise<string>): void {
  const longArtefact: Artefact = LONG ? artefact : () => {};
  longArtefact(
    "the matrix of the docs runs three parts by the action; one runner dies, its job is run again, and all merge",
    async (here, env) => {
      const prefix = await installed(env), runner = await withIdleNpm(env, here);
      const block = /```yaml\n(jobs:\n(?:(?!```)[^])*matrix:[^]*?)```/.exec(await Deno.readTextFile(`${ROOT}docs/ci.md`))![1];
      const { jobs: { test, merge } } = parse(block) as Workflow;
      assert.equal(test.strategy!.matrix.part.length, PARTS);
      const [action, upload] = ["/el2@", "/upload-artifact@"].map((name) => test.steps.find(({ uses }) => uses?.includes(name))!);
      const ofPart = (text: string, part: number) => text.replaceAll("${{ matrix.part }}", `${part}`);

      /** Starts the job of a part. */
      const start = async (part: number, within: string) => {
        const workspace = await Deno.makeTempDir({ dir: here });
        await Deno.mkdir(`${workspace}/tests`);
        for (const name of ["a", "b", "c"]) await Deno.writeTextFile(`${workspace}/tests/${name}.test.toml`, scenario(".", "1s"));
        // The job that dies has a step that would take an hour.
        await Deno.writeTextFile(`${workspace}/tests/b.test.toml`, scenario(within === "1s" ? "." : "never", within));
        const { artifact: _, ...inputs } = Object.fromEntries(
          Object.entries(action.with!).map(([name, text]) => [name, ofPart(text, part)]),
        );
        await Deno.mkdir(`${workspace}/runner`);
        await Deno.symlink(prefix, `${workspace}/runner/el2`);
        return { workspace, ...await startAction(workspace, `${workspace}/runner`, runner, inputs) };
      };
      const job = async (part: number) => {
        const { workspace, child } = await start(part, "1s");
        const { code, stdout, stderr } = await child.output();
        assert.equal(code, 0, new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr));
        await Deno.rename(`${workspace}/${upload.with!.path}`, `${here}/${ofPart(upload.with!.name, part)}`);
      };

      const dying = await start(2, "3600s");
      const reader = dying.child.stdout.pipeThrough(new TextDecoderStream()).getReader();
      for (let text = ""; !text.includes("TAP version 14");) {
        const { value, done } = await reader.read();
        assert.equal(done, false, text);
        text += value;
      }
      Deno.kill(-dying.child.pid, "SIGKILL");
      await Promise.all([dying.child.status, dying.child.stderr.cancel(), reader.cancel()]);

      await Promise.all([job(1), job(3)]);
      // The last job's npx would fetch the package that is installed here.
      await Deno.mkdir(`${here}/node_modules/.bin`, { recursive: true });
      await Deno.symlink(`${prefix}/bin/el2`, `${here}/node_modules/.bin/el2`);
      const line = merge.steps.at(-1)!.run!.replace(/--package https:\S+/, "");
      const incomplete = await runIn(here, "sh", ["-c", line], runner);
      assert.equal(incomplete.code, 1, incomplete.stdout);
      assert.match(incomplete.stderr, /^el2: no results of part 2\/3; run it again with --shard 2\/3 and the same files$/m);
      await job(2);
      const whole = await runIn(here, "sh", ["-c", line], runner);
      assert.equal(whole.code, 0, whole.stdout + whole.stderr);
      assert.match(whole.stdout, /^1\.\.6$/m);
      assert.equal((await Deno.readTextFile(`${here}/results.xml`)).match(/<testsuite /g)?.length, PARTS);
    },
  );

  longArtefact(
    "GNU parallel runs three parts by the lines of the docs; one dies, is run again, and all merge",
    asUser(async (user) => {
      // The first attempt at part 2 dies.
      const { here, program } = user, dies = `${here}/dies`;
      const starter = `case "$*" in *"--shard 2/3"*) if [ -f '${dies}' ]; then rm '${dies}'; kill -9 $$; fi ;; esac`;
      await Deno.mkdir(`${here}/bin`);
      await Deno.writeTextFile(`${here}/bin/el2`, `#!/bin/sh\n${starter}\nexec '${program}' "$@"\n`, { mode: 0o755 });
      await Deno.writeTextFile(dies, "");
      await Deno.mkdir(`${here}/examples`);
      for (const name of ["one", "two", "three"]) {
        await Deno.copyFile(`${ROOT}examples/refused-lend.test.toml`, `${here}/examples/${name}.test.toml`);
      }
      const lines = /```sh\n(parallel [^`]*)```/.exec(await Deno.readTextFile(`${ROOT}docs/scenarios.md`))![1].trim().split("\n");
      assert.equal(lines.length, 3);
      const parallel = (await nativeProgram("parallel")).replace(/\/[^/]*$/, "");
      const env = { ...user.env, PATH: `${here}/bin:${parallel}:${user.env.PATH}` };
      const [first, again, merged] = [
        await runIn(here, "sh", ["-c", lines[0]], env),
        await runIn(here, "sh", ["-c", lines[1]], env),
        await runIn(here, "sh", ["-c", lines[2]], env),
      ];
      assert.deepEqual([first.code, again.code, merged.code], [1, 0, 0], JSON.stringify([first, again, merged]));
      assert.match(merged.stdout, /^1\.\.12$/m);
    }),
  );
}
