# A source tree over a shared folder (9p), with the options of docs/own-guests.md: the first look at
# all names, sizes of some folders, and their contents. Each run is between two markers.
while read module; do insmod /lib/modules/$module; done < /lib/modules/order
mkdir /tmp/share
mount -t 9p -o trans=virtio share /tmp/share
# job NAME COMMAND: a shell's command line, which must succeed.
job() {
  echo "BENCH-BEGIN $1"
  sh -c "$2" > /tmp/o 2>&1; rc=$?
  echo "BENCH-END $1 rc=$rc"
  [ $rc = 0 ] || tail -n 3 /tmp/o
}
job find 'test $(find /tmp/share -type f | wc -l) = 12000'
job du 'du -s /tmp/share/d1* > /tmp/sizes && test $(wc -l < /tmp/sizes) = 111'
job tar 'cd /tmp/share && tar c d1 d2 d3 d4 d5 d6 d7 d8 d9 | md5sum'
umount /tmp/share
