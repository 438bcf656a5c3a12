#!/usr/bin/bash
# init.sh: goes on to DSM, or stays as the system in which the loader is configured.
export HOME=/root
. ~/.mountloader
exec </dev/null >/dev/console 2>&1
cd /opt/rr || exit 1
. include/functions.sh

if dsm_is_upgraded; then
  . <(dsm_version)
  echo "Build number changed from $(readConfigKey productver "$USER_CONFIG_FILE") to $majorversion.$minorversion($buildnumber)"
  writeConfigKey productver "$majorversion.$minorversion" "$USER_CONFIG_FILE"
  writeConfigKey paturl '#UPGRADED' "$USER_CONFIG_FILE"
  writeConfigKey patsum '#UPGRADED' "$USER_CONFIG_FILE"
  touch "$PART1_PATH/.upgraded" "$PART1_PATH/.build"
fi

if ! loaderIsConfigured; then
  TEXT 'Loader is not configured!'
elif grep -q IWANTTOCHANGETHECONFIG /proc/cmdline; then
  TEXT 'User requested edit settings.'
else
  ./boot.sh && exit
  TEXT 'Loader boot failed'
fi

httpd -p 7080 -h /var/www/page
httpd -p 7681 -h /var/www/terminal
httpd -p 9990 -h /control
echo rr >/run/served
echo 'dsm-lab: RR up'
