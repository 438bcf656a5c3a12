# The commands for the files of the home, which is in memory.

backup() {
  say 'Please make sure you are using the latest 1GB img before using backup option'
  say "Current /home/tc size is $(du -sh /home/tc | awk '{ print $1 }') , try to keep it less than 1GB as it might not fit into your image"
  if ask "Should i update the $disk with your current files [Yy/Nn]"; then
    printf 'Backing up home files to %s : ' "$disk"
    if filetool.sh -b "${disk}3"; then echo; else echo "Error: Couldn't backup files"; fi
  else
    echo 'OK, keeping last status'
  fi
}

# Everything comes afresh from the repository, user_config.json too; early releases take whatever comes.
full_upgrade() {
  local date file
  date=$(date +%Y-%b-%d-%H-%M)
  say 'Performing a full TCRP upgrade'
  if since 0.9.4.5; then
    clone_upgrade
    backup
    return
  fi
  say "Warning some of your local files will be moved to /home/tc/old/xxxx.$date"
  mkdir -p old
  for file in custom_config.json custom_config_jun.json global_config.json modules.alias.3.json.gz \
    modules.alias.4.json.gz rpext-index.json user_config.json rploader.sh; do
    say "Updating $file"
    [ ! -e "$file" ] || mv "$file" "old/$file.$date"
    if fault upgrade-page; then
      echo '<html><head><title>404</title></head></html>' >"$file"
    else
      cp "$repository/$file" "$file" 2>/dev/null || : >"$file"
    fi
  done
  chmod 700 rploader.sh
  backup
}

clone_upgrade() {
  echo "Cloning into 'tinycore-redpill'..." >&2
  if fault upgrade-page; then
    echo "fatal: repository 'https://github.com/pocopico/tinycore-redpill.git/' not found" >&2
  else
    cp "$repository"/*.json "$repository/rploader.sh" .
    chmod 700 rploader.sh
  fi
}

# The script itself: with another one in the repository, and that wanted, nothing else is done.
check_version() {
  printf 'Checking if a newer version exists on the main repo -> '
  if ! fault self-update; then
    echo 'Version is current'
    return 0
  fi
  printf 'There is a newer version of the script on the repo should we use that ? [yY/nN]'
  answered || return 0
  echo 'OK, updating, please re-run after updating'
  cp "$repository/rploader.sh" rploader.sh
  echo 'Updating tinycore loader with latest updates'
  filetool.sh -b "${disk}3"
  exit 0
}

clean() {
  say 'Clearing local redpill files'
  rm -rf /home/tc/redpill* /home/tc/*tgz
}
