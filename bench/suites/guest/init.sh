#!/bin/busybox sh
# PID 1 of a suite's initramfs: runs /bench/NAME.sh for el2=run:NAME on the kernel's command line,
# then powers off, a second later, so that the CPU time of the machine's threads can still be read
# for the last line. el2=only:A,B names what of it runs, el2=times:N how often.
/bin/busybox --install -s /bin 2>/dev/null
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root TERM=vt100
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev 2>/dev/null
mount -t tmpfs tmp /tmp
what=
export ONLY= TIMES=1
for word in $(cat /proc/cmdline); do case $word in el2=run:*) what=${word#el2=run:} ;; el2=only:*) ONLY=${word#el2=only:} ;; el2=times:*) TIMES=${word#el2=times:} ;; esac; done
echo "EL2-READY $(uname -r)"
sh "/bench/$what.sh"
echo "EL2-DONE rc=$?"
sleep 1
poweroff -f
