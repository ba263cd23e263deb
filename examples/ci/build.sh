#!/bin/sh
# Builds the driver for the kernel of `el2 guests fetch debian`, and build/initrd, which is the
# guest's ramdisk with the driver in it. Needs curl, dpkg-deb, make, cpio and a compiler for arm64
# (gcc-aarch64-linux-gnu on other computers).
set -eu
cd "$(dirname "$0")"
mirror=${EL2_MIRROR:-https://deb.debian.org/debian}
cross=aarch64-linux-gnu-
mkdir -p build

# The guest: its folder, and the version of its kernel: 6.1.0-50 and 6.1.176-1, for example.
guest=$(el2 guests ls --json | grep '"name":"debian-bookworm"')
folder=$(echo "$guest" | sed 's/.*"folder":"\([^"]*\)".*/\1/')
release=$(echo "$guest" | sed 's/.*"name":"linux-image-\([0-9.-]*\)-cloud-arm64".*/\1/')
version=$(echo "$guest" | sed 's/.*"name":"linux-image-[^"]*","version":"\([^"]*\)".*/\1/')

# Its headers, and the programs that build with them on this computer.
headers=$PWD/build/$version/usr/src/linux-headers-$release-cloud-arm64
if [ ! -d "$headers" ]; then
  for package in "linux-headers-$release-cloud-arm64_${version}_arm64" "linux-headers-$release-common_${version}_all" \
    "linux-kbuild-${release%.*}_${version}_$(dpkg --print-architecture)"; do
    echo "fetching $package"
    curl -sSfo build/package.deb "$mirror/pool/main/l/linux/$package.deb"
    dpkg-deb -x build/package.deb "build/$version"
  done
  rm build/package.deb
  # Their makefile names a place in the system.
  sed -i "s|/usr/src/|$PWD/build/$version/usr/src/|" "$headers/Makefile"
fi

make -s -C "$headers" ARCH=arm64 CROSS_COMPILE=$cross M="$PWD/driver" modules
mv driver/shout.ko build/
make -s -C "$headers" ARCH=arm64 CROSS_COMPILE=$cross M="$PWD/driver" clean

# Linux unpacks ramdisks that follow each other into one.
(cat "$folder/initrd"; cd build && echo shout.ko | cpio -o -H newc --quiet) > build/initrd
cp "$folder/Image" build/Image
