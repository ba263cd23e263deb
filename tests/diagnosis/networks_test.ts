// A Linux whose network does not answer is healthy: lines name the addresses that nobody has, and
// the programs that wait for an answer.

import assert from "node:assert/strict";
import { diagnosisLines } from "../../src/model/queries/texts/diagnosis-text.ts";
import { Debian } from "../inside/linux/debian.ts";
import { verdictOn } from "./broken-linux.ts";
import { fits } from "./class-guests.ts";

/** Virtual time (ns) between two questions, and after which requests have no answer. */
const ASKED = 200e6, UNANSWERED = 4e9;

Deno.test("addresses that nobody on the network has, and answers that do not come, are lines until they are there", async () => {
  const debian =
    (await Debian.start("bookworm", { initrd: "initrd-virtio", devices: [{ kind: "net", backend: "pair:nobody", forward: [] }] }))
      .withShell();
  debian.loadModules();
  debian.command("ip link set lo up; ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0; ip route add default via 10.0.2.77");
  const isUnanswered = () => verdictOn(debian).because.some((one) => one.code === "kernel" && one.finding.code === "no-neighbor");
  assert.ok(!isUnanswered());
  debian.type("wget -O /dev/null http://1.2.3.4/\n");
  for (let time = 0; !isUnanswered(); time += ASKED) assert.ok(time < UNANSWERED && debian.run(ASKED), debian.shown.slice(-300));
  const row = verdictOn(debian), lines = diagnosisLines(row).join("\n");
  assert.ok(row.healthy, lines);
  const finding = { code: "no-neighbor", neighbors: [{ address: "10.0.2.77", device: "eth0" }] } as const;
  assert.ok(row.because.some((one) => fits(one, { code: "kernel", finding })), lines);
  assert.match(lines, /nobody has answered its requests \(ARP\) for 10\.0\.2\.77 on eth0; way out: start what has this address/);
  assert.match(lines, /program wget \(\d+\) waits for a connection to 1\.2\.3\.4:80 \(TCP\)/);
  debian.until(/No route to host|Host is unreachable/);

  // The address is on its own loopback now.
  debian.command("ip addr add 10.0.2.77/24 dev lo; ip neigh flush dev eth0; ip route flush default; wget -O /dev/null http://10.0.2.77/");
  assert.ok(!isUnanswered() && verdictOn(debian).healthy, diagnosisLines(verdictOn(debian)).join("\n"));
});

Deno.test("addresses of IPv6 that nobody on the network has are lines until they are there", async () => {
  const debian =
    (await Debian.start("bookworm", { initrd: "initrd-virtio", devices: [{ kind: "net", backend: "pair:nobody", forward: [] }] }))
      .withShell();
  debian.loadModules();
  debian.command(
    "echo 0 > /proc/sys/net/ipv6/conf/eth0/accept_dad; ip link set lo up; ip link set eth0 up; ip addr add fd00::15/64 dev eth0",
  );
  const unanswered = () => verdictOn(debian).because.filter((one) => one.code === "kernel" && one.finding.code === "no-neighbor");
  assert.deepEqual(unanswered(), []);
  debian.type("wget -O /dev/null http://[fd00::77]/\n");
  for (let time = 0; unanswered().length === 0; time += ASKED) {
    assert.ok(time < UNANSWERED && debian.run(ASKED), debian.shown.slice(-300));
  }
  const row = verdictOn(debian), lines = diagnosisLines(row).join("\n");
  assert.ok(row.healthy, lines);
  assert.match(lines, /nobody has answered its requests \(neighbor discovery\) for fd00::77 on eth0; way out: start what has this address/);
  debian.until(/No route to host|Host is unreachable/);

  // Its own loopback has the address, and the network is off.
  debian.command("ip link set eth0 down; ip -6 addr add fd00::77/64 dev lo; wget -O /dev/null http://[fd00::77]/");
  assert.deepEqual(unanswered(), []);
  assert.ok(verdictOn(debian).healthy, diagnosisLines(verdictOn(debian)).join("\n"));
});
