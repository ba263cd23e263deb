import assert from "node:assert/strict";
import { ip, ip6 } from "../../../src/kit/formats/ip-addresses.ts";
import { resolversOf } from "../../../src/kit/formats/resolv-conf.ts";

const [DEAD, ALIVE, LAST] = [ip("127.0.0.53"), ip("10.0.0.1"), ip6("2a00::53")];

Deno.test("the resolvers of a computer are those of resolv.conf, IPv4 first, at most three", () => {
  assert.deepEqual(resolversOf("# none\noptions edns0 trust-ad\nsearch example.org\n"), [DEAD]);
  assert.deepEqual(resolversOf("nameserver 2a00::53\nnameserver\t10.0.0.1 # the router\nnameserver nonsense\noptions edns0"), [
    ALIVE,
    LAST,
  ]);
  assert.equal(resolversOf("nameserver 10.0.0.1\n".repeat(9)).length, 3);
});
