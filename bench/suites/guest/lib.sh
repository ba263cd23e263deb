# What the scripts of the userland benches share.

# b NAME COMMAND..: runs it between two markers. The second has the exit code and a digest of
# standard output. Nothing is typed at it. Not what $ONLY leaves out; $TIMES times in a row.
b() {
  name=$1; shift
  case ,${ONLY:-$name}, in *,$name,*) ;; *) return ;; esac
  time=0
  while [ $time -lt ${TIMES:-1} ]; do
    time=$((time + 1))
    echo "BENCH-BEGIN $name"
    "$@" < /dev/null > /tmp/o 2> /tmp/e; rc=$?
    echo "BENCH-END $name rc=$rc md5=$(md5sum < /tmp/o | cut -c1-12) $(tail -n1 /tmp/o | tr -cd ' -~' | cut -c1-60)"
    [ $rc = 0 ] || tail -n 3 /tmp/e
  done
}

# verdict SUITE NAME RC: one line a test; the last lines of its output where it failed.
verdict() {
  if [ "$3" = 0 ]; then echo "$1 pass $2"; else echo "$1 fail $2 rc=$3"; tail -n 2 /tmp/o | cut -c1-200; fi
}
