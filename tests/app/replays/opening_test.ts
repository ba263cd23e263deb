// Recordings that other programs open: places, answers there, and what is refused.

import assert from "node:assert/strict";
import { openRecording } from "../../../mod.ts";
import { inFolder } from "../../support/temporary-folder.ts";
import { DEMO, rewrite } from "../cli/commands/recordings.ts";
import { el2 } from "../cli/program.ts";

const HELLO = new URL("../../../assets/guests/hello.bin", import.meta.url).pathname;

/** Records 20 ms of the demo. */
async function recorded(file: string): Promise<void> {
  const { code, stderr } = await el2("run", DEMO, "--headless", "--turbo", "--for", "20ms", "--record", file);
  assert.equal(code, 0, stderr);
}

Deno.test("a recording is at any of its places, back and on, and the answers are those of the machine there", () =>
  inFolder(async (folder) => {
    const file = `${folder}/bug.rec`;
    await recorded(file);
    await using recording = await openRecording(await Deno.readFile(file));
    const { end } = recording;
    assert.equal(end.code, 0);
    assert.equal(end.message, "0.02 s of virtual time passed");
    assert.ok(end.time >= 20e6);
    const states = async () => (await recording.query("vm.ls")).rows.map(({ id, state, instructions }) => `${id} ${state} ${instructions}`);
    const last = await states(), early = await recording.at("50us"), then = await states();
    assert.ok(early.time >= 50e3 && early.time < 1e6, `${early.time}`);
    assert.notDeepEqual(then, last);
    assert.deepEqual(await recording.at("10ms"), await recording.at("10ms"));
    assert.equal((await recording.at("30000")).instructions, 30000);
    await recording.at("50us");
    assert.deepEqual(await states(), then);
    assert.deepEqual(await recording.at(String(end.instructions)), { instructions: end.instructions, time: end.time });
    assert.deepEqual(await states(), last);
    const { rows } = await recording.query("vm.ls", { filter: "vm=vm:pong", limit: 1 });
    assert.deepEqual(rows.map(({ id }) => id), ["vm:pong"]);
    // Each in the order of its call.
    const [, there, , again] = await Promise.all([recording.at("50us"), states(), recording.at(String(end.instructions)), states()]);
    assert.deepEqual([there, again], [then, last]);
    const { rows: [{ pc }] } = await recording.query("vcpu.ls", { filter: "vm=vm:pong" });
    const { rows: [before] } = await recording.query("who", { at: `pong:${pc}`, access: "exec", limit: 1 });
    assert.equal(before.kind, "exec");
  }));

Deno.test("what is no place, no table and no argument is refused by name, and so is a closed recording", () =>
  inFolder(async (folder) => {
    const file = `${folder}/bug.rec`;
    await recorded(file);
    const recording = await openRecording(new URL(`file://${file}`));
    await assert.rejects(recording.at("soon?"), /"soon\?" is not a place of the run/);
    await assert.rejects(recording.at("lost"), /bug\.rec has no marks/);
    await assert.rejects(recording.at("3s"), /t=3\.000000s is after the end of the run, instruction \d+ at t=0\.020000s/);
    await assert.rejects(recording.at("99999999"), /instruction 99999999 is after the end of the run/);
    await assert.rejects(recording.query("vm.lss"), /no table "vm\.lss"; did you mean "vm\.ls"/);
    await assert.rejects(recording.query("vm.ls", { after: "1" }), /takes no after/);
    await assert.rejects(recording.query("vm.ls", { colour: 1 }), /colour/);
    await assert.rejects(recording.query("vm.ls", { filter: "color=red" }), /color/);
    await assert.rejects(recording.query("mem.owner", { at: "ipa:nobody/0" }), /nobody/);
    assert.equal((await recording.query("vm.ls", { limit: 1 })).rows.length, 1, "a refusal changes nothing");
    await recording[Symbol.asyncDispose]();
    await assert.rejects(recording.at("1ms"), /bug\.rec is closed/);
    await assert.rejects(recording.query("vm.ls"), /bug\.rec is closed/);
  }));

Deno.test("a file that is no recording, of another engine, of another run, or not whole is not opened", () =>
  inFolder(async (folder) => {
    const file = `${folder}/bug.rec`, address = new URL(`file://${file}`);
    await recorded(file);
    const bytes = await Deno.readFile(file);
    await assert.rejects(openRecording(new TextEncoder().encode("hello\n")), /the recording is not an el2 recording/);
    await assert.rejects(openRecording(bytes.subarray(0, 300)), /the recording/);
    for (const wrong of ["bug.rec", `file://elsewhere${folder}/bug.rec`, `file://${folder}%2Fbug.rec`]) {
      await assert.rejects(openRecording(wrong), ({ message }: Error) => message.startsWith(`"${wrong}" is not an address`));
    }
    await assert.rejects(openRecording(`file://${folder}/none.rec`), /none\.rec: no such file/);
    await rewrite(file, (line) => line.replace(/"registers":"[0-9a-f]{8}/, '"registers":"00000000'));
    await assert.rejects(openRecording(address), /bug\.rec: the replay differs: .*registers were 00000000/);
    await rewrite(file, (line) => line.replace(/"engine":"[0-9a-f]{16}"/, '"engine":"0123456789abcdef"'));
    await assert.rejects(openRecording(address), /was made by another engine: .*engine 0123456789abcdef.*; this is el2/);

    let half = false;
    await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, ({ url }) => {
      if (url.endsWith("/none")) return new Response("", { status: 404 });
      const pieces = new ReadableStream<Uint8Array>({
        pull(controller) {
          if (half) return controller.error(new Error("gone"));
          controller.enqueue(bytes.subarray(0, 1000));
          half = true;
        },
      });
      return url.endsWith("/cut") ? new Response(pieces) : new Response(bytes);
    });
    const site = `http://127.0.0.1:${server.addr.port}`;
    await assert.rejects(openRecording(`${site}/none`), /\/none: the server answers 404/);
    await assert.rejects(openRecording(`${site}/cut`), /\/cut: \d+ of its bytes have come/);
    await using recording = await openRecording(`${site}/bug.rec`);
    assert.equal(recording.end.code, 0);
  }));

Deno.test("a mark is a place, and a recording whose machine has a disk of the computer is refused", () =>
  inFolder(async (folder) => {
    const file = `${folder}/bug.rec`, disk = `${folder}/data.img`;
    await recorded(file);
    const mark = { name: "lost", instructions: 30000, time: 0 };
    await rewrite(file, (line) => {
      const { at, end } = JSON.parse(line);
      return end ? `${JSON.stringify({ at, mark })}\n${line}` : line;
    });
    await using recording = await openRecording(await Deno.readFile(file));
    assert.equal((await recording.at("lost")).instructions, 30000);

    await Deno.writeFile(disk, new Uint8Array(1 << 20));
    const boot = await el2("boot", HELLO, "--append", "ticks=1", "--memory", "64MiB", "--disk", `${disk},ro`, "--turbo", "--record", file);
    assert.equal(boot.code, 0, boot.stderr);
    await assert.rejects(openRecording(await Deno.readFile(file)), /its machine uses disk .*data\.img of the computer; el2 replay/);
  }));
