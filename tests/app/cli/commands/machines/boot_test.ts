import assert from "node:assert/strict";
import { ConsoleProgram } from "../../../../support/console.ts";
import { el2Command } from "../../../../support/el2.ts";
import { A64, boot, imageOf, type Outcome, SYSTEM_OFF, SYSTEM_RESET } from "../../program.ts";

/** `pacia x0, x1`, of Armv8.3. */
const PACIA = 0xdac10020;
const off = [...A64.loadW0(SYSTEM_OFF), A64.hvc];
const uart = A64.loadX1High(0x0900);
const print = (text: string) => [...text].flatMap((c) => [A64.loadW2(c.charCodeAt(0)), A64.storeByte]);

/** Words of an Image from which the vector of exceptions at EL1 is its 0x200th byte. */
const TO_VECTOR = (0x200 - 64) / 4;
/** Runs `words`; the second exception is SYSTEM_OFF, after the first they continue where it was. */
function withVector(words: readonly number[]): number[] {
  // movz x3, #0x4020, lsl #16; msr vbar_el1, x3; movz w5, #2
  const all = [0xd2a80403, 0xd518c003, 0x52800045, ...words];
  // subs w5, w5, #1; b.eq .+8; eret
  return [...all, ...new Array<number>(TO_VECTOR - all.length).fill(0), ...[0x710004a5, 0x54000040, 0xd69f03e0], ...off];
}

Deno.test("SYSTEM_OFF ends with 0, and only the guest's bytes are on stdout", async () => {
  const { code, stdout, stderr } = await boot([uart, ...print("hi\n"), ...off], "--stdio");
  assert.equal(stdout, "hi\n");
  assert.equal(stderr, "el2: SYSTEM_OFF\n");
  assert.equal(code, 0);
});

Deno.test("--reboot starts again where the guest asks for a reset, and SYSTEM_OFF still ends it", async () => {
  // Says A, then waits for a key: r asks for a reset, any other is SYSTEM_OFF.
  const words = [
    ...[A64.loadX1High(0x0900), A64.loadW2("A".charCodeAt(0)), A64.storeByte],
    // ldr w3, [x1, #UARTFR]; tbnz w3, #4, .-4; ldr w4, [x1]
    ...[0xb9401823, 0x3727ffe3, 0xb9400024],
    ...A64.loadW0(SYSTEM_OFF),
    ...[0x7101c89f, 0x54000061], // cmp w4, #'r'; b.ne .+12
    ...A64.loadW0(SYSTEM_RESET),
    A64.hvc,
  ];
  const folder = await Deno.makeTempDir({ prefix: "el2-test-" }), file = `${folder}/guest.bin`, disk = `${folder}/disk.img`;
  try {
    await Deno.writeFile(file, imageOf(words));
    await Deno.writeFile(disk, new Uint8Array(4096));
    // The next machine writes to the disk of the one before.
    const command = el2Command("boot", file, "--stdio", "--reboot", "--disk", `${disk},rw`);
    await using el2 = new ConsoleProgram(["sh", "-c", 'exec "$0" "$@" 2>&1', ...command]);
    for (let life = 0; life < 3; life++) {
      await el2.expect(/A/, 60);
      await el2.type(life < 2 ? "r" : "q", "");
    }
    await el2.expect(/el2: SYSTEM_OFF\n/, 60);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  const refused = await boot(words, "--reboot", "--record", "/tmp/never.rec");
  assert.deepEqual([
    refused.code,
    /--record and --reboot are mutually exclusive: a recording ends at a reset; give one/.test(refused.stderr),
  ], [2, true]);
});

Deno.test("SYSTEM_RESET ends with 1", async () => {
  const { code, stderr } = await boot([...A64.loadW0(SYSTEM_RESET), A64.hvc]);
  assert.equal(stderr, "el2: SYSTEM_RESET\n");
  assert.equal(code, 1);
});

Deno.test("a guest that sleeps for ever ends with 1, its verdict, and a line that says what each vCPU waits for", async () => {
  const { code, stderr } = await boot([A64.wfi, A64.branch(-1)]);
  assert.match(stderr, /deadlock: every vCPU is waiting and nothing can wake one.*vCPU 0 of VM 3 waits for an interrupt \(WFI\)/);
  assert.match(
    stderr,
    /^vm:host stuck: every vCPU waits for an interrupt, and none can come\n(?: {2}.*\n)+el2: recorded; .*\nel2: deadlock: .*\n$/,
  );
  assert.equal(code, 1);
});

Deno.test("--timeout ends a busy guest with 4", async () => {
  const { code, stderr } = await boot([A64.branch(0)], "--timeout", "1s");
  // Starting counts: on a slow computer the guest has not begun yet.
  const began = /^vm:host (?:spins: .*\n(?: {2}.*\n)+|runs: .*\n)el2: timeout: 1 s of wall time passed; the machine got to .*\n$/;
  const none = /^el2: timeout: 1 s of wall time passed; (?:no VM has executed an instruction yet|the machine has not answered for .*)\n$/;
  assert.ok(began.test(stderr) || none.test(stderr), stderr);
  assert.equal(code, 4);
});

Deno.test("a jump into nothing is an external abort for the guest, is logged with its PC, and the machine continues", async () => {
  const log = await Deno.makeTempFile();
  try {
    const { code, stderr } = await boot(withVector([A64.loadX1High(0xe000), A64.branchX1]), "--log", log);
    assert.deepEqual([code, stderr], [0, "el2: SYSTEM_OFF\n"]);
    assert.match(
      await Deno.readTextFile(log),
      /vCPU 0 of VM 3 mmio access to the unmapped address ipa:0xe0000000 at PC 0x00000000e0000000/,
    );
  } finally {
    await Deno.remove(log);
  }
});

Deno.test("an instruction that this core does not have is named in the log once", async () => {
  const log = await Deno.makeTempFile();
  try {
    assert.equal((await boot(withVector([PACIA]), "--log", log)).code, 0);
    const lines = (await Deno.readTextFile(log)).split("\n").filter((line) => line.includes("UNDEFINED"));
    assert.equal(lines.length, 1, "it was executed twice");
    assert.match(
      lines[0],
      /0xdac10020 \(pacia x0, x1\) is UNDEFINED at PC 0x000000004020004c, pa:0x4020004c: it needs FEAT_PAuth; this CPU is "v8"/,
    );
  } finally {
    await Deno.remove(log);
  }
});

Deno.test("a guest that floods its console takes no memory and is stopped by --timeout", async () => {
  // The time includes the start of el2: on a busy computer that takes long.
  let outcome: Outcome | undefined;
  for (const seconds of [5, 20, 80]) {
    outcome = await boot([uart, A64.loadW2(120), A64.storeByte, A64.branch(-1)], "--stdio", "--timeout", `${seconds}s`);
    if (outcome.stdout.length >= 1000) break;
  }
  const { code, stdout } = outcome!;
  assert.equal(code, 4);
  assert.match(stdout.slice(0, 1000), /^x{1000}$/);
});

Deno.test("--hash-at gives equal hashes at exactly these instruction counts in two runs", async () => {
  // 240,000 instructions: movz w5, #30000; what is printed; sub w5, w5, #1; cbnz w5, the first
  // print.
  const words = [uart, 0x528ea605, ...print("abc"), 0x510004a5, 0x35ffff25, ...off];
  const hashes = async () => {
    const { stderr } = await boot(words, "--hash-at", "1000,54321,200000");
    return stderr.split("\n").filter((line) => line.startsWith("{"));
  };
  const first = await hashes();
  assert.deepEqual(first.map((line) => JSON.parse(line).instructions), [1000, 54321, 200000]);
  assert.deepEqual(await hashes(), first);
});

/** A program's output; `between` is the time (s) from its first byte to its last. */
async function timed(args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string; between: number }> {
  const [program, ...rest] = el2Command(...args);
  const child = new Deno.Command(program, { args: rest, stdin: "null", stdout: "piped", stderr: "piped" }).spawn();
  const stderr = new Response(child.stderr).text(), decoder = new TextDecoder();
  let stdout = "", first: number | undefined, last = 0;
  for await (const part of child.stdout) {
    stdout += decoder.decode(part, { stream: true });
    first ??= performance.now();
    last = performance.now();
  }
  return { code: (await child.status).code, stdout, stderr: await stderr, between: (last - first!) / 1000 };
}

Deno.test("a wait for the counter takes as long as the guest's clock says, its instructions are counted and not executed", async () => {
  const ticks = 1_600_000 * 32, seconds = ticks / 62_500_000;
  // mrs x3, cntvct_el0; cmp x3, x0; b.lo .-8
  const words = [uart, ...print("a"), ...A64.loadW0(ticks), 0xd53be043, 0xeb00007f, 0x54ffffc3, ...print("b"), ...off];
  const file = await Deno.makeTempFile({ suffix: ".bin" });
  try {
    await Deno.writeFile(file, imageOf(words));
    const run = async (...options: string[]) => {
      const { code, stdout, stderr, between } = await timed(
        ["boot", file, "--memory", "64MiB", "--stdio", "--hash-at", "300000000", "--stats", ...options],
      );
      assert.deepEqual([code, stdout], [0, "ab"]);
      const [hash, stats] = stderr.split("\n").filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
      return { between, hash, stats };
    };
    const hurried = await run("--turbo"), waited = await run();
    // The guest's first byte may come late on a busy machine, and the clock does not wait for it.
    assert.ok(waited.between >= 0.6 * seconds, `${waited.between} s for a wait of ${seconds} s`);
    for (const { stats } of [hurried, waited]) assert.ok(stats.spared > 0.9 * stats.instructions, JSON.stringify(stats));
    assert.equal(hurried.hash.instructions, 300_000_000);
    assert.deepEqual(waited.hash, hurried.hash);
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("ctrl-C ends a run in order with 130 and one line", async () => {
  const file = await Deno.makeTempFile({ suffix: ".bin" });
  try {
    await Deno.writeFile(file, imageOf([uart, ...print("up\n"), A64.branch(0)]));
    const [program, ...args] = el2Command("boot", file, "--memory", "64MiB", "--turbo", "--stdio");
    const child = new Deno.Command(program, { args, stdin: "null", stdout: "piped", stderr: "piped" }).spawn();
    const reader = child.stdout.getReader();
    await reader.read();
    child.kill("SIGINT");
    while (!(await reader.read()).done);
    const stderr = await new Response(child.stderr).text();
    assert.equal(stderr, "el2: interrupted\n");
    assert.equal((await child.status).code, 130);
  } finally {
    await Deno.remove(file);
  }
});
