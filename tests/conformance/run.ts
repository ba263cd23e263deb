// SPDX-License-Identifier: Apache-2.0
// Copyright the el2 authors
//
// Reference runner for the conformance cases. The formats are in README.md.
//   deno run -A run.ts --cases DIR [--only TEXT] [--json FILE] [--set name=value] -- COMMAND...

type Vars = Map<string, bigint | string>;
// deno-lint-ignore no-explicit-any
type Any = any;
type Step = Record<string, Any>;
interface Case {
  name: string;
  needs: string;
  fresh?: boolean;
  steps: Step[];
  teardown?: Step[];
  note?: string;
}
interface Group {
  format: number;
  group: string;
  about: string;
  cases: Case[];
}

const here = new URL(".", import.meta.url);
const hex = (v: bigint | number) => "0x" + BigInt.asUintN(64, BigInt(v)).toString(16);
const bytesToHex = (b: Uint8Array) => Array.from(b, (x) => x.toString(16).padStart(2, "0")).join("");
const hexToBytes = (s: string) => Uint8Array.from(s.match(/../g) ?? [], (x) => parseInt(x, 16));
const sleep = (ms: number) => new Promise((r) => setTimeout(r, ms));

class Gone extends Error {}

/** A probe behind the standard streams of a command. */
class Link {
  #child: Deno.ChildProcess;
  #writer: WritableStreamDefaultWriter<Uint8Array>;
  #lines: string[] = [];
  #wake: (() => void) | undefined;
  #ended = false;
  dead = false;
  hello: bigint[] = [];

  constructor(command: string[]) {
    this.#child = new Deno.Command(command[0], {
      args: command.slice(1),
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#read();
  }
  async #read() {
    let tail = "";
    const decoder = new TextDecoder();
    try {
      for await (const chunk of this.#child.stdout) {
        const parts = (tail + decoder.decode(chunk, { stream: true })).split("\n");
        tail = parts.pop()!;
        this.#lines.push(...parts);
        this.#wake?.();
      }
    } catch { /* the process went away: reported by #ended */ }
    this.#ended = true;
    this.#wake?.();
  }
  /** The next line that holds an answer, from its "@" on. */
  async answer(ms: number): Promise<string> {
    const limit = Date.now() + ms;
    for (;;) {
      while (this.#lines.length) {
        const line = this.#lines.shift()!.replaceAll("\r", "");
        const at = line.indexOf("@");
        if (at >= 0) {
          if (line.startsWith("@DIED", at)) {
            this.dead = true;
            throw new Gone("the probe died: " + line.slice(at));
          }
          return line.slice(at + 1).trim();
        }
      }
      const left = limit - Date.now();
      if (this.#ended || left <= 0) {
        this.dead = true;
        throw new Gone(this.#ended ? "the command ended" : `no reply within ${ms} ms`);
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => (clearTimeout(timer), resolve());
      });
      this.#wake = undefined;
    }
  }
  async send(line: string, ms = 30_000): Promise<string> {
    try {
      await this.#writer.write(new TextEncoder().encode(line + "\n"));
    } catch {
      this.dead = true;
      throw new Gone("the command closed its input");
    }
    return await this.answer(ms);
  }
  async start() {
    for (;;) {
      const a = await this.answer(60000);
      if (a.startsWith("READY")) {
        this.hello = a.split(" ").slice(1).map((x) => BigInt("0x" + x));
        return;
      }
    }
  }
  async close() {
    try {
      this.#child.kill("SIGKILL");
    } catch { /* already gone */ }
    try {
      await this.#writer.close();
    } catch { /* already closed */ }
    await this.#child.status;
  }
}

// ---- flattened device trees ---------------------------------------------------

/** Properties as [path, name, bytes]. */
function readTree(b: Uint8Array): [string, string, Uint8Array][] {
  const v = new DataView(b.buffer, b.byteOffset, b.byteLength);
  if (v.getUint32(0) !== 0xd00dfeed) throw new Error("no device tree");
  const strings = v.getUint32(12);
  const text = (o: number) => {
    let e = o;
    while (b[e]) e++;
    return new TextDecoder().decode(b.subarray(o, e));
  };
  const out: [string, string, Uint8Array][] = [];
  const path: string[] = [];
  for (let o = v.getUint32(8);;) {
    const token = v.getUint32(o);
    o += 4;
    if (token === 1) {
      const name = text(o);
      o += (name.length + 4) & ~3;
      path.push(name);
      out.push([path.join("/") || "/", "", new Uint8Array()]);
    } else if (token === 2) path.pop();
    else if (token === 3) {
      const n = v.getUint32(o);
      out.push([path.join("/") || "/", text(strings + v.getUint32(o + 4)), b.subarray(o + 8, o + 8 + n)]);
      o += (8 + n + 3) & ~3;
    } else if (token === 9) return out;
  }
}

// ---- values ---------------------------------------------------------------------

/** `0x10`, `16`, `$name`, and sums and differences of them. */
function value(e: Any, vars: Vars): bigint {
  if (typeof e === "number") return BigInt(e);
  let total = 0n;
  for (const m of String(e).matchAll(/([+-]?)\s*(\$?[A-Za-z_0-9]+)/g)) {
    let v: bigint;
    if (m[2].startsWith("$")) {
      const found = vars.get(m[2].slice(1));
      if (found === undefined) throw new Error(`unknown variable ${m[2]}`);
      v = BigInt(found);
    } else v = BigInt(m[2]);
    total += m[1] === "-" ? -v : v;
  }
  return BigInt.asUintN(64, total);
}

/**
 * A byte string from hexadecimal text, or from fields like "u16:$vm", "str:name", "hex:00ff",
 * "zero:12", "fill:ab*20".
 */
function bytes(spec: Any, vars: Vars): Uint8Array {
  if (typeof spec === "string") return hexToBytes(spec);
  const out: number[] = [];
  for (const item of spec as string[]) {
    const cut = item.indexOf(":");
    const kind = item.slice(0, cut), rest = item.slice(cut + 1);
    if (/^u(8|16|32|64)$/.test(kind)) {
      let v = value(rest, vars);
      for (let n = Number(kind.slice(1)) / 8; n--; v >>= 8n) out.push(Number(v & 255n));
    } else if (kind === "str") out.push(...new TextEncoder().encode(rest));
    else if (kind === "hex") out.push(...hexToBytes(rest));
    else if (kind === "zero") out.push(...new Array(Number(rest)).fill(0));
    else if (kind === "fill") out.push(...new Array(Number(rest.split("*")[1])).fill(parseInt(rest, 16)));
    else throw new Error(`unknown field ${item}`);
  }
  return Uint8Array.from(out);
}

/**
 * Byte strings: hexadecimal text in which ".." is any byte, or typed fields where "any:N" is N
 * bytes of anything.
 */
function matchBytes(want: Any, got: string, vars: Vars): boolean {
  if (Array.isArray(want)) {
    want = want.map((f: string) => f.startsWith("any:") ? "..".repeat(Number(f.slice(4))) : bytesToHex(bytes([f], vars))).join("");
  }
  return want.length === got.length && new RegExp(`^${want}$`).test(got);
}

function matches(want: Any, got: Any, vars: Vars): boolean {
  if (want === "any") return got !== undefined;
  if (got === undefined) return false;
  if (typeof got === "boolean") return want === got;
  if (Array.isArray(got)) {
    return Array.isArray(want) && want.length === got.length && want.every((w, i) => matches(w, got[i], vars));
  }
  if (typeof got === "object") return Object.entries(want).every(([k, w]) => matches(w, got[k], vars));
  if (typeof want === "object" && !Array.isArray(want)) {
    if (want.in) return want.in.some((w: Any) => matches(w, got, vars));
    if (want.not !== undefined) return !matches(want.not, got, vars);
    const v = BigInt(got);
    if (want.mask !== undefined) return (v & value(want.mask, vars)) === value(want.value, vars);
    return (want.min === undefined || v >= value(want.min, vars)) &&
      (want.max === undefined || v <= value(want.max, vars));
  }
  if (/^0x[0-9a-f]+$/.test(got)) return value(want, vars) === BigInt(got);
  if (Array.isArray(want) || /^([0-9a-f]{2})*$/.test(got)) return matchBytes(want, got, vars);
  return want === got;
}

// ---- steps -----------------------------------------------------------------------

const sysreg = (s: string) => {
  const m = /^s([23])_([0-7])_c(\d+)_c(\d+)_([0-7])$/.exec(s);
  if (!m) throw new Error(`register ${s}: write s3_0_c0_c4_0`);
  const [a, b, c, d, e] = m.slice(1).map(Number);
  return ((a - 2) << 19) | (b << 16) | (c << 12) | (d << 8) | (e << 5);
};

interface Notification {
  id: string;
  payload: string;
}

class Session {
  link!: Link;
  vars: Vars = new Map();
  notifications: Notification[] = [];
  sequence = 0;
  dirty = false;
  constructor(readonly command: string[], readonly macros: Record<string, Step[]>, readonly settings: Vars) {}

  async open() {
    this.link = new Link(this.command);
    await this.link.start();
    this.dirty = false;
    this.notifications = [];
    this.sequence = 0;
    await this.reset();
  }
  /** Variables every case starts with. */
  async reset() {
    const [, dtb, base, textSize] = this.link.hello;
    const keep = ["rmtx", "rmrx", "vmid"].map((k) => [k, this.vars.get(k)] as const);
    this.vars = new Map<string, bigint | string>([
      ["dtb", dtb],
      ["image", base],
      ["image_size", textSize],
      ["gicd", 0x08000000n],
      ["gicr", 0x080a0000n],
      ["ram", 0x40000000n],
      ["buf", 0x44000000n],
      ["mem", 0x50000000n],
      ["free", 0x60000000n],
      ["gbuf", 0x80180000n],
      ["gtx", 0n],
      ["grx", 1n],
    ]);
    for (const [k, v] of keep) if (v !== undefined) this.vars.set(k, v);
    for (const [k, v] of this.settings) this.vars.set(k, v);
    if (!this.vars.has("rmtx")) await this.findResourceManager(dtb);
  }
  async findResourceManager(dtb: bigint) {
    try {
      const head = hexToBytes((await this.link.send(`p ${dtb.toString(16)} 8`)).slice(2));
      const size = new DataView(head.buffer).getUint32(4);
      for (const [path, name, v] of readTree(await this.peek("", dtb, size))) {
        if (!path.startsWith("/hypervisor")) continue;
        const d = new DataView(v.buffer, v.byteOffset, v.byteLength);
        if (/resource-manager/.test(path) && name === "reg" && v.length === 16) {
          this.vars.set("rmtx", d.getBigUint64(0));
          this.vars.set("rmrx", d.getBigUint64(8));
        }
        if (name === "qcom,vmid") this.vars.set("vmid", BigInt(d.getUint32(0)));
      }
    } catch (e) {
      if (e instanceof Gone) throw e; // without a tree the defaults hold
    }
    for (const [k, v] of [["rmtx", 0n], ["rmrx", 1n], ["vmid", 3n]] as const) {
      if (!this.vars.has(k)) this.vars.set(k, v);
    }
  }
  h(e: Any): string {
    return value(e, this.vars).toString(16);
  }
  /** One probe command, on the CPU or in the guest that `where` names. */
  async probe(where: string | undefined, line: string, resume: Any[] = []): Promise<string> {
    if (!where) return await this.link.send(line);
    if (where.startsWith("cpu:")) return await this.link.send(`n ${this.h(where.slice(4))} 1388 ${line}`);
    const caps = where.split(",").map((c) => this.h(c)).join(",");
    const r = [0, 1, 2].map((i) => this.h(resume[i] ?? 0)).join(" ");
    const a = await this.link.send(`u ${caps} 4000 ${r}${line ? " : " + line : ""}`, 120000);
    if (a.startsWith("U R ")) return a.slice(4);
    return a;
  }
  async peek(where: string | undefined, address: bigint, n: number): Promise<Uint8Array> {
    let out = "";
    const most = where ? 1024 : 2048;
    for (let o = 0; o < n; o += most) {
      out += (await this.probe(where, `p ${(address + BigInt(o)).toString(16)} ${Math.min(most, n - o).toString(16)}`))
        .slice(2);
    }
    return hexToBytes(out);
  }
  async poke(where: string | undefined, address: bigint, data: Uint8Array) {
    const most = where ? 400 : 2000;
    for (let o = 0; o < data.length; o += most) {
      await this.probe(where, `k ${(address + BigInt(o)).toString(16)} ${bytesToHex(data.subarray(o, o + most))}`);
    }
  }
  /** Turns a probe answer into named fields. */
  fields(a: string, single: boolean): Record<string, Any> {
    const f = a.split(" ");
    const v = (i: number) => hex(BigInt("0x" + (f[i] || "0")));
    if (f[0] === "E") {
      const out: Record<string, Any> = { exception: v(1), esr: v(2) };
      const ec = parseInt(f[2], 16) >>> 26;
      if ([0x20, 0x21, 0x22, 0x24, 0x25, 0x34, 0x35].includes(ec)) out.far = v(3);
      return out;
    }
    if (f[0] === "T") return { timeout: true };
    if (f[0] === "U") {
      if (f[1] === "M") return { running: true };
      return { error: v(2), state: v(3), data0: v(4), data1: v(5), data2: v(6) };
    }
    if (single) return { value: v(1) };
    if (f[0] !== "R") return { answer: a };
    const out: Record<string, Any> = {};
    for (let i = 0; i < f.length - 2; i++) out[`x${i}`] = v(i + 1);
    out.changed = v(f.length - 1);
    return out;
  }
  buffers(s: Step): [bigint, bigint] {
    const b = value(s.buffer ?? (s.in ? "$gbuf" : "$buf"), this.vars);
    return [b, b + 0x1000n];
  }
  async sendPacket(s: Step, packet: Uint8Array): Promise<bigint> {
    const [b] = this.buffers(s);
    await this.poke(s.in, b, packet);
    for (let i = 0;; i++) {
      const a = await this.probe(
        s.in,
        `x d40c0362 ${this.h(s.tx ?? (s.in ? "$gtx" : "$rmtx"))} ${packet.length.toString(16)} ${b.toString(16)} 1 0`,
      );
      if (!a.startsWith("R")) throw new Gone("while sending: " + a);
      const e = BigInt("0x" + a.split(" ")[1]);
      if (e !== 0x3dn || i > 50) return e;
      await sleep(20);
    }
  }
  async receivePacket(s: Step, ms: number): Promise<Uint8Array | undefined> {
    const [, b] = this.buffers(s);
    const limit = Date.now() + ms;
    for (;;) {
      const a = await this.probe(
        s.in,
        `q ${this.h(s.rx ?? (s.in ? "$grx" : "$rmrx"))} ${b.toString(16)} f0 ${s.in ? 1 : 8}`,
      );
      if (!a.startsWith("R")) throw new Gone("while receiving: " + a);
      const [e, n] = a.split(" ").slice(1).map((x) => parseInt(x, 16));
      if (e === 0) return await this.peek(s.in, b, n);
      if (Date.now() > limit) return undefined;
      await sleep(5);
    }
  }
  /** The next whole message; notifications go to their list. */
  async receiveMessage(s: Step, ms: number): Promise<{ head: Uint8Array; body: Uint8Array } | undefined> {
    const first = await this.receivePacket(s, ms);
    if (!first) return undefined;
    const parts = [first.subarray(8)];
    for (let n = first[1] >> 2; n; n--) {
      const next = await this.receivePacket(s, 2000);
      if (!next) return undefined;
      parts.push(next.subarray(8));
    }
    const body = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
    parts.reduce((o, p) => (body.set(p, o), o + p.length), 0);
    return { head: first.subarray(0, 8), body };
  }
  note(m: { head: Uint8Array; body: Uint8Array }) {
    const id = new DataView(m.head.buffer, m.head.byteOffset).getUint32(4, true);
    this.notifications.push({ id: hex(id), payload: bytesToHex(m.body) });
  }
  async rpc(s: Step): Promise<Record<string, Any>> {
    const payload = bytes(s.payload ?? [], this.vars);
    const seq = s.in ? 0x4000 + (this.sequence++ & 0xfff) : this.sequence = (this.sequence + 1) & 0x3fff;
    const id = Number(value(s.id, this.vars));
    const more = Math.max(0, Math.ceil((payload.length - 232) / 232));
    for (let i = 0; i <= more; i++) {
      const part = payload.subarray(i * 232, (i + 1) * 232);
      const packet = new Uint8Array(8 + part.length);
      packet.set([0x21, (i ? 0 : 1) | (more << 2), seq & 255, seq >> 8]);
      new DataView(packet.buffer).setUint32(4, id, true);
      packet.set(part, 8);
      const e = await this.sendPacket(s, packet);
      if (e) return { send_error: hex(e) };
    }
    for (;;) {
      const m = await this.receiveMessage(s, Number(s.wait ?? 3000));
      if (!m) {
        this.dirty = true;
        return { reply: "none" };
      }
      if ((m.head[1] & 3) === 3) {
        this.note(m);
        continue;
      }
      const v = new DataView(m.head.buffer, m.head.byteOffset);
      const out: Record<string, Any> = {
        echo: m.head[0] === 0x21 && (m.head[1] & 3) === 2 && v.getUint16(2, true) === seq &&
          v.getUint32(4, true) === id,
      };
      if (m.body.length >= 4) {
        out.error = hex(new DataView(m.body.buffer).getUint32(0, true));
        out.payload = bytesToHex(m.body.subarray(4));
      } else out.short = bytesToHex(m.body);
      return out;
    }
  }

  async step(s: Step): Promise<Record<string, Any>> {
    const w: string | undefined = s.in;
    const list = (a: Any[] = []) => a.map((x) => (x === "-" ? "-" : this.h(x))).join(" ");
    switch (s.do) {
      case "hvc":
        return this.fields(
          await this.probe(
            w,
            `x ${((0xd4000002 | Number(value(s.imm ?? 0, this.vars)) << 5) >>> 0).toString(16)} ${list(s.args)}`,
          ),
          false,
        );
      case "smc":
        return this.fields(
          await this.probe(
            w,
            `x ${((0xd4000003 | Number(value(s.imm ?? 0, this.vars)) << 5) >>> 0).toString(16)} ${list(s.args)}`,
          ),
          false,
        );
      case "run":
        return this.fields(
          await this.probe(w, `${s.all ? "X" : "x"} ${s.words.map((x: Any) => this.h(x)).join(",")} ${list(s.args)}`),
          false,
        );
      case "mrs": {
        return this.fields(await this.probe(w, `x ${((0xd5300000 | sysreg(s.reg)) >>> 0).toString(16)}`), true);
      }
      case "msr": {
        const r = this.fields(
          await this.probe(w, `x ${((0xd5100000 | sysreg(s.reg)) >>> 0).toString(16)} ${this.h(s.value)}`),
          true,
        );
        return r.value === undefined ? r : { ok: true };
      }
      case "read":
        return this.fields(await this.probe(w, `r ${s.size} ${this.h(s.at)}`), true);
      case "write": {
        const r = this.fields(await this.probe(w, `w ${s.size} ${this.h(s.at)} ${this.h(s.value)}`), true);
        return r.value === undefined ? r : { ok: true };
      }
      case "peek":
        return { bytes: bytesToHex(await this.peek(w, value(s.at, this.vars), s.size)) };
      case "poke":
        await this.poke(w, value(s.at, this.vars), bytes(s.bytes, this.vars));
        return {};
      case "fill":
        await this.probe(w, `f ${this.h(s.at)} ${this.h(s.size)} ${this.h(s.byte ?? 0)}`);
        return {};
      case "copy":
        await this.probe(w, `c ${this.h(s.to)} ${this.h(s.from)} ${this.h(s.size)}`);
        return {};
      case "load":
        await this.poke(w, value(s.at, this.vars), Deno.readFileSync(new URL(s.file, here)));
        return {};
      case "irq_mode":
        await this.probe(w, `j ${this.h(s.mode)} ${this.h(s.limit ?? 8)}`);
        return {};
      case "irqs": {
        const f = (await this.probe(w, "i")).split(" ");
        return {
          count: hex(BigInt("0x" + f[1])),
          daif: hex(BigInt("0x" + f[2])),
          list: f.slice(3).map((x) => "0x" + x),
        };
      }
      case "cpu_on": {
        const f = (await this.probe(w, `o ${this.h(s.cpu)} ${this.h(s.mpidr ?? s.cpu)}`)).split(" ");
        return { x0: hex(BigInt("0x" + f[1])), runs: f[2] === "1" };
      }
      case "vcpu_run": {
        const r = (s.resume ?? [0, 0, 0]).map((x: Any) => this.h(x)).join(" ");
        const f = this.fields(await this.link.send(`v ${this.h(s.vcpu)} ${this.h(s.max ?? 2000)} ${r}`, 60000), false);
        return { error: f.x0, state: f.x1, data0: f.x2, data1: f.x3, data2: f.x4 };
      }
      case "guest": {
        const a = await this.probe(s.vcpu, "", s.resume ?? []);
        return a.startsWith("READY") ? { ready: true } : this.fields(a, !!s.single);
      }
      case "rpc":
        return await this.rpc(s);
      case "packet":
        return { x0: hex(await this.sendPacket(s, bytes(s.bytes, this.vars))) };
      case "receive": {
        const p = await this.receivePacket(s, Number(s.wait ?? 300));
        return p ? { bytes: bytesToHex(p) } : { none: true };
      }
      case "notifications": {
        const limit = Date.now() + Number(s.wait ?? 1500);
        const wanted = s.count ?? s.expect?.list?.length ?? 0;
        for (;;) {
          const more = this.notifications.length < wanted;
          const m = await this.receiveMessage(s, more ? Math.max(0, limit - Date.now()) : Number(s.quiet ?? 40));
          if (!m) break;
          this.note(m);
        }
        return { list: this.notifications.splice(0) };
      }
      case "resources": {
        const r = await this.rpc({ ...s, id: "0x56000020", payload: [`u16:${s.vm}`, "u16:0"] });
        if (r.error !== "0x0") return r;
        const b = hexToBytes(r.payload), v = new DataView(b.buffer);
        const kinds = ["src", "dst", "tx", "rx", "vcpu"];
        const out: Any[] = [];
        for (let o = 4; o + 44 <= b.length; o += 44) {
          const e = {
            type: hex(b[o]),
            partner: hex(v.getUint16(o + 2, true)),
            handle: hex(v.getUint32(o + 4, true)),
            label: hex(v.getUint32(o + 8, true)),
            cap: hex(v.getBigUint64(o + 12, true)),
            virq_handle: hex(v.getUint32(o + 20, true)),
            virq: hex(v.getUint32(o + 24, true)),
            base: hex(v.getBigUint64(o + 28, true)),
            size: hex(v.getBigUint64(o + 36, true)),
          };
          out.push(e);
          const name = (kinds[b[o]] ?? `type${b[o]}_`) + v.getUint32(o + 8, true).toString(16);
          this.vars.set(name, BigInt(e.cap));
          this.vars.set("virq_" + name, BigInt(e.virq));
        }
        return { error: r.error, count: hex(v.getUint32(0, true)), length: hex(b.length + 4), list: out };
      }
      case "devicetree": {
        const at = value(s.at, this.vars);
        const size = new DataView((await this.peek(w, at, 8)).buffer).getUint32(4);
        const props = readTree(await this.peek(w, at, size))
          .filter(([p]) => p.startsWith(s.under ?? "/"))
          .map(([p, n, v]) => [p.replace(/^(\/hypervisor\/[^/@]*)@[0-9a-f]*/, "$1@*"), n, bytesToHex(v)]);
        props.sort((a, b) => (a[0] + " " + a[1] < b[0] + " " + b[1] ? -1 : 1));
        return { list: props.map(([path, name, v]) => ({ path, name: name || "(node)", value: v })) };
      }
      case "repeat": { // runs one step until its result matches `until`
        for (let i = 0;; i++) {
          const r = await this.step(s.step);
          if (matches(s.until, r, this.vars) || i >= (s.times ?? 100)) return r;
          await sleep(20);
        }
      }
      case "set":
        for (const [k, e] of Object.entries(s.vars)) this.vars.set(k, value(e, this.vars));
        return {};
      case "sleep":
        await sleep(s.ms);
        await this.pass(s.ms);
        return {};
      default:
        throw new Error(`unknown step ${s.do}`);
    }
  }
  /** Lets time pass for the probe, whose clock may not follow ours. */
  async pass(ms: number) {
    await this.link.send("d " + (ms * 62500).toString(16));
  }
  /** "name": "field" of the result, or "name": "u32@4" inside its payload. */
  save(s: Step, r: Record<string, Any>) {
    for (const [name, where] of Object.entries(s.save ?? {})) {
      const m = /^u(8|16|32|64)@(\d+)$/.exec(where as string);
      if (m) {
        const b = hexToBytes(r.payload ?? "").reverse();
        const n = Number(m[1]) / 8, end = b.length - Number(m[2]);
        if (end - n < 0) throw new Error(`nothing to save as ${name} in ${JSON.stringify(r)}`);
        this.vars.set(name, BigInt("0x" + bytesToHex(b.subarray(end - n, end))));
      } else if (r[where as string] !== undefined) this.vars.set(name, BigInt(r[where as string]));
      else throw new Error(`nothing to save as ${name} in ${JSON.stringify(r)}`);
    }
  }
  expand(steps: Step[]): Step[] {
    return steps.flatMap((s) => {
      if (s.do !== "macro") return [s];
      const m = this.macros[s.name];
      if (!m) throw new Error(`unknown macro ${s.name}`);
      const text = JSON.stringify(m).replace(
        /"?\{\{(\w+)(?:=([^}]*))?\}\}"?/g,
        (all, k, d) => {
          const v = s[k] ?? d;
          if (v === undefined) throw new Error(`macro ${s.name} needs ${k}`);
          if (all.startsWith('"') && all.endsWith('"')) return JSON.stringify(v);
          return (all.startsWith('"') ? '"' : "") + String(v) + (all.endsWith('"') ? '"' : "");
        },
      );
      return this.expand(JSON.parse(text));
    });
  }
}

// ---- recording -------------------------------------------------------------------------

const shapes: Record<string, [number, number, string][]> = { // offset, bytes, variable
  "0x56100001": [[0, 2, "vm"]],
  "0x56100008": [[0, 2, "vm"]],
  "0x51100012": [[0, 4, "h"], [4, 2, "vm"]],
};
function symbolic(id: string, payload: string, vars: Vars): Any {
  const shape = shapes[id];
  if (!shape) return payload;
  const out: string[] = [];
  let at = 0;
  for (const [offset, size, prefix] of shape) {
    const raw = payload.slice(offset * 2, (offset + size) * 2);
    const v = BigInt("0x" + (raw.match(/../g) ?? ["0"]).reverse().join(""));
    const name = [...vars].find(([k, x]) => new RegExp(`^${prefix}\\d*$`).test(k) && x === v)?.[0];
    if (!name) continue;
    if (offset > at) out.push("hex:" + payload.slice(at * 2, offset * 2));
    out.push(`u${size * 8}:$${name}`);
    at = offset + size;
  }
  if (payload.length > at * 2) out.push("hex:" + payload.slice(at * 2));
  return out;
}
function record(s: Step, r: Record<string, Any>, vars: Vars): Step {
  const out: Step = { ...s };
  delete out.loose;
  if (s.expect !== undefined || s.silent) {
    delete out.silent;
    return out;
  }
  const e: Record<string, Any> = structuredClone(r);
  if (e.changed !== undefined) e.changed = { mask: "0x7ffc0000", value: "0x0" };
  if ((s.do === "hvc" || s.do === "smc") && !s.regs) { for (let i = 4; i < 8; i++) delete e[`x${i}`]; }
  if (s.do === "run" && !s.regs) { for (let i = 4; i < 31; i++) delete e[`x${i}`]; }
  delete out.regs;
  if (s.do === "rpc" && e.payload !== undefined && s.save) {
    let p = e.payload;
    for (const w of Object.values(s.save)) {
      const m = /^u(\d+)@(\d+)$/.exec(w as string);
      if (m) {
        p = p.slice(0, Number(m[2]) * 2) + "..".repeat(Number(m[1]) / 8) + p.slice(Number(m[2]) * 2 + Number(m[1]) / 4);
      }
    }
    e.payload = p;
  }
  if (s.do === "notifications") {
    e.list = e.list.map((n: Notification) => ({ id: n.id, payload: symbolic(n.id, n.payload, vars) }));
  }
  if (s.do === "resources" && e.list) {
    for (const x of e.list) {
      x.cap = "any";
      x.virq = x.virq === "0xffffffff" || x.virq === "0x0" ? x.virq : { min: "0x20", max: "0x3fb" };
    }
  }
  if (s.do === "devicetree") {
    for (const x of e.list) {
      if (/seed/.test(x.name) || (/^\/hypervisor\//.test(x.path) && x.name === "reg")) {
        x.value = "..".repeat(x.value.length / 2);
      }
      if (x.name === "qcom,vmid") x.value = "000000..";
    }
  }
  for (const [k, v] of Object.entries(s.loose ?? {})) {
    if (v === null) delete e[k];
    else if (e[k] !== undefined) e[k] = v;
  }
  if (Object.keys(e).length) out.expect = e;
  return out;
}

// ---- main ----------------------------------------------------------------------------------

function compare(s: Step, r: Record<string, Any>, vars: Vars): { ok: boolean; documented?: boolean; diff?: string } {
  if (!s.expect) return { ok: true };
  const bad = (e: Record<string, Any>) => Object.keys(e).filter((k) => !matches(e[k], r[k], vars));
  const wrong = bad(s.expect);
  if (!wrong.length) return { ok: true };
  if (s.documented && !bad({ ...s.expect, ...s.documented }).length) return { ok: true, documented: true };
  if (s.documented && !bad(s.documented).length) return { ok: true, documented: true };
  return {
    ok: false,
    diff: wrong.map((k) =>
      `${k}: expected ${JSON.stringify(s.expect[k])}, got ${JSON.stringify(r[k]) ?? "nothing of it in " + JSON.stringify(r)}`
    )
      .join("; "),
  };
}

async function main() {
  const split = Deno.args.indexOf("--");
  const options = split < 0 ? Deno.args : Deno.args.slice(0, split);
  const command = split < 0 ? [] : Deno.args.slice(split + 1);
  const all = (n: string) => options.flatMap((o, i) => (o === n ? [options[i + 1]] : []));
  const one = (n: string) => all(n)[0];
  const dirs = all("--cases");
  if (!dirs.length || !command.length) {
    console.error(
      "usage: deno run -A run.ts --cases DIR_OR_FILE [--only TEXT] [--needs single,rm,vm] [--set name=value]",
    );
    console.error("       [--json FILE] [--record DIR] [--shuffle SEED] [--step-ms N] [--verbose] -- COMMAND...");
    Deno.exit(2);
  }
  const settings: Vars = new Map(
    all("--set").map((x) => {
      const [k, v] = x.split("=");
      return [k, BigInt(v)];
    }),
  );
  const stepMs = Number(one("--step-ms") ?? 0);
  const needs = (one("--needs") ?? "single,rm,vm").split(",");
  const macros = JSON.parse(Deno.readTextFileSync(new URL("macros.json", here)));
  const files: string[] = [];
  for (const d of dirs) {
    if (Deno.statSync(d).isFile) files.push(d);
    else for (const f of Deno.readDirSync(d)) if (f.name.endsWith(".json")) files.push(`${d}/${f.name}`);
  }
  files.sort();
  let passed = 0, failed = 0, skipped = 0, documented = 0;
  const report: Any[] = [];
  for (const file of files) {
    const group: Group = JSON.parse(Deno.readTextFileSync(file));
    const session = new Session(command, macros, settings);
    let open = false;
    const kept: Case[] = [];
    const cases = [...group.cases];
    if (one("--shuffle")) {
      let seed = Number(one("--shuffle")) >>> 0;
      for (let i = cases.length - 1; i > 0; i--) {
        seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
        const j = seed % (i + 1);
        [cases[i], cases[j]] = [cases[j], cases[i]];
      }
    }
    for (const c of cases) {
      if (one("--only") && !`${group.group} ${c.name}`.includes(one("--only"))) continue;
      if (!needs.includes(c.needs)) {
        skipped++;
        continue;
      }
      let why = "";
      let usedDocument = false;
      const steps: Step[] = [];
      const began = Date.now();
      try {
        if (open && (c.fresh || session.dirty || session.link.dead)) {
          await session.link.close();
          open = false;
        }
        if (!open) {
          await session.open();
          open = true;
        }
        await session.reset();
        session.notifications = [];
        const play = async (list: Step[], recordTo?: Step[]) => {
          for (const [i, s] of list.entries()) {
            const isMacro = s.do === "macro";
            for (const t of isMacro ? session.expand([s]) : [s]) {
              if (stepMs && String(t.in).startsWith("$")) await session.pass(stepMs);
              const r = await session.step(t);
              if (options.includes("--verbose")) console.log("   ", JSON.stringify(t), "->", JSON.stringify(r));
              session.save(t, r);
              if (recordTo && !isMacro) recordTo.push(record(t, r, session.vars));
              const x = compare(t, r, session.vars);
              if (x.documented) usedDocument = true;
              if (!x.ok && !why) {
                why = `step ${i + 1} (${t.do}${t.note ? ", " + t.note : ""}): ${x.diff}`;
                if (!recordTo) return;
              }
            }
            if (isMacro) recordTo?.push(s);
          }
        };
        try {
          await play(c.steps, one("--record") ? steps : undefined);
        } finally {
          if (c.teardown && !session.link.dead) {
            const first = why;
            await play(c.teardown);
            if (first) why = first;
          }
        }
      } catch (e) {
        why ||= (e as Error).message;
        session.dirty = true;
      }
      if (c.fresh) session.dirty = true;
      if (why && !(one("--record"))) session.dirty = true;
      if (why) failed++;
      else passed++;
      if (usedDocument) documented++;
      if (!why) kept.push({ ...c, steps });
      report.push({
        group: group.group,
        name: c.name,
        ok: !why,
        documented: usedDocument,
        why,
        ms: Date.now() - began,
      });
      console.log(
        `${why ? "FAIL" : usedDocument ? "pass (documented)" : "pass"} ${group.group}: ${c.name}${why ? "\n     " + why : ""}`,
      );
    }
    if (open) await session.link.close();
    if (one("--record")) {
      Deno.mkdirSync(one("--record"), { recursive: true });
      Deno.writeTextFileSync(
        `${one("--record")}/${file.split("/").pop()}`,
        JSON.stringify({ ...group, cases: kept }, null, 1) + "\n",
      );
    }
  }
  if (one("--json")) Deno.writeTextFileSync(one("--json"), JSON.stringify(report, null, 1) + "\n");
  if (documented) console.log(`${documented} passed by the documented answer`);
  if (skipped) console.log(`${skipped} skipped`);
  console.log(`${passed} passed, ${failed} failed`);
  Deno.exit(failed ? 1 : 0);
}

await main();
