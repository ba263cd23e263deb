# The set "base": programs of Debian, each with a fixed amount of work.
. /bench/lib.sh
head -c 4194304 /bin/busybox > /tmp/d; cat /usr/bin/openssl /usr/bin/sqlite3 /usr/bin/perl /usr/bin/python3.11 >> /tmp/d; head -c 8388608 /tmp/d > /tmp/data; rm /tmp/d
b sha256 openssl dgst -sha256 /tmp/data
b sha256-soft env OPENSSL_armcap=0x1 openssl dgst -sha256 /tmp/data
b aes256ctr openssl enc -aes-256-ctr -K 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff -iv 000102030405060708090a0b0c0d0e0f -in /tmp/data
b aes256ctr-neon env OPENSSL_armcap=0x1 openssl enc -aes-256-ctr -K 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff -iv 000102030405060708090a0b0c0d0e0f -in /tmp/data
b chacha20 openssl enc -chacha20 -K 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff -iv 000102030405060708090a0b0c0d0e0f -in /tmp/data
# A key of this bench alone: checking it tests both primes, and a signature is the same each time.
cat > /tmp/k <<'X'
-----BEGIN PRIVATE KEY-----
MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCl2wNKVRajod1u
Y0cPH83ao7KglRl4athvq0rog/ifnH5S6Nozkj68V0USfnn/mAgNmQYO6t796YQo
cihqYXhGEqF01rNE8NE0EhJv/6EUDZoboHpoZnN12eXrsvb3RAWWIpWtpuEyZVwe
1VMJHc1X2V4RwLayYVG5KLv78MV1k+ijZhdiqd0+lRaJjh8CtYAli1ejm+qKR5yk
sO55Mic264YRQPU5OQNBSm0R9pLKUAdL84ASM6rpBzZ/Wq8B/qPdT0Ets6mivUZW
nPZLkfdWMKmOCyTiz6quYRhD1aPi6BN4a1jNL0h80SMEI2cUumDARI8d0EbvnToX
pQFv1F4jAgMBAAECggEAJcwpTk3g6G6xj4ApiA1X9Q1cXpNMKDC1XZGccyvsQ7e+
5Dczzw/zoymCUMopFHI515t5kXm+UwBeQXdutXu8FMAXMpDhbwMwshyyPfr0YyUM
a2JhsxwyEPgVGWeCN+y1FzePg/Elnj4SReaY01mK3AvqD8KrADEEll1tpeeDoJ00
M4Gm4b91NJf2h2oBMHVjwVBgVF1evURMAoocoDkA6181l3pgUZrr1l1eOFlJQbpX
K29PAhsf6Iands3pcu+xHNceq4H63vOfv2tlIFK5XHMR1XmEsHIPVL351uVKwn5Q
zy48ctbYcRDhi1CZUbcL6MNl5XPz1jtlk/5lDkVCIQKBgQDTFX+igQxqCu+L84ze
R8I2FLT2wXTraLpxgRh1akmOnx2p/UuM4vxLluu0yaPv1lsxtXWmyPscIEqx2eY6
VL9aQdymxNDsv85SnLd5IlNdMRv7CoqbyRDPAFl18g2992rJo1Mzn0fnmFBFRqkI
pP7NX7s/P+HLQ+WdDLc/o2R+gwKBgQDJJcICbZ7ODatVK4ukdk91P1h2fBYpuPgG
gRpRIfDUX0XiwDyuQuYS6Ek7ok9EQr++aMu1utM03PgzepJjF+RmXkLZlA9JqVeD
conj1jXop0En9gT59BEVlVepOq6UQh2UeF9ppS258Daah4a3WvX86eKt29NuPPXy
mckeXvKP4QKBgAoXRAPDwZEsNqltGjXiHlGxibkmJG3AkvEsJ7wtOZj82FExD7SL
gV4nt9rrrM+hYrisoRQ5FXARxyBbd1sghAlPjrnWPNqkjLt8THUZA/03hMvqhBfQ
c+JBdQVjbe6/7jX3fdnA6pISwPue1iPYp2mwAuaSKjwqYcaxPe1n5Tz7AoGAH/2Q
UICMrCrCYAZP7DUgx/3uHNH5WGNhlu87d0HVooEQhVKbk/9xxfoJg6F5x9px0l+q
Xlm7M4IdO1q4I2huW9WL/jys/cMf9vjlc0XjRwAqvadD/VjSysL4sSJzF4M4Xx+R
1SR/FD5fAM6jH1ApJTMxaQM4KiUp3I6WzOy+2SECgYEAjsi30VWTajFzxpfZbULD
4c8LKHKAWianVT455J96uX18PXY0mkkV9ktdt6MYVbBL6af7bKOLg76ZfhVMlLRQ
CcTwEysZ8/d1mKcqE0aiLMb8/Cg0v9XTua+4IYSZDiL/7/3yKupUmtwab0yqp9CS
+wOqMpu/Q0xEyJnBBxwd/MA=
-----END PRIVATE KEY-----
X
b rsa2048 sh -c 'openssl rsa -check -noout -in /tmp/k && for i in 1 2 3 4; do echo $i | openssl dgst -sha256 -sign /tmp/k | md5sum; done'
b busybox-md5 busybox md5sum /tmp/data
b gzip busybox gzip -c /tmp/data
b zstd zstd -q -3 -c /tmp/data
b 7z-lzma sh -c 'head -c 2097152 /tmp/data > /tmp/d2; 7zz a -bd -mx=1 -mmt=1 -si /tmp/a.7z < /tmp/d2 >/dev/null && 7zz x -so /tmp/a.7z | md5sum'
b bc sh -c 'echo "scale=600; 4*a(1)" | bc -lq'
b python python3 -c '
import sys
def loop(n):
    d = {}; s = 0
    for i in range(n):
        s = (s * 31 + i) & 0xffffffff; d[s & 1023] = d.get(s & 1023, 0) + i % 7
    return s, sum(d.values())
print(loop(300000)); print(sum(x * 0.1 for x in range(100000))); print(str(3**9000)[-40:])'
b perl perl -e 'my %h; my $s = ""; for my $i (1..120000) { $h{$i % 997} .= chr(65 + $i % 26); $s = $1 if $h{$i % 997} =~ /(Z[A-Y]+)$/ } print length(join "", map { $h{$_} } sort keys %h), " $s\n"'
b lua lua5.4 -e 'local t = {} for i = 1, 300000 do t[i % 5000 + 1] = (t[i % 5000 + 1] or 0) * 3 % 65521 + i end local s = 0 for i, v in ipairs(t) do s = (s + v) % 4294967296 end print(s, string.format("%.17g", math.sin(1e3) + 1 / 3))'
b sqlite sqlite3 :memory: "create table t(a integer primary key, b text, c real); with recursive n(i) as (select 1 union all select i+1 from n where i<30000) insert into t select i, printf('%08x', i*2654435761 % 4294967296), i/7.0 from n; create index x on t(b); select count(*), sum(length(b)), round(sum(c),6) from t; select count(*) from t a join t b on a.b > b.b and b.a = a.a % 1000 + 1; delete from t where a % 3 = 0; select max(b), count(*) from t;"
b awk busybox awk 'BEGIN { for (i = 0; i < 60000; i++) { s = (s * 16807 + i) % 2147483647; a[s % 500] += i } for (k in a) t += a[k]; printf "%d %.6f\n", s, t }'
b sh-fork sh -c 'i=0; while [ $i -lt 150 ]; do /bin/busybox true; i=$((i+1)); done; echo $i'
b sh-loop sh -c 'i=0; s=0; while [ $i -lt 40000 ]; do s=$(( (s*31+i) & 65535 )); i=$((i+1)); done; echo $s'
b dd-pipe sh -c 'dd if=/dev/zero bs=64k count=1024 2>/dev/null | wc -c'
