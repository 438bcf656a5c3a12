# Extensions. The repository has a file for each: the platforms that it has a recipe for, a line each.

added=/home/tc/redpill-load/custom/extensions

get_sources() {
  local source
  for source in redpill-lkm redpill-load; do
    if [ -d "$source" ]; then
      say 'Loader sources already downloaded, pulling latest'
      say 'Already up to date.'
    else
      echo "Cloning into '$source'..." >&2
      mkdir -p "$source"
    fi
  done
  mkdir -p "$added"
}

# ext_manager add|info …, as the loader sources have it: a script of its own, whose exit code is 1 where it fails.
ext_manager() (
  case $1 in
    add) add "$2" ;;
    info) show "$2" ;;
    *) critical "Unknown action $1" ;;
  esac
)

add() {
  local name
  begin "Adding new extension from $1"
  name=$(basename "$(dirname "$1")")
  if fault ext-unreachable || [ "${1##*/}" != rpext-index.json ] || [ ! -e "$repository/extensions/$name" ]; then
    print 31 "
[!] Failed to download $1 to /tmp/rpext-index.json

*** Process will exit ***"
    critical "Failed to add \"$1\" as an extension:"
  fi
  if [ -e "$added/$name/$name.json" ]; then
    critical "Extension is already added (index exists at $added/$name/$name.json). For more info use \"ext-manager.sh info $name\""
  fi
  mkdir -p "$added/$name"
  jq -n --arg id "$name" --arg url "$1" '{id: $id, url: $url}' >"$added/$name/$name.json"
  done_
  show "$name"
}

show() {
  [ -e "$added/$1/$1.json" ] || critical "Extension $1 is not added"
  say '========================================== pocopico =========================================='
  say "Extension name: $1"
  say "Extension ID: $1"
  say "Platforms supported: $(xargs <"$repository/extensions/$1")"
  say '=============================================================================================='
}

# Those that every platform wants. A second build hears that they are there, and goes on; whatever else fails, too.
add_required() {
  local url
  for url in $(own_extensions); do ext_manager add "$url"; done
  for url in $(own_extensions); do (own_extension_comes "$(basename "$(dirname "$url")")" "$key"); done
}

# Ends a script of its own, with 1, at the first one that has no recipe for the platform.
update_extensions() (
  local folder name
  begin 'Updating extensions'
  for folder in "$added"/*/; do
    name=$(basename "$folder")
    grep -qsxF -e "$key" "$repository/extensions/$name" && ! fault no-recipe && continue
    failed
    print 31 "[-] The extension $name was found. However, the extension index has no recipe for $key platform. It may not be"
    print 31 '[-] supported on that platform, or author did not updated it for that platform yet.'
    print 31 '[!] Cannot continue due to previous errors (see above)'
    print 31 "[!] Failed to update all extensions for $key platform"
    exit 1
  done
  done_
)
