# Berkeley TestFloat 3, level 1, seed 1: 36 functions of single and double precision in four
# rounding modes.
. /bench/lib.sh
functions="i32_to_f32 i64_to_f32 ui32_to_f32 ui64_to_f32 i32_to_f64 i64_to_f64 ui32_to_f64 ui64_to_f64
f32_to_i32_rx_minMag f32_to_i64_rx_minMag f32_to_ui32_rx_minMag f32_to_ui64_rx_minMag
f64_to_i32_rx_minMag f64_to_i64_rx_minMag f64_to_ui32_rx_minMag f64_to_ui64_rx_minMag
f32_to_f64 f64_to_f32 f32_add f32_sub f32_mul f32_mulAdd f32_div f32_sqrt f32_eq f32_le f32_lt
f64_add f64_sub f64_mul f64_mulAdd f64_div f64_sqrt f64_eq f64_le f64_lt"
for rounding in near_even minMag min max; do
  for f in $functions; do
    timeout 900 /bench/tcg/testfloat -level 1 -errors 3 -seed 1 -tininessbefore -r$rounding $f > /tmp/o 2>&1; rc=$?
    # Without such a line nothing was tested; with errors the exit code is 0 all the same.
    tr '\r' '\n' < /tmp/o | grep -qE '^ *[1-9][0-9]* tests (total|performed)' || rc=98
    if grep -q 'Errors found' /tmp/o; then rc=97; fi
    verdict TESTFLOAT $f/$rounding $rc
  done
done
