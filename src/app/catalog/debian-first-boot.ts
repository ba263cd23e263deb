// The scripts of a Debian disk's first boot: unpacked packages are configured by their own scripts,
// in the guest, under el2 (`debian-first-run.ts`).

import { ARCHITECTURE } from "./debian.ts";

/** Where the disk holds the script until it has run. */
export const CONFIGURE_SCRIPT = "/var/lib/el2/configure";

/** Words on the command line that ask PID 1 for the first boot. */
export const CONFIGURE = "el2=configure";
/** The last line of the script's output. */
export const DONE = "EL2-CONFIGURED";
const FAILED = "EL2-FAILED";
export const STEP = "EL2-STEP";

/**
 * PID 1 of the disk's initramfs: modules, the disk, then the system on it, or the script of its
 * first boot.
 */
export const DISK_INIT = `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root TERM=vt100
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read module; do insmod /lib/modules/$module || echo "$module: not loaded"; done < /lib/modules/order
root=/dev/vda mode=ro init=/sbin/init configure=
for word in $(cat /proc/cmdline); do
  case $word in
    root=*) root=\${word#root=} ;;
    init=*) init=\${word#init=} ;;
    ro|rw) mode=$word ;;
    ${CONFIGURE}) configure=yes mode=rw ;;
  esac
done
if ! mount -t ext4 -o $mode $root /root; then
  echo "$root cannot be mounted; is there a --disk? This is a shell of the initial ramdisk"
  setsid cttyhack sh
  poweroff -f
fi
if [ -z "$configure" ]; then
  mount --move /dev /root/dev
  umount /sys /proc
  exec switch_root /root $init
fi
for folder in proc sys dev; do mount --move /$folder /root/$folder; done
mount -t tmpfs tmpfs /root/run
if chroot /root /bin/sh ${CONFIGURE_SCRIPT}; then
  rm /root${CONFIGURE_SCRIPT}
  result=${DONE}
else
  result=${FAILED}
fi
umount /root/run
for folder in dev sys; do mount --move /root/$folder /$folder; done
sync
umount /root/proc
umount /root || result=${FAILED}
echo $result
poweroff -f
`;

/**
 * The script of the first boot: first the scripts that run before unpacking, which have no effect
 * except for base-passwd's users, then all others by dpkg, which records each package as
 * configured; then an administrator's settings.
 */
export function configureScript(): string {
  return `export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C DEBIAN_FRONTEND=noninteractive DEBCONF_NONINTERACTIVE_SEEN=true
set -e
cd /var/lib/dpkg/info
for name in base-passwd $(ls *.preinst | sed 's/\\.preinst$//' | grep -v '^base-passwd$'); do
  [ -e $name.preinst ] || continue
  DPKG_MAINTSCRIPT_NAME=preinst DPKG_MAINTSCRIPT_PACKAGE=\${name%:*} DPKG_MAINTSCRIPT_ARCH=${ARCHITECTURE} DPKG_RUNNING_VERSION=1 \\
    ./$name.preinst install || { echo "$name: preinst failed"; exit 1; }
done
configure() {
  dpkg --force-unsafe-io --status-fd 3 --configure "$@" 3>&1 >/tmp/dpkg.log 2>&1 | sed -n 's/^status: \\(.*\\): installed *$/${STEP} \\1/p'
  # The shell has the exit code of sed only: dpkg's database is checked below.
}
# Scripts of others use what these set up: users, and awk.
configure --force-depends base-passwd base-files mawk
configure -a
left=$(dpkg-query -W -f '\${db:Status-Abbrev} \${Package}\\n' | grep -v '^ii ' || true)
if [ -n "$left" ]; then
  cat /tmp/dpkg.log
  echo "not configured: $left"
  exit 1
fi
passwd -d root >/dev/null
depmod "$(uname -r)"
systemctl enable systemd-networkd.service >/dev/null 2>&1
# There are no virtual terminals to log in at, and downloads that nobody asked for would take the machine's time.
systemctl mask getty-static.service getty@tty1.service >/dev/null 2>&1
systemctl disable apt-daily.timer apt-daily-upgrade.timer >/dev/null 2>&1
rm -f /tmp/dpkg.log /etc/machine-id
: > /etc/machine-id
echo "${STEP} done"
`;
}
