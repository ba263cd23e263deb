// A Debian guest that looks for listeners of this computer and its networks, in a network namespace
// that the test makes: with EL2_LONG=1 each listening port and 200 others of each refused address.
// The frames alone, without a guest, are in tests/machine/virtio/net/nat/policy_test.ts.

import assert from "node:assert/strict";
import { catalogEntry } from "../../src/app/catalog/catalog.ts";
import { inOwnNetwork } from "../support/own-network.ts";
import { LONG } from "../support/long.ts";

/** Addresses that the namespace gives this computer, of which the last two of each are public. */
const FOUR = ["169.254.169.254", "169.254.7.7", "192.168.7.7", "10.9.9.9", "100.64.0.7", "203.0.113.7", "198.51.100.7"];
const SIX = ["fe80::7", "fd00::7", "fd00:ec2::254", "2001:db8::7", "2a00::7"];
/** Addresses of the NAT's network, and others that lead to this computer. */
const NETWORK = ["10.0.2.2", "10.0.2.3", "fd10:0:2::2", "fd10:0:2::3", "fe80::2%eth0", "64:ff9b::7f00:1", "2002:7f00:1::1"];

if (LONG) {
  Deno.test("D2: a Debian guest that scans the refused addresses finds no listener", async () => {
    const { folder } = await catalogEntry("debian-bookworm");
    const script = new URL("./scanned-network.ts", import.meta.url).pathname;
    const refused = [...NETWORK, ...FOUR, ...SIX.map((address) => address === "fe80::7" ? "fe80::7%eth0" : address)];
    const reached = ["10.0.2.2", "fd10:0:2::2"];
    const { closed, open, ports } = await inOwnNetwork(
      { four: FOUR, six: SIX },
      ["--allow-net", "--allow-read", "--allow-write", "--allow-env", "--allow-run"],
      script,
      JSON.stringify([folder, refused, reached]),
    );
    assert.match(closed.addresses, /inet 10\.0\.2\.15\/24/);
    assert.match(closed.addresses, /inet6 fd10:0:2:/);
    assert.ok(ports > 200, `${ports}`);
    assert.deepEqual({ open: closed.open, heard: closed.heard }, { open: [], heard: 0 });
    // The same scan finds what `host=yes` opens: four ports by TCP, and as many by UDP.
    assert.deepEqual(open.open.length, 2 * 4, open.open.join());
    assert.equal(open.heard, 2 * 4 * 2);
  });
}
