# Berkeley TestFloat 3, level 1, seed 1: all functions of half precision that the processor has, in
# four rounding modes where these matter.
. /bench/lib.sh
check() {
  rounding=$1; shift
  for f in "$@"; do
    timeout 900 /bench/tcg/testfloat16 -level 1 -errors 3 -seed 1 -tininessbefore -r$rounding $f > /tmp/o 2>&1; rc=$?
    tr '\r' '\n' < /tmp/o | grep -qE '^ *[1-9][0-9]* tests (total|performed)' || rc=98
    if grep -q 'Errors found' /tmp/o; then rc=97; fi
    verdict TESTFLOAT $f/$rounding $rc
  done
}
for rounding in near_even minMag min max; do
  check $rounding ui32_to_f16 ui64_to_f16 i32_to_f16 i64_to_f16 f16_to_f32 f16_to_f64 f32_to_f16 f64_to_f16 f16_roundToInt_x \
    f16_add f16_sub f16_mul f16_mulAdd f16_div f16_sqrt f16_eq f16_le f16_lt f16_eq_signaling f16_le_quiet f16_lt_quiet
  for type in ui32 ui64 i32 i64; do check $rounding f16_to_${type}_rx_$rounding; done
  check $rounding f16_roundToInt_r_$rounding
done
for type in ui32 ui64 i32 i64; do check near_even f16_to_${type}_rx_near_maxMag; done
check near_even f16_roundToInt_r_near_maxMag
