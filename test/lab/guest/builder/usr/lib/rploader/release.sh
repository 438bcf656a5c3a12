# What differs between the releases of rploader.sh, 0.9.2.9 to 0.10.0.0; test/fixtures/rploader has their own words.
# Needs `version` and `auxfiles`, the image's cache, and the functions say, fault and critical.

# since RELEASE: whether `version` is that one or a later one.
since() {
  [ "$(printf '%s\n%s\n' "$1" "$version" | sort -t . -k 1,1n -k 2,2n -k 3,3n -k 4,4n | head -n 1)" = "$1" ]
}

# As the loader's sources say it: without a line end.
tell() { printf '%s' "$1" >&2; }

# menu_version RELEASE: as the menu's titles have it.
menu_version() { if since 0.9.4.5; then echo "$1"; else echo "v$1"; fi; }

# What every build adds by itself.
own_extensions() {
  if since 0.9.4.5; then
    for name in all-modules eudev disks misc; do echo "https://github.com/pocopico/tcrp-addons/raw/main/$name/rpext-index.json"; done
  else
    echo https://github.com/pocopico/redpill-load/raw/develop/redpill-misc/rpext-index.json
  fi
}

# own_extension_comes NAME KEY: its files. Where one is damaged the build hears it, and goes on.
own_extension_comes() {
  tell "[#] Filling-in newly downloaded recipe for extension $1 platform $2"
  tell "[#] Verifying /home/tc/redpill-load/custom/extensions/$1/$2/install.sh file..."
  if fault half-extension; then
    tell '[ERR]'
    critical 'Checksum mismatch - expected 194d671bc1e59677 but computed 56f4932861b287ba'
  fi
  tell '[OK]'
}

# The program that opens DSM's archive. What an early release could not take from it is missed later; a late one looks at
# once, and keeps the broken one.
get_extractor() {
  say 'Found build request for revision greater than 42218'
  if ! since 0.9.4.5; then
    say 'Getting required extraction tool'
    if fault extractor-page; then
      echo 'tar: This does not look like a tar archive' >&2
      echo "cp: cannot stat 'usr/syno/bin/scemd': No such file or directory" >&2
      say 'Checking if tools is accessible'
      say 'Cound not execute'
    fi
    return
  fi
  say 'Downloading extractor v2'
  if [ -d "$auxfiles/patch-extractor" ]; then
    say 'Extractor already cached'
    return
  fi
  mkdir -p "$auxfiles/patch-extractor/lib"
  if fault extractor-page; then
    : >"$auxfiles/patch-extractor/synoarchive.nano"
    echo 'tar: This does not look like a tar archive' >&2
    ! since 0.9.4.9 || say 'Error : could not extract extractor pat file, maybe corrupted'
    echo "cp: cannot stat 'usr/syno/sbin/synoarchive': No such file or directory" >&2
    since 0.9.4.9 || return 0
    say 'Error : could not execute synoarchive.nano, maybe corrupted'
    exit 0
  fi
  printf '#!/bin/sh\nexit 3\n' >"$auxfiles/patch-extractor/synoarchive.nano"
  chmod +x "$auxfiles/patch-extractor/synoarchive.nano"
}

# open_pat KEY CONFIG: what is in DSM's archive, and whether there is a configuration for it.
open_pat() {
  local nothing=''
  say "Extracting encrypted pat file : /home/tc/custom-module/$1.pat to /tmp/pat"
  if fault extractor-page && ! since 0.9.4.5; then
    nothing='sudo: /bin/syno_extract_system_patch: command not found'
  elif since 0.9.4.5 && [ ! -s "$auxfiles/patch-extractor/synoarchive.nano" ]; then
    nothing='sudo: /home/tc/custom-module/patch-extractor/synoarchive.system: command not found'
  fi
  [ -z "$nothing" ] || printf '%s\ntar: VERSION: Not found in archive\n' "$nothing" >&2
  if [ -n "$nothing" ] || fault no-config; then
    printf 'Checking config file existence -> '
    if since 0.9.4.5; then
      echo "Config file $2 not found, please use the proper repo, clean and download again"
    else
      echo 'No config file found, please use the proper repo, clean and download again'
    fi
    exit 99
  fi
  say 'Checking config file existence -> OK'
}

# Since 0.9.4.5 in every build, before only in one `withfriend`.
needs_friend() { [ "$1" = withfriend ] || since 0.9.4.5; }
