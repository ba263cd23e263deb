# fio on an ext4 file system on the disk, each run between two markers. Runs move a fixed number of
# 4 KiB blocks; "start" moves one, so that the rest of its time is fio's own start.
while read module; do insmod /lib/modules/$module; done < /lib/modules/order
mkdir /tmp/disk
mount -t ext4 /dev/vda /tmp/disk
# job NAME OPTIONS..: one file of 64 MiB, past the guest's page cache.
job() {
  name=$1; shift
  echo "BENCH-BEGIN $name"
  fio --name=$name --filename=/tmp/disk/file --size=64m --bs=4k --direct=1 --ioengine=psync --thread --randseed=1 "$@" > /tmp/o 2>&1; rc=$?
  echo "BENCH-END $name rc=$rc"
  [ $rc = 0 ] || tail -n 3 /tmp/o
}
# The file is written once before, so that nothing measured allocates blocks.
job lay --rw=write --bs=1m
job start --rw=read --io_size=4k
job read --rw=read --io_size=48m
job randread --rw=randread --io_size=48m
job write --rw=write --fsync=1 --io_size=8m
job randwrite --rw=randwrite --fsync=1 --io_size=8m
umount /tmp/disk
