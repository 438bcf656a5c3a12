import { readFileSync } from 'node:fs';

/** Pages and answers with the marks of the real ones. */

export const pages = {
  dsm6: `<!DOCTYPE html><html><head>
<meta name="application-name" content="nas&nbsp;-&nbsp;Synology&nbsp;DiskStation" />
<meta name="description" content="DiskStation provides a full-featured network attached storage (NAS) solution" />
<link rel="shortcut icon" href="webman/favicon.ico?v=4399" />
<title>nas&nbsp;-&nbsp;Synology&nbsp;DiskStation</title>
<link rel="stylesheet" type="text/css" href="synoSDSjslib/sds.css?v=1" />
<link rel="stylesheet" type="text/css" href="webman/resources/css/desktop.css?v=1" /></head>
<body role="application"><div id="sds-login-dialog-form" style="position: absolute"><form id="login-form"></form></div>
<script src="webapi/entry.cgi?api=SYNO.Core.Desktop.SessionData&version=1&method=getjs&SynoToken=&v=1"></script></body>
<noscript><div class='syno-no-script'>This page can't be displayed</div></noscript></html>`,
  dsm7: `<!DOCTYPE html><html class="img-no-display"><head>
<meta name="application-name" content="nas&nbsp;-&nbsp;Synology&nbsp;NAS" />
<title>nas&nbsp;-&nbsp;Synology&nbsp;NAS</title></head><body role="application"><div id="sds-wallpaper"></div>
<script src="webapi/entry.cgi?api=SYNO.Core.Desktop.SessionData&version=1&method=getjs&SynoToken=&v=1"></script>
</body></html>`,
  dsmIndex: '<html><head><script>location.href = "webman/index.cgi"</script></head></html>',
  installer:
    '<!DOCTYPE html><html><head><title>Synology Web Assistant</title></head><body><p>Synology Web Assistant</p></body>',
  ttyd: '<!DOCTYPE html><html lang="en"><head><title>ttyd - Terminal</title></head><body></body></html>',
  recovery: (loader: string) => `<!DOCTYPE html><html><head><title>${loader} Recovery</title></head><body>
<iframe id="ttyd" src=""></iframe><script>
document.getElementById("ttyd").src = location.protocol + "//" + location.hostname + ":7681";</script></body></html>`,
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the page has it so
  rrIndex: '<html><script language="javascript"> location.replace(`http://${location.hostname}:7681`)</script></html>',
  nginx: '<!DOCTYPE html><html><head><title>Welcome to nginx!</title></head><body>Welcome</body></html>',
} as const;

export const apiInfo = JSON.stringify({
  data: { 'SYNO.API.Auth': { maxVersion: 7, minVersion: 1, path: 'entry.cgi', requestFormat: 'JSON' } },
  success: true,
});

export function pingpong(bootDone: boolean, hibernating = false): string {
  return JSON.stringify({ boot_done: bootDone, disk_hibernation: hibernating, ezid: 'a'.repeat(32), success: true });
}

/** As an installer says it. */
export function state(
  status: string,
  more: Record<string, unknown> = {},
  beside: Record<string, unknown> = {},
): string {
  const dsinfo = {
    model: 'DS918+',
    serial: 'TESTSERIAL0001',
    mac_addr: '00:00:5E:00:53:01',
    ip_addr: '192.0.2.7',
    hostname: 'DiskStation',
    build_ver: '7.3.2-86009',
    disk_count: 4,
    disk_size_enough: true,
    is_installing: false,
    https_admin_port: '5001',
    internet_ok: 'false',
    status,
    ...more,
  };
  return JSON.stringify({ success: true, data: { has_disk: true, ...beside, dsinfo } });
}

const withoutDisk = new URL('../lab/guest/rootfs/dsm/no-disk/web/webman/get_state.cgi', import.meta.url);
/** As an installer said it that saw no disk. */
export const stateWithoutDisk = readFileSync(withoutDisk, 'utf8').split('\n\n')[1] ?? '';
