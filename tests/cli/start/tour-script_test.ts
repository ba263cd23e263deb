import assert from "node:assert/strict";
import { changesMachine, keysOf, tourSteps } from "../../../src/cli/start/tour-script.ts";
import { MEM_RECLAIM } from "../../../src/abi/rpc/messages/memory.ts";

Deno.test("each line of a script is a step; keys are the bytes of a terminal", () => {
  const steps = tourSteps("t", "# first\n\nkeys 7 Enter S-Tab ctrl-w /x\n  wait 1.5s \ninput debian echo  a b\nmark Who holds it\n");
  assert.deepEqual(steps, [
    { kind: "keys", keys: ["7", "\r", "\x1b[Z", "\x17", "/", "x"] },
    { kind: "wait", ms: 1500 },
    { kind: "input", console: "debian", text: "echo  a b" },
    { kind: "mark", text: "Who holds it" },
  ]);
  assert.deepEqual(keysOf("Esc PgDn :vm"), ["\x1b", "\x1b[6~", ":", "v", "m"]);
  const [rpc] = tourSteps("t", "rpc mem_reclaim handle=1 flags=0");
  assert.ok(rpc.kind === "rpc" && rpc.id === MEM_RECLAIM.id && rpc.payload[0] === 1);
});

Deno.test("steps that run the machine, type into it or send to it change it; others do not", () => {
  const changing = tourSteps("t", "until kind=hvc\nreach vm:f\ninput vm x\nrpc MEM_RECLAIM handle=1 flags=0");
  assert.deepEqual(changing.map(changesMachine), [true, true, true, true]);
  assert.ok(!tourSteps("t", "keys 1\ntype a\nwait 1s\ntheme dark\nmark x").some(changesMachine));
});

Deno.test("an error in a script names file, line, and what would be right", () => {
  const refused: readonly (readonly [text: string, message: RegExp])[] = [
    ["keys 1\nkey 7", /^t:2: no step "key"; did you mean "?keys/],
    ["constructor x", /^t:1: no step "constructor".*there are keys, type/],
    ["wait 3", /^t:1: "3" is not a duration; use for example 10s/],
    ["until kind=", /^t:1: /],
    ["until", /^t:1: its value is missing; use for example until/],
    ["input debian", /^t:1: "debian" is not CONSOLE TEXT/],
    ["rpc NOTHING", /^t:1: no request "NOTHING"/],
    ["rpc MEM_RECLAIM handle", /^t:1: "handle" is not FIELD=VALUE/],
    ["rpc MEM_RECLAIM nothing=1", /^t:1: MEM_RECLAIM has no field "nothing"/],
  ];
  for (const [text, message] of refused) assert.throws(() => tourSteps("t", text), { message });
});
