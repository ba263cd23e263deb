import assert from "node:assert/strict";
import { el2Command } from "../../../../support/el2.ts";
import { Place } from "../../place.ts";

Deno.test("gdb of a VM that there is not ends with 1, --event of one VM with 2, without a session with 3", async () => {
  await using place = new Place();
  assert.equal((await place.el2("gdb", "ping")).code, 3);
  await place.up("one");
  const none = await place.el2("gdb", "pign");
  assert.deepEqual([none.code, /pign/.test(none.stderr)], [1, true], none.stderr);
  const events = await place.el2("gdb", "ping", "--event", "kind=hvc");
  assert.deepEqual([events.code, /el2 gdb el2/.test(events.stderr)], [2, true], events.stderr);
});

/** A server of gdb, which has said where it listens. */
async function served(place: Place, ...args: string[]) {
  const [program, ...rest] = el2Command("gdb", ...args);
  const env = { NO_COLOR: "1", XDG_RUNTIME_DIR: place.folder, EL2_SESSION: "" };
  const child = new Deno.Command(program, { args: rest, stdin: "null", stdout: "null", stderr: "piped", env }).spawn();
  const reader = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  let said = "";
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    said += part.value;
    if (said.includes("\n")) break;
  }
  const [, where] = /target remote (\S+)'/.exec(said) ?? [];
  return { child, where, said, end: () => reader.cancel() };
}

Deno.test("gdb connects to a socket that only its user can open; an interrupted server leaves none, and replaces no other file", async () => {
  await using place = new Place();
  await place.up("one");
  const path = `${place.folder}/el2/one.gdb`;
  await Deno.writeTextFile(path, "kept");
  const refused = await place.el2("gdb", "ping");
  assert.deepEqual([refused.code, /one\.gdb exists, and is not a socket/.test(refused.stderr)], [2, true], refused.stderr);
  assert.equal(await Deno.readTextFile(path), "kept");
  await Deno.remove(path);
  const server = await served(place, "ping");
  assert.equal(server.where, path, server.said);
  assert.equal(Deno.lstatSync(path).mode! & 0o777, 0o600);
  {
    using gdb = await Deno.connect({ transport: "unix", path });
    await gdb.write(new TextEncoder().encode("$?#3f"));
    const answer = new Uint8Array(100);
    let text = "";
    while (!text.includes("#")) text += new TextDecoder().decode(answer.subarray(0, await gdb.read(answer) ?? 0));
    assert.match(text, /^\+\$T02thread:1;#/);
  }
  server.child.kill("SIGINT");
  assert.equal((await server.child.status).code, 130);
  await server.end();
  await assert.rejects(Deno.lstat(path), Deno.errors.NotFound);
});
