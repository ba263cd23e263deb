// System calls of programs as events are those that strace prints, inside the same run: names,
// results and paths. Packages are fetched: EL2_LONG.

import assert from "node:assert/strict";
import type { TraceEvent } from "../../../src/machine/abi/trace.ts";
import { Guest, ordinaryGuest } from "../../guests/guest.ts";
import { PROMPT } from "../../support/console.ts";
import { inFolder } from "../../support/temporary-folder.ts";
import { LONG } from "../../support/long.ts";

/** Seconds of virtual time. */
const BOOT = 60, COMMAND = 600;

/** Five seconds of processes, pipes, files that are there or not, links, signals and clocks. */
const WORK = [
  "end=$(($(date +%s) + 5))",
  "while [ $(date +%s) -lt $end ]; do",
  "mkdir /tmp/d && echo text > /tmp/d/a && mv /tmp/d/a '/tmp/d/a \"b\"' && ln -s nowhere /tmp/d/link",
  "cat /tmp/d/* /nothing; find /sys/class /proc/self/ -maxdepth 2 | sort | head -n 100 | md5sum; rm -r /tmp/d",
  "sleep 100 & kill $!; wait; dd if=/dev/zero of=/dev/null count=100; usleep 10000",
  "done",
].join("\n");

interface Call {
  readonly name: string;
  /** An error's name, a number, or none. */
  readonly result: string;
  readonly text: string;
}

/** A line of strace: `name(arguments) = result (words)`. */
function callIn(line: string): Call[] {
  const [, name, text, result] = /^(\w+)\((.*)\) += (-1 E\w+|\? ?\w*|-?\w+)/.exec(line) ?? [];
  if (name === undefined) {
    assert.match(line, /^(---|\+\+\+) /);
    return [];
  }
  const [, error] = /^(?:-1|\?) (\w*)/.exec(result) ?? [];
  // The result that strace prints is the register that it gives back.
  if (name === "rt_sigreturn") return [{ name, text: "", result: "" }];
  return [{ name, text, result: error ?? (result === "?" ? "" : number(result)) }];
}

/** Of 0x..., an octal number, or a decimal one. */
const number = (text: string) => String(BigInt(/^0\d/.test(text) ? `0o${text.slice(1)}` : text));

interface Fields {
  readonly pid: number;
  readonly args: readonly string[];
}

function callOf({ name, fields, result }: TraceEvent): Call {
  const found = result?.name ?? "";
  return { name, result: /^[E]/.test(found) || found === "" ? found : number(found), text: (fields as unknown as Fields).args.join("\n") };
}

if (LONG) {
  Deno.test("system calls as events are those that strace prints of the same programs", async () => {
    const { image, initrd } = await ordinaryGuest("bookworm", ["strace"]);
    await inFolder(async (folder) => {
      await Deno.writeTextFile(`${folder}/work`, WORK);
      const guest = new Guest(image, initrd, [{ kind: "9p", folder, mode: "rw", tag: "share" }], 512 << 20);
      await guest.expect(PROMPT, BOOT);
      await guest.command("mkdir /m; mount -t 9p -o trans=virtio,version=9p2000.L share /m; echo mounted-$?", /mounted-0\n/, COMMAND);
      const calls = new Map<number, Call[]>();
      guest.system.hypervisor.trace.listen(["syscall"], (event) => {
        const { pid } = event.fields as unknown as Fields, known = calls.get(pid) ?? [];
        known.push(callOf(event));
        calls.set(pid, known);
      });
      guest.system.kernelEvents.follow();
      await guest.command("strace -ff -v -o /tmp/out sh /m/work > /dev/null 2>&1; cp /tmp/out.* /m; echo done-$?", /done-0\n/, COMMAND);
      assert.deepEqual(guest.system.kernelEvents.gaps, []);
      let compared = 0, paths = 0;
      for await (const { name } of Deno.readDir(folder)) {
        const [, pid] = /^out\.(\d+)$/.exec(name) ?? [];
        if (pid === undefined) continue;
        const told = (await Deno.readTextFile(`${folder}/${name}`)).split("\n").filter((line) => line !== "").flatMap(callIn);
        const seen = calls.get(Number(pid)) ?? [], of = seen.slice(-told.length);
        assert.deepEqual(of.map(({ name, result }) => `${name} ${result}`), told.map(({ name, result }) => `${name} ${result}`), pid);
        for (const [index, { text }] of of.entries()) {
          for (const path of text.split("\n").filter((one) => /^".*"$/.test(one))) {
            assert.ok(told[index].text.includes(path), `${path} in ${told[index].text}`);
            paths++;
          }
        }
        compared += told.length;
      }
      assert.ok(compared > 10_000 && paths > 1000, `${compared} calls, ${paths} paths`);
    });
  });
}
