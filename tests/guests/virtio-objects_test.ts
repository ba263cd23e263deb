// Devices of VMs that the hypervisor schedules: their registers are the hypervisor's virtio-mmio
// objects, with the host's kernel as the backend. A bare-metal driver, and those of Debian's
// ordinary kernel, which is fetched: EL2_LONG.

import assert from "node:assert/strict";
import { NO_SELF_TESTS } from "./command-line.ts";
import { PROMPT } from "../support/console.ts";
import { Guests, ordinaryGuest } from "./guest.ts";
import { withPrograms } from "./programs.ts";
import { LONG } from "../support/long.ts";

const ASSETS = new URL("../../assets/guests", import.meta.url).pathname;
/** Seconds of virtual time. */
const BOOT = 60, COMMAND = 20;
const TELETYPE = 'image = "teletype.bin"\nmemory = "4MiB"\n';
const MACHINE = "el2 = 1\n[machine]\ncheck = true\n";
const OWN = 'schedule = "own"\naffinity = "pinned"\naffinity_map = [1]\n';

for (
  const [how, keys, machine] of [
    ["the VMM's", "", ""],
    ["GenieZone's VMM's", 'hypervisor = "geniezone"\n', "[host]\ngzvm = true\n"],
    ["the hypervisor's", OWN, ""],
  ]
) {
  Deno.test(`a bare-metal driver talks through a virtio console whose registers are ${how}, and resets it`, async () => {
    // The console is not in the first slot, so that a guest has to look.
    const devices = 'devices = [{ kind = "rng" }, { kind = "console" }]\n';
    const guests = await Guests.configured(`${MACHINE}${machine}[vm.tty]\n${TELETYPE}${keys}${devices}`, ASSETS);
    const console = guests.console("tty/hvc0");
    await console.expect(/^teletype, interrupt 49$/m, COMMAND);
    console.type("one\ntwo");
    await console.expect(/^one\ntwo$/m, COMMAND);
    for (const word of ["first", "second"]) {
      console.type("reset");
      await console.expect(/^reset$/m, COMMAND);
      console.type(word);
      await console.expect(new RegExp(`^${word}$`, "m"), COMMAND);
    }
    console.type("x".repeat(200) + "\noff");
    await console.expect(/^x{63}\nbye$/m, COMMAND);
    assert.equal(await guests.end(COMMAND), "every VM has ended");
  });
}

Deno.test("a device that cannot see its queue in lent memory names queue, page and the kernel's missing option", async () => {
  const firmware = 'type = "protected"\nfirmware = "firmware.bin"\n';
  const devices = 'devices = [{ kind = "rng" }, { kind = "console" }]\n';
  const guests = await Guests.configured(`${MACHINE}[host]\ndevice = "ack-6.6"\n[vm.tty]\n${TELETYPE}${firmware}${devices}`, ASSETS);
  let problem = "";
  await guests.run(1e9, () => {
    problem = guests.system.events.drain().events.find(({ kind, vcpu }) => kind === "log" && vcpu === "vm:tty")?.text ?? "";
    return problem !== "";
  });
  const lent = "is lent to the protected VM: its kernel needs CONFIG_DMA_RESTRICTED_POOL";
  assert.match(problem, new RegExp(`^virtio-console in slot 1: .*; queue 0 is in page 0x8[0-9a-f]*000, which ${lent}$`));
});

Deno.test("a VM with objects that ends starts again with new ones, and its devices begin anew", async () => {
  const devices = 'devices = [{ kind = "console" }]\non_exit = "restart"\n';
  const guests = await Guests.configured(`${MACHINE}[vm.tty]\n${TELETYPE}${OWN}${devices}`, ASSETS);
  const console = guests.console("tty/hvc0");
  for (let life = 0; life < 3; life++) {
    await console.expect(/^teletype, interrupt 48$/m, COMMAND);
    console.type(`life ${life}\noff`);
    await console.expect(new RegExp(`^life ${life}\\nbye$`, "m"), COMMAND);
  }
});

/** The keys that every Debian here has. */
const DEBIAN =
  `schedule = "own"\nvcpus = 2\nmemory = "320MiB"\nkernel = "Image"\ninitrd = "initrd"\ncmdline = "console=hvc0 quiet ${NO_SELF_TESTS}"\n`;
const NAMES = ["a", "b"];
const BALLOON = 32 << 20;

/** A folder with what the VMs want, and their configuration. */
async function prepare(folder: string): Promise<string> {
  const { image, initrd } = await ordinaryGuest();
  await Deno.writeFile(`${folder}/Image`, image);
  await Deno.writeFile(`${folder}/initrd`, await withPrograms(initrd, "vsock"));
  await Deno.writeTextFile(`${folder}/from-host`, "hello guests\n");
  const vms = NAMES.map((name) => {
    Deno.writeFileSync(`${folder}/${name}.img`, new Uint8Array(1 << 20).fill(name.charCodeAt(0)));
    return `[vm.${name}]\n${DEBIAN}devices = [{ kind = "console" }, { kind = "block", image = "${name}.img" }, ` +
      '{ kind = "net", backend = "pair:lan" }, { kind = "rng" }, { kind = "vsock" }, { kind = "balloon" }, ' +
      '{ kind = "9p", folder = "." }, { kind = "input", type = "tablet" }]\n';
  });
  return `${MACHINE}memory = "1GiB"\n[host]\nmemory = "64MiB"\n${vms.join("")}`;
}

if (LONG) {
  Deno.test("Debians that the hypervisor schedules have shells on virtio consoles, and every other device works", async () => {
    const folder = await Deno.makeTempDir({ prefix: "el2-objects-" });
    try {
      const guests = await Guests.configured(await prepare(folder), folder);
      const consoles = NAMES.map((name) => guests.console(`${name}/hvc0`));
      const [a, b] = consoles;
      for (const [index, console] of consoles.entries()) {
        await console.expect(PROMPT, BOOT);
        const command = (line: string, pattern: RegExp) => console.command(line, pattern, COMMAND);
        await command(`ip addr add 192.168.7.${index + 1}/24 dev eth0; echo addressed-$?`, /addressed-0\n/);
        await command("head -c 4 /dev/vda; echo", new RegExp(`^${NAMES[index].repeat(4)}$`, "m"));
        await command("echo written | dd of=/dev/vda bs=512 seek=3 conv=sync,fsync 2>/dev/null; echo wrote-$?", /wrote-0\n/);
        await command("head -c 64 /dev/hwrng | wc -c", /^64$/m);
        await command("mkdir /m; mount -t 9p -o trans=virtio,version=9p2000.L share /m; cat /m/from-host", /^hello guests$/m);
        await command("cat /sys/class/input/input*/name /sys/class/input/input*/capabilities/abs", /^el2 tablet\n3$/m);
      }
      await a.command("ping -c 3 192.168.7.2", /3 packets transmitted, 3 packets received, 0% packet loss/, COMMAND);
      b.type("vsock serve");
      await b.expect(/VSOCK-LISTENS\n/, COMMAND);
      await a.command("vsock call 5", /VSOCK-ECHO 262144\n/, COMMAND);
      await b.expect(PROMPT, COMMAND);

      assert.equal(guests.system.inspector.act({ kind: "balloon.set", vm: "a", bytes: BALLOON }), undefined);
      const inflated = () => guests.metrics("dev:a/balloon5").inflated_pages === BALLOON / 4096;
      assert.equal(await guests.run(guests.system.machine.time + COMMAND * 1e9, inflated), undefined);

      const reads = 'hexdump -e \'12/2 " %d" "\\n"\' -n 24 /dev/input/event0 > /tmp/events & sleep 1; echo reads-$?';
      await a.command(reads, /reads-0\n/, COMMAND);
      assert.equal(guests.system.inspector.act({ kind: "input.send", vm: "a", events: [[{ type: 3, code: 0, value: 1234 }]] }), undefined);
      // A time, then type 3 (an absolute axis), code 0, value 1234.
      await a.command("wait; cat /tmp/events; echo read-$?", / 3 0 1234 0\n[^]*read-0\n/, COMMAND);

      for (const console of consoles) console.type("poweroff -f");
      assert.equal(await guests.end(BOOT), "every VM has ended");
      for (const name of NAMES) {
        const disk = await Deno.readFile(`${folder}/${name}.img`);
        assert.equal(new TextDecoder().decode(disk.subarray(3 * 512, 3 * 512 + 8)), "written\n");
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}
