// Commands whose result only their parent wants, when that is killed: they end as well.

import assert from "node:assert/strict";
import { Place } from "./place.ts";
import { el2Command, runs } from "../../support/el2.ts";
import { eventually } from "../../support/eventually.ts";

const SHELL = '"$@" <&3 & echo "pid $!"; wait';

/** A command below a shell, in a folder. */
function below(folder: string, ...args: string[]) {
  const env = { XDG_RUNTIME_DIR: folder, EL2_SESSION: "" }, words = ["-c", `exec 3<&0; ${SHELL}`, "sh", ...el2Command(...args)];
  const shell = new Deno.Command("sh", { args: words, cwd: folder, env, stdin: "piped", stdout: "piped", stderr: "null" }).spawn();
  const reader = shell.stdout.pipeThrough(new TextDecoderStream()).getReader(), stdin = shell.stdin.getWriter();
  let text = "";
  /** Waits until it has printed this. */
  const printed = async (pattern: RegExp): Promise<RegExpExecArray> => {
    for (;;) {
      const match = pattern.exec(text);
      if (match) return match;
      const { done, value } = await reader.read();
      assert.ok(!done, text);
      text += value;
    }
  };
  return {
    printed,
    send: (text: string) => stdin.write(new TextEncoder().encode(text)),
    /** Kills the shell, and waits until the command has ended. Its pipes stay open until then. */
    async killed(): Promise<void> {
      const pid = Number((await printed(/^pid (\d+)$/m))[1]);
      assert.ok(runs(pid));
      shell.kill("SIGKILL");
      await shell.status;
      await eventually(() => Promise.resolve(runs(pid)), (running) => !running);
      await Promise.allSettled([reader.cancel(), stdin.close()]);
    },
  };
}

Deno.test("el2 test ends with the shell of its job", async () => {
  await using place = new Place();
  const steps = '[[step]]\nboot = "demo"\n[[step]]\nexpect_console = "never printed"\nof = "hello"\nwithin = "1000000s"\n';
  await Deno.writeTextFile(`${place.folder}/long.test.toml`, `el2_test = 1\nname = "long"\n${steps}`);
  const job = below(place.folder, "test", "long.test.toml");
  await job.printed(/^TAP version/m);
  await job.killed();
});

Deno.test("el2 console --expect ends with the shell of its script, and leaves the session", async () => {
  await using place = new Place();
  await place.up("one");
  const clients = async () => JSON.parse((await place.el2("ls", "--json")).stdout).data[0].clients as number;
  const alone = await clients();
  const script = below(place.folder, "console", "hello", "--expect", "never printed", "--timeout", "1000000s");
  await eventually(clients, (now) => now > alone);
  await script.killed();
  assert.equal(await eventually(clients, (now) => now === alone), alone);
});

Deno.test("el2 dap ends with the program that started it, though its pipes stay open", async () => {
  await using place = new Place();
  const editor = below(place.folder, "dap"), body = JSON.stringify({ seq: 1, type: "request", command: "initialize", arguments: {} });
  await editor.send(`Content-Length: ${body.length}\r\n\r\n${body}`);
  await editor.printed(/"command":"initialize"/);
  await editor.killed();
});
