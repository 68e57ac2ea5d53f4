#!/usr/bin/env bash
# make_tree.sh OUTPUT.tar: the tree that compression is measured on, over 30,000 small files and 400 MB.
#
# It is what some Debian 12 packages hold: headers of C and C++ libraries, Go's standard library, Perl and Python modules.
# They are downloaded with apt-get, not installed; names are sorted, owners and times fixed, so that the same packages
# give the same bytes. Prints how many files there are, bytes, and the digest.
set -euo pipefail

readonly packages=(
  golang-1.19-src libboost1.81-dev libc6-dev libclang-14-dev libeigen3-dev libgtk-4-dev libpython3.11-stdlib libstdc++-12-dev
  linux-libc-dev llvm-14-dev perl-modules-5.36 python3-numpy python3-sympy qtbase5-dev
)
(($# == 1)) || { echo "usage: make_tree.sh OUTPUT.tar" >&2; exit 2; }
output=$(realpath -m "$1")
work=$(mktemp -d "${TMPDIR:-/tmp}/make-tree.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir "$work/packages" "$work/tree"
# apt-get gives up its root rights for downloads, and then has to be able to write here.
chmod 755 "$work"
(cd "$work/packages" && apt-get -qq -o APT::Sandbox::User=root download "${packages[@]}")
for package in "$work"/packages/*.deb; do dpkg-deb -x "$package" "$work/tree"; done
# Libraries, objects and compressed files are no small files of text.
find "$work/tree" -type f \( -name '*.a' -o -name '*.so*' -o -name '*.gz' -o -size +2M \) -delete
find "$work/tree" -type l -delete
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@1500000000 --format=gnu -C "$work/tree" -cf "$output" .
printf '%s files, %s bytes, sha256 %s\n' "$(find "$work/tree" -type f | wc -l)" "$(stat -c %s "$output")" \
  "$(sha256sum "$output" | cut -d ' ' -f 1)"
