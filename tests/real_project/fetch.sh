#!/usr/bin/env bash
# fetch.sh DIRECTORY: the source package that the test real_project builds, as Debian ships it.
#
# Does nothing if the files are there already. It is apt that fetches them, from the mirror this machine is
# configured for, but with a source list, package lists and a cache of its own in a temporary directory: the
# machine's are only read. Needs no root.
set -euo pipefail

package=mhash
version=0.9.9.9-9
sums='73991e9e54bb392484a510943d4c5d395462181cc4abe53f863edec13c335403  mhash_0.9.9.9.orig.tar.gz
778226d68c64f1a57d3a49a28d0767553b4ad33dd8a09ebcfd0ac11531eabc06  mhash_0.9.9.9-9.debian.tar.xz'

destination=${1:?usage: fetch.sh DIRECTORY}
complete() { (cd "$1" && sha256sum --check --strict --status <<<"$sums") 2>/dev/null; }
complete "$destination" && exit 0

echo "fetching the source of $package $version" >&2
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 2>/dev/null |
  awk '$2 == "bookworm" && $3 == "main" {print $1; exit}')
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb-src [signed-by=$keyring] ${mirror:-http://deb.debian.org/debian} bookworm main" >"$temporary/sources.list"
mkdir -p "$temporary/lists/partial" "$temporary/cache/archives/partial" "$temporary/files"
options=(
  -o Dir::Etc::SourceList="$temporary/sources.list" -o Dir::Etc::SourceParts=/dev/null
  -o Dir::State::Lists="$temporary/lists" -o Dir::Cache="$temporary/cache"
  -o APT::Sandbox::User=root -o Acquire::Languages=none -o Acquire::Retries=3
)
apt-get -qq "${options[@]}" update >&2
(cd "$temporary/files" && apt-get -qq "${options[@]}" source --download-only "$package=$version" >&2)

if ! complete "$temporary/files"; then
  echo "fetch.sh: what the mirror has as $package $version is not what this test was made for (SHA-256 differs)" >&2
  exit 1
fi
mkdir -p "$destination"
while read -r _ name; do mv "$temporary/files/$name" "$destination/"; done <<<"$sums"
