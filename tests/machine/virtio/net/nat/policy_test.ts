// Network access of a guest behind the NAT: by default only the internet, in any spelling of
// addresses; refused frames open no socket of the host.

import assert from "node:assert/strict";
import { inOwnNetwork } from "../../../../support/own-network.ts";
import type { OutsideNetwork } from "../../../../../src/machine/virtio/outside-network.ts";
import { type Address, endpointText, ip, ip6, ip6Bytes, parseIp } from "../../../../../src/kit/formats/ip-addresses.ts";
import { type Route, TcpFlag, writeTcp, writeUdp } from "../../../../../src/kit/formats/packets.ts";
import { DnsStream, filteredAnswer, refusedAnswer } from "../../../../../src/machine/virtio/net/nat/dns.ts";
import { NatAddress } from "../../../../../src/machine/virtio/net/nat/addresses.ts";
import { Nat } from "../../../../../src/machine/virtio/net/nat/nat.ts";
import { judge, kindOfAddress, mayAnswer, policyText } from "../../../../../src/machine/virtio/net/nat/policy.ts";
import { NetDevice } from "../../../../../src/machine/virtio/net/net.ts";
import { DEFAULT_NET_POLICY, type NetPolicy, parseNetRule } from "../../../../../src/machine/virtio/plan.ts";
import { TestDriver } from "../../driver.ts";
import { LONG } from "../../../../support/long.ts";

const GUEST_MAC = Uint8Array.of(2, 0, 0, 0, 0, 1);
const GUEST_ADDRESS6 = ip6("fd10:0:2::15");
const addressOf = (text: string): Address => parseIp(text) ?? ip6(text);
const rule = (text: string) => parseNetRule(text)!;

/** Of the ports that are tried: each one with EL2_LONG=1. */
const STEP = LONG ? 1 : 256;

/** A NAT whose sockets a test counts. */
function nat(policy: NetPolicy) {
  const opened: string[] = [], problems: string[] = [], timers = new Set<() => void>();
  const stream = { write() {}, end() {}, destroy() {}, pause() {}, resume() {} };
  const network: OutsideNetwork = {
    connect(address, port, own) {
      opened.push(`tcp ${endpointText(address, port)}${own ? " own" : ""}`);
      return stream;
    },
    datagrams(address, port, own) {
      opened.push(`udp ${endpointText(address, port)}${own ? " own" : ""}`);
      return { send() {}, close() {} };
    },
    datagramPort: () => ({ send() {}, close() {} }),
    listen: () => ({ close() {} }),
    later(_milliseconds, action) {
      timers.add(action);
      return () => timers.delete(action);
    },
    nameServer: ip("127.0.0.53"),
  };
  const device = new NetDevice(GUEST_MAC);
  const made = new Nat({ device, network, forward: [], policy, onProblem: (message) => problems.push(message) });
  device.backend = made;
  new TestDriver(device).initialize();
  const route = (destination: Address): Route => ({
    sourceMac: GUEST_MAC,
    source: typeof destination === "number" ? NatAddress.Guest : GUEST_ADDRESS6,
    destinationMac: new Uint8Array(6),
    destination,
  });
  const syn = {
    sequence: 1,
    acknowledgment: 0,
    flags: TcpFlag.SYN,
    window: 1000,
    payload: new Uint8Array(0),
    mss: undefined,
    windowScale: undefined,
  };
  return {
    opened,
    problems,
    made,
    /** Time passes: flows that are not used end, and so does what is counted. */
    wait: () => {
      for (const action of [...timers]) if (timers.delete(action)) action();
    },
    tcp: (address: string, port: number) =>
      made.send(writeTcp(route(addressOf(address)), { ...syn, sourcePort: 1000, destinationPort: port })),
    udp: (address: string, port: number, payload: Uint8Array = Uint8Array.of(1)) =>
      made.send(writeUdp(route(addressOf(address)), 1000, port, payload)),
    reach: (address: string, port: number) => {
      const one = nat(policy);
      one.tcp(address, port);
      one.udp(address, port);
      return one.opened.length;
    },
  };
}

/** Addresses that are refused where nobody says otherwise. */
const REFUSED = [
  ...["10.0.2.2", "10.0.2.3", "127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "169.254.169.254", "169.254.0.1", "168.63.129.16"],
  ...[
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "100.100.100.200",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
  ],
  // IPv6: this computer, by whatever spelling, and what is not the internet.
  ...["fd10:0:2::2", "fd10:0:2::3", "fe80::2", "::", "::1", "::ffff:127.0.0.1", "::ffff:0.0.0.0", "::ffff:10.0.2.2", "::127.0.0.1"],
  ...["::ffff:0:127.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::192.168.1.1", "2002:7f00:1::1", "2002:c0a8:101::1"],
  ...[
    "::ffff:192.168.1.1",
    "::ffff:169.254.169.254",
    "fe80::1",
    "febf::1",
    "fc00::1",
    "fd00::1",
    "fdff::1",
    "fec0::1",
    "64:ff9b:1::7f00:1",
  ],
  ...["fd00:ec2::254", "ff02::1", "ff0e::1", "2001:0:1::1", "100::1", "4000::1", "fe00::1"],
];

Deno.test("D2: by default the internet alone is reached", () => {
  const one = nat(DEFAULT_NET_POLICY);
  for (const address of REFUSED) assert.equal(one.reach(address, 80), 0, address);
  for (
    const address of [
      "8.8.8.8",
      "172.32.0.1",
      "192.169.0.1",
      "100.128.0.1",
      "11.0.0.1",
      "2001:4860:4860::8888",
      "2a00::1",
      "::ffff:8.8.8.8",
    ]
  ) {
    assert.equal(one.reach(address, 80), 2, address);
  }
  one.tcp("8.8.8.8", 443);
  one.udp("10.0.2.3", 53);
  one.tcp("2001:4860:4860::8888", 443);
  one.udp("fd10:0:2::3", 53);
  one.tcp("::ffff:8.8.4.4", 443);
  assert.deepEqual(one.opened, [
    ...["tcp 8.8.8.8:443", "udp 127.0.0.53:53 own", "tcp [2001:4860:4860::8888]:443", "udp 127.0.0.53:53 own"],
    // A mapped address is one of IPv4.
    "tcp 8.8.4.4:443",
  ]);
});

Deno.test("D2: frames to every port of refused addresses open no socket, and the reason is said once for each kind", () => {
  const one = nat(DEFAULT_NET_POLICY);
  const four = ["10.0.2.2", "10.0.2.3", "127.0.0.1", "0.0.0.0", "169.254.169.254", "192.168.1.1"];
  const six = ["fd10:0:2::2", "fd10:0:2::3", "fe80::2", "::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.2.2", "fe80::1", "fd00::1"];
  for (const address of [...four, ...six]) {
    for (let port = 0; port < 65_536; port += typeof addressOf(address) === "number" ? 1 : STEP) {
      if (address.endsWith("3") && port === 53) continue;
      one.tcp(address, port);
      one.udp(address, port);
    }
  }
  assert.deepEqual(one.opened, []);
  assert.deepEqual(one.problems.map((text) => text.split("; ")[1]), [
    "--net user,host=yes allows it",
    "--net user,allow=ADDRESS:PORT allows it",
    "--net user,lan=yes allows it",
  ]);
});

Deno.test("a guest opens 512 connections per second and has 512; the reason is said once", () => {
  const one = nat(DEFAULT_NET_POLICY);
  for (let port = 1; port <= 300; port++) one.udp("8.8.8.8", port);
  for (let port = 1; port <= 1000; port++) one.tcp("8.8.8.8", port);
  assert.equal(one.opened.length, 512, "datagrams count as well");
  for (let port = 301; port <= 1000; port++) one.udp("8.8.8.8", port);
  assert.equal(one.opened.length, 512);
  const rate = "the guest opens more than 512 connections per second, the limit of a network card; others are refused";
  assert.deepEqual(one.problems, [rate]);
  assert.ok(one.made.busy);
  one.wait();
  for (let port = 1001; port <= 2000; port++) one.tcp("8.8.8.8", port);
  assert.equal(one.opened.length, 512 + 300, "of which 512 are of TCP");
  assert.deepEqual(one.problems.slice(1), [
    "the guest has 512 TCP connections, the most of a network card; more are refused until some end",
  ]);
  one.wait();
  for (let port = 1; port <= 300; port++) one.udp("8.8.8.8", port);
  assert.equal(one.opened.length, 512 + 300 + 300);
});

Deno.test("host, lan and internet open their addresses; rules that deny come first, then rules that allow", () => {
  const host = { ...DEFAULT_NET_POLICY, host: true };
  assert.equal(nat(host).reach("10.0.2.2", 8080), 2);
  assert.equal(nat(host).reach("127.0.0.1", 8080), 2);
  assert.equal(nat(host).reach("192.168.1.1", 80), 0);
  assert.equal(nat(host).reach("169.254.169.254", 80), 0);
  assert.equal(nat({ ...DEFAULT_NET_POLICY, lan: true }).reach("192.168.1.1", 80), 2);
  const closed = { ...DEFAULT_NET_POLICY, internet: false };
  assert.equal(nat(closed).reach("8.8.8.8", 80), 0);
  assert.equal(nat(closed).reach("10.0.2.3", 53), 0, "names would carry data out");
  const ruled = { ...closed, allow: [rule("10.0.2.2:8080"), rule("10.0.0.0/8:443")], deny: [rule("10.9.0.0/16")] };
  assert.deepEqual(
    [["10.0.2.2", 8080], ["10.0.2.2", 8081], ["10.1.1.1", 443], ["10.1.1.1", 80], ["10.9.1.1", 443]].map(([a, p]) =>
      nat(ruled).reach(`${a}`, Number(p))
    ),
    [2, 0, 2, 0, 0],
  );
  // A rule about loopback is about the router too, which leads there.
  assert.equal(nat({ ...host, deny: [rule("127.0.0.1:22")] }).reach("10.0.2.2", 22), 0);
  assert.equal(policyText(ruled), "internet=no lan=no host=no allow=10.0.2.2/32:8080 allow=10.0.0.0/8:443 deny=10.9.0.0/16");
});

Deno.test("a rule about one spelling of an address denies all of them, and allows only what it says", () => {
  const open = { ...DEFAULT_NET_POLICY, host: true, lan: true };
  const denied: [string, string[]][] = [
    ["127.0.0.1:22", ["10.0.2.2", "fd10:0:2::2", "::1", "::ffff:127.0.0.1", "64:ff9b::127.0.0.1", "2002:7f00:1::1"]],
    ["[::1]:22", ["fd10:0:2::2", "fe80::2", "::1", "10.0.2.2", "127.0.0.1"]],
    ["8.8.8.0/24", ["8.8.8.8", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"]],
    ["[2a00::]/12:22", ["2a00::1", "2a0f:ffff::1"]],
    ["::/0", ["2a00::1", "fd10:0:2::2", "fd00::1", "64:ff9b::808:808"]],
  ];
  for (const [text, addresses] of denied) {
    for (const address of addresses) {
      assert.equal(nat(open).reach(address, 22), 2, address);
      assert.equal(nat({ ...open, deny: [rule(text)] }).reach(address, 22), 0, `${text} ${address}`);
    }
  }
  assert.equal(nat({ ...open, deny: [rule("::/0")] }).reach("8.8.8.8", 22), 2);
  const closed = { ...DEFAULT_NET_POLICY, internet: false };
  const allowed: [string, string[], string[]][] = [
    ["[::1]:22", ["::1", "fd10:0:2::2"], ["10.0.2.2", "127.0.0.1", "::ffff:127.0.0.1"]],
    ["127.0.0.1:22", ["127.0.0.1", "10.0.2.2", "::ffff:127.0.0.1"], ["::1", "fd10:0:2::2", "64:ff9b::127.0.0.1"]],
    ["fd00::/16", ["fd00::1"], ["fd01::1", "fe80::1"]],
    ["8.8.8.8", ["8.8.8.8", "::ffff:8.8.8.8"], ["64:ff9b::808:808"]],
  ];
  for (const [text, yes, no] of allowed) {
    const policy = { ...closed, allow: [rule(text)] };
    for (const address of yes) assert.equal(nat(policy).reach(address, 22), 2, `${text} ${address}`);
    for (const address of no) assert.equal(nat(policy).reach(address, 22), 0, `${text} ${address}`);
  }
});

Deno.test("an address of the internet that turns out to be this computer's is allowed only by name or with host", () => {
  const at = (policy: NetPolicy) => judge(policy, ip("203.0.113.7"), ip("203.0.113.7"), 80);
  assert.deepEqual(at(DEFAULT_NET_POLICY), { allowed: true, kind: "internet", own: false });
  assert.equal(at({ ...DEFAULT_NET_POLICY, allow: [rule("203.0.113.0/24")] }).own, false);
  assert.equal(at({ ...DEFAULT_NET_POLICY, allow: [rule("203.0.113.7:80")] }).own, true);
  assert.equal(at({ ...DEFAULT_NET_POLICY, host: true }).own, true);
});

Deno.test("a rule of a program applies whichever address of its network the program names", () => {
  for (
    const [network, bits, inside, outside] of [
      [ip("93.184.216.34"), 24, ip("93.184.216.1"), ip("93.184.217.1")],
      [ip6("2606:2800::7"), 30, ip6("2606:2803::1"), ip6("2606:2804::1")],
    ] as const
  ) {
    const policy: NetPolicy = { ...DEFAULT_NET_POLICY, deny: [{ network, bits }] };
    assert.equal(judge(policy, inside, inside, 80).allowed, false);
    assert.equal(judge(policy, outside, outside, 80).allowed, true);
  }
});

Deno.test("rules are written CIDR[:PORT]", () => {
  assert.deepEqual(parseNetRule("10.1.2.3/16"), { network: ip("10.1.0.0"), bits: 16 });
  assert.deepEqual(parseNetRule("1.2.3.4:65535"), { network: ip("1.2.3.4"), bits: 32, port: 65535 });
  assert.deepEqual(parseNetRule("0.0.0.0/0"), { network: 0, bits: 0 });
  assert.deepEqual(parseNetRule("::1"), { network: ip6("::1"), bits: 128 });
  assert.deepEqual(parseNetRule("2001:DB8:ffff::7/33"), { network: ip6("2001:db8:8000::"), bits: 33 });
  assert.deepEqual(parseNetRule("[fd00::]/8:443"), { network: ip6("fd00::"), bits: 8, port: 443 });
  assert.deepEqual(parseNetRule("[::ffff:1.2.3.4]:22"), { network: ip6("::ffff:1.2.3.4"), bits: 128, port: 22 });
  assert.deepEqual(parseNetRule("::/0"), { network: ip6("::"), bits: 0 });
  assert.equal(
    policyText({ ...DEFAULT_NET_POLICY, allow: [rule("fd00:0:0:1::/64"), rule("[2001:db8::7]:22")] }),
    "internet=yes lan=no host=no allow=fd00:0:0:1::/64 allow=[2001:db8::7]/128:22",
  );
  for (
    const wrong of [
      "",
      "1.2.3",
      "1.2.3.256",
      "1.2.3.4/33",
      "1.2.3.4:0",
      "1.2.3.4:65536",
      "localhost",
      "1.2.3.4/",
      "1.2.3.4:",
      "-1.2.3.4",
      ...["::1/129", "[::1]:0", "[::1", "::1]", "[127.0.0.1]:80", "fe80::1%eth0", "1:2:3:4:5:6:7:8:9", "1::2::3", "::12345", ":::", "::g"],
    ]
  ) {
    assert.equal(parseNetRule(wrong), undefined, wrong);
  }
});

/** A DNS answer for a.test with records of type and data. */
function answer(...records: [type: number, data: number[]][]): Uint8Array {
  const name = [1, 0x61, 4, 0x74, 0x65, 0x73, 0x74, 0];
  const header = [0x12, 0x34, 0x81, 0x80, 0, 1, 0, records.length, 0, 0, 0, 0];
  const body = records.flatMap(([type, data]) => [0xc0, 12, 0, type, 0, 1, 0, 0, 0, 60, data.length >> 8, data.length & 0xff, ...data]);
  return Uint8Array.from([...header, ...name, 0, 1, 0, 1, ...body]);
}
const v6 = (text: string) => [...ip6Bytes(ip6(text))];
const allowed = (bytes: Uint8Array) => mayAnswer(DEFAULT_NET_POLICY, bytes);
const CODE = 3, COUNT = 7;

Deno.test("a name that leads to a refused address has no address: no rebinding", () => {
  const good = answer([1, [93, 184, 216, 34]], [5, [1, 0x62, 0]], [28, v6("2606:2800:220:1:248:1893:25c8:1946")]);
  assert.deepEqual(filteredAnswer(good, allowed), good);
  const hostile: [number, number[]][] = [
    ...[[127, 0, 0, 1], [0, 0, 0, 0], [192, 168, 1, 1], [169, 254, 169, 254], [10, 0, 2, 2]].map((data): [number, number[]] => [1, data]),
    ...["0:0:0:0:0:0:0:1", "0:0:0:0:0:0:0:0", "0:0:0:0:0:ffff:7f00:1", "0:0:0:0:0:0:7f00:1", "fe80:0:0:0:0:0:0:1", "fd00:ec2:0:0:0:0:0:254"]
      .map((text): [number, number[]] => [28, v6(text)]),
    ...["64:ff9b:0:0:0:0:7f00:1", "2002:7f00:1:0:0:0:0:1", "ff02:0:0:0:0:0:0:1"].map((text): [number, number[]] => [28, v6(text)]),
    [1, [1, 2, 3]],
  ];
  for (const record of hostile) {
    const filtered = filteredAnswer(answer([1, [93, 184, 216, 34]], record), allowed)!;
    assert.ok(filtered, String(record));
    assert.equal(filtered[CODE] & 15, 3, String(record));
    assert.equal(filtered[COUNT], 0);
    assert.equal(filtered.length, 24, "header and question");
  }
  assert.equal(kindOfAddress(ip6("2001:4860::8888")), "internet");
  // Rules are about answers of either kind.
  const answers = (policy: Partial<NetPolicy>, text: string) => mayAnswer({ ...DEFAULT_NET_POLICY, ...policy }, ip6Bytes(ip6(text)));
  assert.equal(answers({}, "2a00::1"), true);
  assert.equal(answers({ deny: [rule("2a00::/12")] }, "2a00::1"), false);
  assert.equal(answers({ deny: [rule("8.8.8.0/24")] }, "64:ff9b::8.8.8.8"), false);
  assert.equal(answers({ allow: [rule("[fd00::7]:22")] }, "fd00::7"), true);
  assert.equal(answers({ allow: [rule("192.168.0.0/16")] }, "::ffff:192.168.1.1"), true);
  assert.equal(answers({ internet: false, lan: true }, "fd00::7"), true);
  const service = filteredAnswer(answer([65, [0, 1, 0]]), allowed)!;
  assert.deepEqual([service[CODE] & 15, service[COUNT]], [0, 0]);
});

Deno.test("what is not a whole DNS message is dropped; queries that nobody may ask are refused", () => {
  const whole = answer([1, [93, 184, 216, 34]], [28, v6("2606:2800:220:1:248:1893:25c8:1946")]);
  for (let length = 0; length < whole.length; length++) {
    assert.equal(filteredAnswer(whole.subarray(0, length), allowed), undefined, `${length}`);
  }
  for (let at = 0; at < whole.length; at++) {
    for (const value of [0, 1, 0x3f, 0x40, 0xc0, 0xff]) filteredAnswer(whole.with(at, value), allowed);
  }
  const refused = refusedAnswer(answer())!;
  assert.deepEqual([refused[2] & 0x80, refused[CODE] & 15], [0x80, 5]);
  assert.equal(refusedAnswer(new Uint8Array(11)), undefined);
});

Deno.test("messages of a stream are filtered however they are cut", () => {
  const good = answer([1, [93, 184, 216, 34]]), bad = answer([1, [127, 0, 0, 1]]);
  const stream = [good, bad, good].flatMap((one) => [0, one.length, ...one]);
  for (const size of [1, 3, 7, 1000]) {
    const dns = new DnsStream(allowed), out: number[] = [];
    for (let at = 0; at < stream.length; at += size) out.push(...dns.append(Uint8Array.from(stream.slice(at, at + size)))!);
    const empty = filteredAnswer(bad, allowed)!;
    assert.deepEqual(out, [good, empty, good].flatMap((one) => [0, one.length, ...one]), `${size}`);
  }
  assert.equal(new DnsStream(allowed).append(Uint8Array.of(0, 1, 9)), undefined);
});

Deno.test("an address that this computer has is refused by the sockets, in a network that the test makes", async () => {
  const sockets = new URL("../../../../../src/session/outside/sockets.ts", import.meta.url).href;
  const addresses = new URL("../../../../../src/kit/formats/ip-addresses.ts", import.meta.url).href;
  const script = `
    import { computerSockets } from ${JSON.stringify(sockets)};
    import { ip } from ${JSON.stringify(addresses)};
    const heard = [];
    const server = Deno.listen({ hostname: "203.0.113.7", port: 8080 });
    (async () => { for await (const one of server) { heard.push("tcp"); one.close(); } })();
    const network = computerSockets();
    const tell = (own) => new Promise((resolve) => network.connect(ip("203.0.113.7"), 8080, own,
      { connected: () => resolve("connected"), data() {}, ended() {}, full() {}, drained() {}, closed: (problem) => resolve(problem) }));
    const refused = await tell(false), before = heard.length, open = await tell(true);
    for (const limit = Date.now() + 60_000; heard.length === before && Date.now() < limit;) await new Promise((resolve) => setTimeout(resolve, 5));
    console.log(JSON.stringify([refused, before, open, heard.length]));
    Deno.exit();`;
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(file, script);
  const said = await inOwnNetwork({ four: ["203.0.113.7"], six: [] }, ["--allow-net", "--allow-read"], file)
    .finally(() => Deno.remove(file));
  assert.deepEqual(said, ["203.0.113.7 is an address of this computer", 0, "connected", 1]);
});

Deno.test("D2: in a network with a listener on each address, frames to ports of refused addresses reach none", async () => {
  const script = new URL("../own-network.ts", import.meta.url).pathname;
  const refused = [
    "127.0.0.1",
    "127.1.2.3",
    "0.0.0.0",
    "10.0.2.2",
    "169.254.169.254",
    "169.254.7.7",
    "192.168.7.7",
    "10.9.9.9",
    "100.64.0.7",
  ];
  const six = ["fe80::7", "fd00::7"], own = ["203.0.113.7", "198.51.100.7"], own6 = ["2001:db8::7"];
  const refused6 = [
    ...[...six, "::1", "::", "fd10:0:2::2", "fe80::2", "::ffff:127.0.0.1", "::ffff:0.0.0.0", "::ffff:10.0.2.2", "::ffff:169.254.169.254"],
    ...["::ffff:192.168.7.7", "::127.0.0.1", "64:ff9b::127.0.0.1", "2002:7f00:1::1"],
  ];
  const reached = await inOwnNetwork(
    { four: [...refused.slice(4), ...own], six: [...six, ...own6] },
    ["--allow-net", "--allow-read", "--allow-env"],
    script,
    JSON.stringify([[...refused, ...refused6], [...own, ...own6, "::ffff:203.0.113.7"], ["10.0.2.2", "fd10:0:2::2"]]),
  );
  for (const address of [...refused, ...refused6]) assert.deepEqual(reached[address], { opened: 0, heard: 0 }, address);
  for (const address of [...own, ...own6, "::ffff:203.0.113.7"]) assert.deepEqual(reached[address], { opened: 6, heard: 0 }, address);
  for (const address of ["10.0.2.2", "fd10:0:2::2"]) {
    assert.deepEqual(reached[`${address} with host`], { opened: 2, heard: 2 }, "the listeners hear");
  }
});
