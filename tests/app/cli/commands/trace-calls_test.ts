import assert from "node:assert/strict";
import { el2 } from "../program.ts";

Deno.test("trace calls --vm rm shows the Resource Manager's hypercalls from its boot to the reset of a VM, under their requests", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const image = new URL("../../../../assets/guests/hello.bin", import.meta.url).pathname;
    const vm = `[vm.a]\nimage = "${image}"\ncmdline = "ticks=1 ms=1"\nmemory = "4MiB"\n`;
    await Deno.writeTextFile(`${folder}/el2.toml`, `el2 = 1\n[machine]\nmemory = "96MiB"\n[host]\nmemory = "64MiB"\n${vm}`);
    const { code, stdout } = await el2("trace", "calls", "--allow-host", "all", "--vm", "rm", `${folder}/el2.toml`);
    assert.equal(code, 0);
    const lines = stdout.split("\n");
    assert.deepEqual(lines.filter((line) => /^\S/.test(line)), [
      "at its start",
      "MEM_LEND",
      "VM_CONFIG_IMAGE of VM 0x80",
      "VM_INIT of VM 0x80",
      "VM_SET_BOOT_CONTEXT of VM 0x80",
      "VM_START of VM 0x80",
      "between requests",
      "MEM_RECLAIM",
    ]);
    assert.match(lines[1], /^ {2}0\.\d{6} {2}prng_get_entropy num_bytes 0x8 -> ok/);
    assert.match(stdout, /\nVM_START of VM 0x80\n {2}\S+ {2}addrspace_map addrspace obj:\d+, memextent obj:\d+, vbase 0x803f0000,/);
    assert.match(stdout, /\nbetween requests\n {2}\S+ {2}vcpu_run_check [^]*cspace_delete_cap_from/);

    const json = await el2("trace", "calls", "--allow-host", "all", "--json", "--for", "1us", `${folder}/el2.toml`);
    const rows = json.stdout.trim().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual([rows[2].call, rows[2].vcpu, rows[2].request], ["hypervisor_identify", "rm/0", "at its start"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
