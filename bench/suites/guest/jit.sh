# The set "jit": runtimes that write code. JavaScript on nodejs (V8), Lua on luajit.
. /bench/lib.sh
cat > /tmp/objects.js <<'X'
class Task { constructor(id, next) { this.id = id; this.next = next; this.queue = []; this.done = 0; } run(sum) { while (this.queue.length) { const p = this.queue.shift(); this.done += p.kind === "work" ? p.value * 3 % 17 : p.value; if (p.hops > 0 && this.next) this.next.queue.push({ ...p, hops: p.hops - 1, kind: p.kind === "work" ? "io" : "work" }); } return this.next ? this.next.run(sum + this.done) : sum + this.done; } }
let chain; for (let i = 0; i < 24; i++) chain = new Task(i, chain);
let total = 0; for (let round = 0; round < 260; round++) { for (let k = 0; k < 40; k++) chain.queue.push({ kind: k & 1 ? "io" : "work", value: k * round % 101, hops: k % 23 }); total += chain.run(0); }
const tree = (n, k) => n === 0 ? null : { k, l: tree(n - 1, 2 * k), r: tree(n - 1, 2 * k + 1) };
const sum = (t) => t ? (t.k % 7) + sum(t.l) + sum(t.r) : 0;
for (let i = 0; i < 24; i++) total += sum(tree(13, i + 1));
const closures = Array.from({ length: 64 }, (_, i) => (x) => (x * 31 + i) % 65521);
let x = 1; for (let i = 0; i < 300000; i++) x = closures[(i * 7) & 63](x);
console.log(total, x);
X
b node-objects node /tmp/objects.js
cat > /tmp/numbers.js <<'X'
const bodies = [[0, 0, 0, 0, 0, 0, 39.47], [4.84, -1.16, -0.1, 0.6, 2.81, -0.02, 0.037], [8.34, 4.12, -0.4, -1.01, 1.82, 0.008, 0.011], [12.89, -15.11, -0.22, 1.08, 0.86, -0.01, 0.0017], [15.37, -25.9, 0.17, 0.97, 0.59, -0.03, 0.002]];
for (let s = 0; s < 60000; s++) { for (let i = 0; i < 5; i++) { const a = bodies[i]; for (let j = i + 1; j < 5; j++) { const b = bodies[j], dx = a[0] - b[0], dy = a[1] - b[1], dz = a[2] - b[2], d = dx * dx + dy * dy + dz * dz, m = 0.001 / (d * Math.sqrt(d)); a[3] -= dx * b[6] * m; a[4] -= dy * b[6] * m; a[5] -= dz * b[6] * m; b[3] += dx * a[6] * m; b[4] += dy * a[6] * m; b[5] += dz * a[6] * m; } } for (const b of bodies) { b[0] += 0.001 * b[3]; b[1] += 0.001 * b[4]; b[2] += 0.001 * b[5]; } }
const sieve = new Uint8Array(2000000); let primes = 0; for (let i = 2; i < sieve.length; i++) if (!sieve[i]) { primes++; for (let j = 2 * i; j < sieve.length; j += i) sieve[j] = 1; }
const n = 120, m = new Float64Array(n * n).map((_, i) => i % 13), r = new Float64Array(n * n); for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) { let s = 0; for (let k = 0; k < n; k++) s += m[i * n + k] * m[k * n + j]; r[i * n + j] = s; }
let big = 1n; for (let i = 1n; i < 1200n; i++) big *= i;
console.log(bodies[0][0].toFixed(9), primes, r[777], String(big).length);
X
b node-numbers node /tmp/numbers.js
cat > /tmp/texts.js <<'X'
let s = 7; const word = () => { let w = ""; s = s * 16807 % 2147483647; for (let n = 2 + s % 7; n > 0; n--) { s = s * 16807 % 2147483647; w += "etaoinshrdlu"[s % 12]; } return w; };
const words = Array.from({ length: 60000 }, word), counts = new Map();
for (const w of words) counts.set(w, (counts.get(w) ?? 0) + 1);
const text = words.join(" "), found = text.match(/\b[aeiou]\w*[st]\b/g).length, changed = text.replace(/(\w)(\w+)/g, (_, a, b) => b + a.toUpperCase());
const json = JSON.stringify([...counts]), back = JSON.parse(json).sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
console.log(found, changed.length, json.length, back.slice(0, 3).join());
X
b node-texts node /tmp/texts.js
cat > /tmp/t.lua <<'X'
local function fannkuch(n) local p, q, s, sign, maxflips, sum = {}, {}, {}, 1, 0, 0 for i = 1, n do p[i] = i q[i] = i s[i] = i end repeat local q0 = p[1] if q0 ~= 1 then for i = 2, n do q[i] = p[i] end local flips = 1 while true do local qq = q[q0] if qq == 1 then sum = sum + sign * flips if flips > maxflips then maxflips = flips end break end q[q0] = q0 if q0 >= 4 then local i, j = 2, q0 - 1 repeat q[i], q[j] = q[j], q[i] i = i + 1 j = j - 1 until i >= j end q0 = qq flips = flips + 1 end end if sign == 1 then p[1], p[2] = p[2], p[1] sign = -1 else p[2], p[3] = p[3], p[2] sign = 1 for i = 3, n do local sx = s[i] if sx ~= 1 then s[i] = sx - 1 break end if i == n then return sum, maxflips end s[i] = i local t = p[1] for j = 1, i do p[j] = p[j + 1] end p[i + 1] = t end end until false end
print(fannkuch(10))
local t = {} for i = 1, 200000 do t[i % 5003 + 1] = (t[i % 5003 + 1] or 0) * 3 % 65521 + i end local s = 0 for i, v in ipairs(t) do s = (s + v) % 4294967296 end print(s)
X
b luajit-numbers luajit /tmp/t.lua
cat > /tmp/o.lua <<'X'
local Point = {} Point.__index = Point
Point.__add = function(a, b) return setmetatable({ x = a.x + b.x, y = a.y + b.y }, Point) end
function Point:len() return self.x * self.x + self.y * self.y end
local p, n = setmetatable({ x = 0, y = 0 }, Point), 0
for i = 1, 5000000 do p = p + setmetatable({ x = i % 7, y = i % 11 }, Point) if p:len() > 1e9 then p = setmetatable({ x = 0, y = 0 }, Point) n = n + 1 end end
local words, out = {}, {} for i = 1, 60000 do local k = string.format("%x", i * 2654435761 % 65536) words[k] = (words[k] or 0) + 1 out[#out + 1] = k:reverse():upper() end
local c = 0 for k, v in pairs(words) do c = c + v * #k end
local g, hits = table.concat(out, " ") hits = select(2, g:gsub("(%d+)(%u)", "%2%1"))
print(p.x, p.y, n, c, #g, hits)
X
b luajit-objects luajit /tmp/o.lua
