# stress-ng of bookworm with --verify and a fixed number of bogo operations, so that the work is the
# same on every machine.
. /bench/lib.sh
methods="ackermann apery bitops callfunc cdouble cfloat clongdouble collatz correlate crc16 dither div8 div16 div32 div64 div128 double
euler explog factorial fibonacci fft fletcher16 float float32 float64 floatconversion gamma gcd gray hamming hanoi hyperbolic idct
int128 int64 int32 int16 int8 int128float int128double int64float int64double int32float int32double intconversion ipv4checksum
jmp lfsr32 ln2 logmap longdouble loop matrixprod nsqrt omega parity phi pi prime psi queens rand rand48 rgb sieve stats sqrt trig
union zeta"
for m in $methods; do
  stress-ng --verify -t 600 --cpu 1 --cpu-method $m --cpu-ops 1 > /tmp/o 2>&1; rc=$?
  if grep -qiE 'fail|must be one of' /tmp/o; then rc=97; fi
  verdict STRESS cpu/$m $rc
done
stressors="vecmath:2 vecwide:2 atomic:2 bsearch:1 heapsort:1 qsort:1 mergesort:1 radixsort:1 shellsort:1 matrix:2 memcpy:2 malloc:200 str:5
wcs:2 hash:2 crypt:1 fork:5 futex:50 mutex:50 pipe:200 switch:200 sem:50 sigfpe:20 sigsegv:20 sigq:50 sigtrap:20 sigpending:50
sigsuspend:20 mremap:2 tree:1 tsearch:1 hsearch:1 lsearch:1 nop:5 jpeg:1 prefetch:1 fp-error:2 goto:5 getrandom:2 judy:1 list:1
zlib:1 funccall:2 funcret:2 longjmp:20 skiplist:1 cacheline:1 timer:20 timerfd:20 nanosleep:5 clock:2 poll:10 eventfd:50
membarrier:5 vfork:4 clone:4 randlist:1 misaligned:2 full:2 zero:5 bad-altstack:2 opcode:1 peterson:50 dekker:50 branch:5 mlock:2
brk:50 dup:20 daemon:1"
# Times are the guest's seconds, of which el2 has one for 10^9 instructions. sigfpe waits for an
# exception that no such CPU takes, up to its time; all others end by their work.
for s in $stressors; do
  name=${s%%:*}
  seconds=30; [ $name = sigfpe ] && seconds=1
  stress-ng --verify -t $seconds --$name 1 --$name-ops ${s#*:} > /tmp/o 2>&1; rc=$?
  if grep -qE 'unrecognized option|fail:|unsuccessful|skipped' /tmp/o; then rc=97; fi
  verdict STRESS $name $rc
done
