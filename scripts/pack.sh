#!/usr/bin/env bash
# Packs programs with the shared libraries they need (all but glibc's and the driver's), and any other files, for a machine without them:
# parts of at most 28 MiB under .parts/pK/part, which git is told to ignore.
# usage: scripts/pack.sh PROGRAM-OR-FILE..      from the repository's root
# There, once every part K has been copied to /tmp/part.K:
#   cat /tmp/part.* > /tmp/kit.tar.xz && mkdir -p /tmp/kit && python3 -m tarfile -e /tmp/kit.tar.xz /tmp/kit
#   LD_LIBRARY_PATH=/tmp/kit/lib /tmp/kit/bin/PROGRAM ..
set -euo pipefail

ignore_parts() {
  local exclude
  exclude=$(git rev-parse --git-path info/exclude)
  mkdir -p "$(dirname "$exclude")"
  grep -qxs '/.parts/' "$exclude" || echo '/.parts/' >> "$exclude"
}

# The libraries that the program loads and the other machine may lack.
libraries_of() {
  ldd "$1" | awk '$3 ~ /^\// {print $3}' | grep -vE '/(libc|libm|libdl|librt|libpthread|ld-linux[^/]*|libcuda|libnvidia[^/]*)\.so'
}

pack_file() {
  local packed
  packed=.parts/kit/bin/$(basename "$1")
  cp -L "$1" "$packed"
  file -L "$1" | grep -q ELF || return 0
  strip --strip-debug "$packed" 2>/dev/null || true
  libraries_of "$1" | while read -r library; do
    cp -nL "$library" .parts/kit/lib/
  done
}

ignore_parts
rm -rf .parts/p[0-9] .parts/kit
mkdir -p .parts/kit/bin .parts/kit/lib
for file in "$@"; do
  pack_file "$file"
done
tar -C .parts/kit -c . | xz -T0 -2 > .parts/kit.tar.xz
rm -r .parts/kit
split -b 28M -d -a 1 .parts/kit.tar.xz .parts/piece
rm .parts/kit.tar.xz
for piece in .parts/piece*; do
  part=.parts/p${piece#.parts/piece}
  mkdir "$part"
  mv "$piece" "$part/part"
done
du -sh .parts/p*/part
