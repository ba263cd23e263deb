import assert from "node:assert/strict";
import { el2 } from "../../program.ts";
import { el2Command } from "../../../../support/el2.ts";
import { CAUSES } from "../../../../../src/app/explain/causes.ts";
import { inFolder } from "../../../../support/temporary-folder.ts";
import { ROOT } from "../../../../support/files.ts";
import { longTest } from "../../../../support/long.ts";
import { REPORTED } from "../../../explain/logs.ts";

const DMESG = `
[   12.000000] usb 1-1: new high-speed USB device number 2 using xhci-hcd
[  120.100000] gunyah_rsc_mgr hypervisor:qcom,resource-manager-rpc@5b1e0a77: RM rejected message 5600000b. Error: 5
[  120.100100] misc gunyah: Failed to initialize VM: -16
`;
const MEMLOCK = "[ 1.0] misc gunyah: Failed to allocate parcel for DTB: -12\n";

Deno.test("explain prints what happened, why and what to try, with the place, the call, its answer and the rule", () =>
  inFolder(async (folder) => {
    const file = `${folder}/dmesg.txt`;
    await Deno.writeTextFile(file, MEMLOCK);
    const { code, stdout } = await el2("explain", file);
    assert.equal(code, 0);
    const parts = stdout.split("\n\n").map((part) => part.split("\n")[0]);
    assert.deepEqual(parts, ["what happened", "why, the likeliest first", "what to try", "what these files do not say"]);
    assert.match(stdout, /dmesg\.txt:1 {2}Gunyah's driver: VM_START fails with ENOMEM/);
    assert.match(stdout, /GH_VM_START -> ENOMEM; el2 reference spec vm-manager 7$/m);
    assert.match(stdout, /1\. sure: .*RLIMIT_MEMLOCK/);
    assert.match(stdout, /1\. raise the limit .*`ulimit -l unlimited`/);
    assert.match(stdout, /see it here: el2 test examples\/mysteries\/07-locked-memory\/mystery\.test\.toml/);
  }));

Deno.test("a refusal that no report has is explained by the books, and a scenario makes it in the demo", () =>
  inFolder(async (folder) => {
    const file = `${folder}/dmesg.txt`, scenario = `${folder}/shown.test.toml`;
    await Deno.writeTextFile(file, DMESG);
    const { stdout } = await el2("explain", file, "--json", "--scenario", scenario);
    const { lines, causes } = JSON.parse(stdout);
    assert.deepEqual(lines.map(({ line, call }: { line: number; call: string }) => [line, call]), [[3, "VM_INIT -> BUSY"], [
      4,
      "GH_VM_START -> EBUSY",
    ]]);
    assert.deepEqual([causes[0].id, causes[0].rule], ["refused-message", "el2 reference spec resource-manager 3.8"]);
    assert.match(causes[0].says, /the open Resource Manager never does so/);
    const run = await el2("test", scenario);
    assert.equal(run.code, 0, run.stdout + run.stderr);
  }));

Deno.test("the scenario of a reported failure is its mystery, wherever it is written", () =>
  inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/dmesg.txt`, MEMLOCK);
    await Deno.mkdir(`${folder}/deep`);
    const scenario = `${folder}/deep/shown.test.toml`;
    assert.equal((await el2("explain", `${folder}/dmesg.txt`, "--scenario", scenario)).code, 0);
    const run = await el2("test", scenario);
    assert.equal(run.code, 0, run.stdout + run.stderr);
    assert.match(await Deno.readTextFile(scenario), /^# locked-memory: /);
  }));

Deno.test("a log is read from the standard input", async () => {
  const [program, ...args] = el2Command("explain", "-");
  const child = new Deno.Command(program, { args, stdin: "piped", stdout: "piped", env: { NO_COLOR: "1" } }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(MEMLOCK));
  await writer.close();
  const { code, stdout } = await child.output();
  assert.equal(code, 0);
  assert.match(new TextDecoder().decode(stdout), /^ {2}stdin:1 {2}Gunyah's driver/m);
});

Deno.test("a log without such lines is explained by one line, and no scenario is written for it; a file that is not there is wrong usage", () =>
  inFolder(async (folder) => {
    const file = `${folder}/apt.log`;
    await Deno.writeTextFile(file, "Reading package lists...\nE: Unable to locate package gunya\n");
    assert.equal((await el2("explain", file)).stdout, `nothing in ${file} belongs to Gunyah, GenieZone, their VMMs or their guests\n`);
    const none = await el2("explain", file, "--scenario", `${folder}/none.toml`);
    assert.deepEqual([none.code, [...Deno.readDirSync(folder)].length], [2, 1]);
    const missing = await el2("explain", `${folder}/missing`);
    assert.deepEqual([missing.code, missing.stderr], [2, `el2: explain ${folder}/missing: no such file\n`]);
  }));

/** Lines that were refused, for which no report is known. */
const REFUSED = [
  ...["MEM_LEND 51000012", "VM_CONFIG_IMAGE 56000009", "VM_INIT 5600000b", "VM_GET_HYP_RESOURCES 56000020", "VM_START 56000004"].map((
    one,
  ) => `misc gunyah: RM rejected message ${one.split(" ")[1]}. Error: 5`),
  ...["0x4700", "0x40104702", "0x4703", "0x40104704"].map((code) => `ioctl(6, ${code}, 0) = -1 EBADF (Bad file descriptor)`),
];

longTest("the scenario of each mystery, and of each refusal in a VM's start, passes", () =>
  inFolder(async (folder) => {
    const logs = CAUSES.filter(({ mystery }) => mystery !== undefined && !mystery.startsWith("28"))
      .map(({ id }) => Object.values(REPORTED.find(({ first }) => first === id)!.files));
    for (const [index, texts] of [...logs, ...REFUSED.map((text) => [text])].entries()) {
      const files = texts.map((text, nth) => {
        const path = `${folder}/${index}-${nth}`;
        if (text.startsWith("@")) Deno.copyFileSync(new URL(text.slice(1), ROOT), path);
        else Deno.writeTextFileSync(path, text);
        return path;
      });
      const scenario = `${folder}/${index}.test.toml`, { code, stderr } = await el2("explain", ...files, "--scenario", scenario);
      assert.equal(code, 0, stderr);
      const run = await el2("test", scenario);
      assert.equal(run.code, 0, `${Deno.readTextFileSync(scenario)}${run.stdout}${run.stderr}`);
    }
  }));
