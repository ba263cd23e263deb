#!/bin/busybox sh
# PID 1 of both VMs of `deno task bench net`: number 1 serves a file in memory, number 2 fetches it
# and says when it begins and ends.
/bin/busybox --install -s /bin
export PATH=/bin:/sbin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
while read module; do insmod /lib/modules/$module; done < /lib/modules/order
number=$(sed 's/.*el2net=\([0-9]*\).*/\1/' /proc/cmdline)
size=$(sed 's/.*el2size=\([0-9]*\).*/\1/' /proc/cmdline)
ip link set eth0 up
ip addr add 192.168.7.$number/24 dev eth0
if [ $number = 1 ]; then
  dd if=/dev/zero of=/tmp/file bs=1M count=$size 2>/dev/null
  echo "NET-SERVES"
  httpd -f -h /tmp
fi
until ping -c 1 -W 1 192.168.7.1 >/dev/null 2>&1; do sleep 1; done
until wget -q -O /tmp/got http://192.168.7.1/file; do sleep 1; done
for round in 1 2 3; do
  echo "NET-BEGIN $round"
  wget -q -O /dev/null http://192.168.7.1/file
  echo "NET-END $round rc=$?"
done
echo "NET-DONE $(wc -c < /tmp/got)"
poweroff -f
