# Programs of QEMU's tests/tcg as processes of the guest: exit code 0 is a pass; float_* are
# compared with the .ref file beside them.
. /bench/lib.sh
busybox ifconfig lo 127.0.0.1 up
for t in sha1 sha512 overflow munmap-pthread test-mmap threadcount testthread sigbus signals linux-test linux-madvise pcalign-a64 \
  float_convs float_convd float_madds; do
  timeout 300 /bench/tcg/$t > /tmp/o 2> /tmp/e; rc=$?
  if [ -f /bench/tcg/$t.ref ] && [ $rc = 0 ]; then cmp -s /tmp/o /bench/tcg/$t.ref || rc=99; fi
  verdict TCG $t $rc
done
