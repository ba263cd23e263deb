// Real signals, sent by processes that are started for it.

import assert from "node:assert/strict";

const MODULE = new URL("../../../../src/app/tui/app/suspend.ts", import.meta.url).href;
const PROGRAM = `console.log(await (await import(${JSON.stringify(MODULE)})).stopUntilContinued() ? "continued" : "not stopped")`;
/** The program as a word of a shell. */
const RUN = `'${Deno.execPath()}' eval --no-lock '${PROGRAM}'`;

async function shell(script: string): Promise<string> {
  const { stdout } = await new Deno.Command("setsid", { args: ["--wait", "bash", "-c", script], stdin: "null", stderr: "null" }).output();
  return new TextDecoder().decode(stdout);
}

Deno.test({
  name: "a process stops until it is continued; where nobody could continue it, it is not stopped",
  ignore: Deno.build.os !== "linux",
  async fn() {
    assert.equal(await shell(`exec ${RUN}`), "not stopped\n");
    // A shell with jobs gives the program its own group, which it can continue.
    const untilStopped = "for i in $(seq 200); do grep -q '^State:.T' /proc/$!/status && break; sleep 0.1; done";
    assert.equal(await shell(`set -m; ${RUN} & ${untilStopped}; kill -CONT $!; wait -f $!`), "continued\n");
  },
});
