# The set "wide": programs that nothing in el2 has been tuned to, with fixed input. The list and its
# order stay as they are: every third program (bench/userland.ts) is only measured, never profiled.
. /bench/lib.sh
export LC_ALL=C HOME=/tmp
busybox ifconfig lo 127.0.0.1 up
cd /tmp
cat /bin/busybox /usr/bin/z3 > /tmp/d; head -c 6291456 /tmp/d > /tmp/data; rm /tmp/d
# Text of words, one a line: the same on every machine.
busybox awk 'BEGIN { s = 7; for (i = 0; i < 60000; i++) { w = ""; s = (s * 16807) % 2147483647; n = 2 + s % 9; for (j = 0; j < n; j++) { s = (s * 16807) % 2147483647; w = w substr("etaoinshrdlucmfwypvbgkjqxz", 1 + (s % 26) * (s % 7 + 1) / 7, 1) } print w, s % 1000, s % 77 } }' > /tmp/words
busybox awk '{ printf "%s{\"id\":%d,\"word\":\"%s\",\"n\":[%d,%d,%d],\"in\":{\"a\":%s,\"b\":null}}", NR == 1 ? "[" : ",\n", NR, $1, $2, $3, NR % 13, $2 % 2 ? "true" : "false" } NR == 12000 { print "]"; exit }' /tmp/words > /tmp/words.json
{ echo '<list>'; busybox awk '{ printf "<item id=\"%d\" group=\"g%d\"><name>%s</name><size>%d</size></item>\n", NR, $3, $1, $2 } NR == 6000 { exit }' /tmp/words; echo '</list>'; } > /tmp/list.xml

cat > t.rb <<'X1'
Node = Struct.new(:k, :l, :r)
def ins(t, k) = t.nil? ? Node.new(k, nil, nil) : (k < t.k ? t.l = ins(t.l, k) : t.r = ins(t.r, k); t)
def sum(t) = t.nil? ? 0 : sum(t.l) + t.k + sum(t.r)
s, t, h = 1, nil, Hash.new(0)
40000.times { s = (s * 1103515245 + 12345) & 0x7fffffff; t = ins(t, s % 99991); h["k#{s % 997}"] += 1 }
puts sum(t), h.sort_by { |k, v| [-v, k] }.first(5).inspect, (1..3000).inject(:*).to_s.sum
puts File.readlines("/tmp/words").first(40000).map { |l| l.split.first.capitalize.reverse }.grep(/^[a-m].*[A-M]$/).uniq.size
X1
b ruby ruby3.1 --disable-gems t.rb

cat > t.php <<'X1'
<?php
class P { public $x; public $y; function __construct($x, $y) { $this->x = $x; $this->y = $y; } function d($o) { return sqrt(($this->x - $o->x) ** 2 + ($this->y - $o->y) ** 2); } }
$s = 1; $p = [];
for ($i = 0; $i < 1500; $i++) { $s = ($s * 16807) % 2147483647; $p[] = new P($s % 1000, intdiv($s, 1000) % 1000); }
$d = 0; foreach ($p as $a) foreach ($p as $b) $d += $a->d($b);
printf("%.6f\n", $d);
$w = []; foreach (file('/tmp/words') as $l) { [$k, $n] = explode(' ', $l); $w[$k] = ($w[$k] ?? 0) + (int)$n; }
arsort($w); echo count($w), ' ', array_sum($w), ' ', md5(json_encode($w)), ' ', preg_match_all('/\b[aeiou]\w*\b/', implode(' ', array_keys($w))), "\n";
X1
b php php8.2 -n t.php

cat > t.tcl <<'X1'
proc sieve n { set c 0; for {set i 2} {$i <= $n} {incr i} { if {![info exists m($i)]} { incr c; for {set j [expr {$i * $i}]} {$j <= $n} {incr j $i} { set m($j) 1 } } }; return $c }
puts [sieve 90000]
set f [open /tmp/words]; set n 0; array set w {}
while {[gets $f line] >= 0 && [incr n] < 45000} { set k [string range [lindex $line 0] 0 2]; incr w($k); if {[regexp {^([a-h]+)([i-z]+)$} [lindex $line 0] -> a b]} { append out [string length $a] } }
puts "[array size w] [string length $out]"
X1
b tcl tclsh8.6 t.tcl

cat > t.lisp <<'X1'
(defun tak (x y z) (if (not (< y x)) z (tak (tak (1- x) y z) (tak (1- y) z x) (tak (1- z) x y))))
(print (tak 18 12 6))
(let ((h (make-hash-table :test 'equal)))
  (dotimes (n 9) (with-open-file (f "/tmp/words") (loop for l = (read-line f nil) while l do (incf (gethash (subseq l 0 (position #\Space l)) h 0)))))
  (print (hash-table-count h))
  (print (loop for v being the hash-values of h maximize v)))
(print (mod (loop with p = 1 for i from 1 to 5000 do (setf p (* p i)) finally (return p)) 1000003))
X1
b sbcl sbcl --noinform --non-interactive --no-sysinit --no-userinit --load t.lisp

cat > t.pl <<'X1'
app([], L, L). app([H|T], L, [H|R]) :- app(T, L, R).
nrev([], []). nrev([H|T], R) :- nrev(T, S), app(S, [H], R).
range(N, N, [N]) :- !. range(I, N, [I|T]) :- I < N, J is I + 1, range(J, N, T).
bench(0) :- !. bench(N) :- range(1, 300, L), nrev(L, _), M is N - 1, bench(M).
queens(N, Qs) :- range(1, N, Ns), permutation_(Ns, Qs), safe(Qs), !.
permutation_([], []). permutation_(L, [X|P]) :- pick(X, L, R), permutation_(R, P).
pick(X, [X|L], L). pick(X, [Y|L], [Y|R]) :- pick(X, L, R).
safe([]). safe([Q|Qs]) :- noattack(Q, Qs, 1), safe(Qs).
noattack(_, [], _). noattack(Q, [Q1|Qs], D) :- Q =\= Q1 + D, Q =\= Q1 - D, D1 is D + 1, noattack(Q, Qs, D1).
main :- bench(140), queens(7, Q), write(Q), nl.
X1
b swipl swipl -q -f none -g main -t halt t.pl

cat > t.erl <<'X1'
-module(t). -export([main/0]).
ring(0, P) -> receive X -> P ! X + 1 end; ring(N, P) -> Q = spawn(fun() -> ring(N - 1, P) end), receive X -> Q ! X + 1 end.
main() -> Me = self(), R = spawn(fun() -> ring(2000, Me) end), R ! 0, receive X -> io:format("~p~n", [X]) end,
  D = lists:foldl(fun(I, A) -> maps:update_with(I * 7919 rem 1009, fun(V) -> V + I end, I, A) end, #{}, lists:seq(1, 40000)),
  io:format("~p ~p~n", [maps:size(D), erlang:phash2(lists:sort(maps:to_list(D)))]).
X1
b erlang sh -c 'erlc -o /tmp t.erl && erl -noshell -pa /tmp -eval "t:main(), halt()."'

cat > t.fs <<'X1'
variable acc
: step ( n -- n' ) dup 1 and if 3 * 1+ else 2/ then ;
: collatz ( n -- steps ) 0 swap begin dup 1 <> while step swap 1+ swap repeat drop ;
: run 0 acc ! 120000 1 do i collatz acc +! loop acc @ . cr ;
create flags 200000 allot
: sieve flags 200000 1 fill 0 200000 2 do flags i + c@ if 1+ i dup * dup 200000 < if begin dup 200000 < while 0 over flags + c! j drop i + repeat then drop then loop . cr ;
run sieve bye
X1
b gforth gforth-fast t.fs

b gawk gawk '{ c[substr($1, 1, 3)] += $2; if (match($1, /([aeiou][^aeiou]+)+$/)) m += RLENGTH; gsub(/[st]/, "*", $1); l += length($1) } END { n = asorti(c, k); for (i = 1; i <= n; i++) h = (h * 31 + c[k[i]]) % 1000003; print n, m, l, h }' words words words

b mawk mawk '{ for (i = length($1); i > 0; i--) { x = substr($1, i, 1); f[x]++; g[x, $3]++ } s = sprintf("%s%05d%-8s", s2, $2, $1); s2 = substr(s, 1, 5); t += length(s) } END { for (k in f) n += f[k]; for (k in g) m++; print n, m, t }' words words

cat > t.pas <<'X1'
program t;
type m = array[0..63, 0..63] of double;
var a, b, c: m; i, j, k, n: integer; s: double; w: ansistring;
begin
  for i := 0 to 63 do for j := 0 to 63 do begin a[i, j] := (i * 7 + j) mod 11; b[i, j] := (i + j * 5) mod 13 end;
  for n := 1 to 12 do for i := 0 to 63 do for j := 0 to 63 do begin s := 0; for k := 0 to 63 do s := s + a[i, k] * b[k, j]; c[i, j] := s end;
  w := ''; for i := 1 to 20000 do w := w + chr(65 + i mod 26);
  writeln(c[5, 7]:0:3, ' ', length(w), ' ', pos('XYZABC', w));
end.
X1
b fpc sh -c 'u=$(ls -d /usr/lib/aarch64-linux-gnu/fpc/3.2.2/units/aarch64-linux); for i in 1 2 3 4; do /usr/lib/aarch64-linux-gnu/fpc/3.2.2/ppca64 -n -l- -v0 -O2 -Fu$u/* t.pas || exit 1; done; ./t'

{ echo '#include <stdio.h>'; busybox awk 'BEGIN { for (i = 0; i < 3000; i++) printf "static int f%d(int a, int b) { int c = a * %d + b; while (c > %d) { c -= b | 1; if (c & 4) a++; else b ^= c; } switch (c & 3) { case 0: return a; case 1: return b + %d; default: return c - a; } }\n", i, i + 3, i * 5 + 9, i; print "int main(void) { unsigned s = 0;"; for (i = 0; i < 3000; i++) printf "s = s * 31 + f%d(%d, s & 15);\n", i, i; print "printf(\"%u\\n\", s); return 0; }" }'; } > t.c
b tcc sh -c 'for i in 1 2 3 4 5 6; do tcc -nostdinc -I/usr/lib/aarch64-linux-gnu/tcc/include -c -o t.o - < t.c 2>/dev/null || sed 1d t.c | tcc -nostdinc -w -c -o t.o - || exit 1; done; md5sum < t.o'

b jq jq -c 'group_by(.n[1]) | map({g: .[0].n[1], c: length, s: (map(.n[0]) | add), w: (map(.word | ascii_upcase) | sort | .[0:3] | join("+")), t: (map(select(.in.a)) | length)}) | sort_by(-.s)' words.json

b ripgrep sh -c 'for p in "[aeiou]{3}.*[0-9]{3}" "(\w\w)\w*[st] [1-5]" "[a-e]{4,}[^a-e ]+ [0-9]*7" "(tion|ing|ed) " "^(\w)\w*(e|t) \d{3} 4" "q[^u]"; do rg -j1 --no-config -c "$p" words; rg -j1 --no-config -o "$p" words | md5sum; done; rg -j1 --no-config -a -c "[\x00-\x08]{4}" data'

b fzf sh -c 'for q in "ets" "tion" "^a e$ | !q" "sh 77"; do GOMAXPROCS=1 fzf --filter "$q" < words | md5sum; done'

{ echo '#!/bin/sh'; busybox awk 'BEGIN { for (i = 0; i < 40; i++) printf "f%d() { local x=$1; for y in `ls *.txt`; do if [ $x == $y ]; then echo $x; cat $y | grep -c foo; fi; done; cd $2; rm -rf $z/*; return $((x%d+1)); }\n", i, i }'; } > t.sh
b shellcheck sh -c 'shellcheck -f gcc t.sh | md5sum'

b xz sh -c 'head -c 1572864 data | /usr/bin/xz -3 -T1 -c | tee t.xz | md5sum; /usr/bin/xz -dc t.xz | md5sum'
b bzip2 sh -c 'head -c 3145728 data | /usr/bin/bzip2 -c | tee t.bz2 | md5sum; /usr/bin/bzip2 -dc t.bz2 | md5sum'
b brotli sh -c 'head -c 3145728 data | brotli -q 6 -c | tee t.br | md5sum; brotli -dc t.br | md5sum'
b lzip sh -c 'head -c 1572864 data | lzip.lzip -4 -c | tee t.lz | md5sum; lzip.lzip -dc t.lz | md5sum'
b flac sh -c 'flac -s --force-raw-format --endian=little --sign=signed --channels=2 --bps=16 --sample-rate=44100 -5 -o t.flac data && md5sum < t.flac && flac -s -d -c --force-raw-format --endian=little --sign=signed t.flac | md5sum'
{ printf 'P6\n640 480\n255\n'; head -c 921600 data; } > t.ppm
b jpeg sh -c 'for q in 30 45 60 75 85 95; do cjpeg -quality $q -optimize t.ppm > t.jpg && md5sum < t.jpg; cjpeg -quality $q -progressive -dct float t.ppm > p.jpg; djpeg -dct int p.jpg | md5sum; jpegtran -rotate 90 t.jpg | md5sum; done'
b redis sh -c 'redis-server --save "" --appendonly no --port 7777 --daemonize yes --logfile /tmp/redis.log >/dev/null; for i in 1 2 3 4 5 6 7 8 9; do redis-cli -p 7777 ping >/dev/null 2>&1 && break; sleep 1; done; busybox awk "NR <= 12000 { print \"INCRBY\", \$1, \$2; print \"ZINCRBY z\", \$3, \$1; print \"LPUSH l\", \$2 }" words | redis-cli -p 7777 --pipe >/dev/null; redis-cli -p 7777 dbsize; redis-cli -p 7777 zrevrange z 0 5 withscores; redis-cli -p 7777 sort l limit 0 5 desc; redis-cli -p 7777 eval "local s = 0 for i = 1, 60000 do s = (s * 31 + i) % 65521 end return s" 0; redis-cli -p 7777 shutdown nosave'

cat > t.xsl <<'X1'
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:key name="g" match="item" use="@group"/>
<xsl:template match="/list"><out><xsl:for-each select="item[generate-id() = generate-id(key('g', @group)[1])]"><xsl:sort select="@group"/>
<group name="{@group}" total="{sum(key('g', @group)/size)}"><xsl:for-each select="key('g', @group)"><xsl:sort select="name" order="descending"/><xsl:if test="position() &lt; 9"><xsl:value-of select="translate(concat(name, ':', size), 'aeiou', 'AEIOU')"/>;</xsl:if></xsl:for-each></group></xsl:for-each></out></xsl:template>
</xsl:stylesheet>
X1
b xsltproc sh -c 'for i in 1 2 3; do xsltproc --nonet t.xsl list.xml | md5sum; done'
b gp sh -c 'echo "print(factor(2^101-1)); print(sum(k=1,2500000,isprime(k))); print(polcoeff(charpoly(matrix(80,80,i,j,(i*j+i)%17)),3)); default(realprecision,2000); print(substr=floor(10^50*Pi)); print(#digits(floor(exp(200)*10^1500)))" | gp -q -f'
for s in 11 23 37 41 53 67; do busybox awk -v s=$s 'BEGIN { n = 190; m = 805; print "p cnf", n, m; for (i = 0; i < m; i++) { for (j = 0; j < 3; j++) { s = (s * 16807) % 2147483647; printf "%d ", (s % 2 ? 1 : -1) * (1 + int(s / 2) % n) } print 0 } }' > t$s.cnf; done
b minisat sh -c 'for s in 11 23 37 41 53 67; do minisat -verb=0 t$s.cnf out >/dev/null; head -1 out; md5sum < out; done; true'
cat > t.smt <<'X1'
(set-option :smt.random_seed 1)
(declare-const a (_ BitVec 20)) (declare-const b (_ BitVec 20)) (declare-fun f (Int) Int) (declare-const x Int) (declare-const y Int)
(push) (assert (= (bvmul a b) #x5a5a5)) (assert (bvugt a #x00100)) (assert (bvugt b a)) (check-sat) (pop)
(push) (assert (and (> (f x) (+ (f y) 1)) (= (+ x y) 17) (forall ((z Int)) (=> (> z 3) (< (f z) (f (- z 1))))) (> x 5) (> y 5) (> x y))) (check-sat) (pop)
(push) (assert (and (> x 1) (> y 1) (= (* x y) 3599))) (check-sat) (pop)
(push) (assert (= (bvmul a a b) #x7a5c3)) (assert (bvugt a #x00100)) (assert (bvugt b a)) (check-sat) (pop)
X1
b z3 z3 -T:200 t.smt
busybox awk 'BEGIN { print ".TH T 1"; for (i = 0; i < 200; i++) { print ".SH PART " i; print ".PP"; for (j = 0; j < 12; j++) printf "Some \\fBbold%d\\fP and \\fIitalic\\fP words that fill the lines of paragraph number %d of a page, and again.\n", j, i; print ".IP \\(bu 4"; print "An item with \\(em dashes." } }' > t.1
b groff sh -c 'groff -Tps -man t.1 2>/dev/null | grep -v "^%%Creat" | md5sum; groff -Tutf8 -man t.1 2>/dev/null | md5sum'
b git sh -c 'export GIT_AUTHOR_DATE="1700000000 +0000" GIT_COMMITTER_DATE="1700000000 +0000" GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b; rm -rf r; git init -q r 2>/dev/null; cd r; git config gc.auto 0; git config pack.threads 1; for i in 1 2 3; do mkdir -p d$i; head -n $((i*1500)) ../words | split -l 100 -a 3 - d$i/f; sed "s/a/$i/" ../words > w; git add -A; git commit -q -m c$i; done; git log --format=%H --stat | md5sum; git diff HEAD~2 HEAD | md5sum; git gc -q; git fsck 2>&1 | md5sum; git blame -s w | md5sum'
{ echo 'bits 64'; busybox awk 'BEGIN { for (i = 0; i < 9000; i++) printf "l%d: mov rax, [rbx+rcx*8+%d]\n add eax, l%d-l%d\n jnz l%d\n%%define m%d %d\n dq m%d, l%d\n", i, i % 900, i, int(i / 2), (i * 7) % 9000, i % 50, i, i % 50, int(i / 3) }'; } > t.asm
b nasm sh -c 'nasm -O2 -f elf64 -o t.o t.asm && md5sum < t.o'
