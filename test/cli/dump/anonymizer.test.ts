/** What a dump must not say: planted wherever a definition may hold it. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Anonymizer } from '../../../src/cli/dump/anonymizer.ts';

/** As printed on a disk, by any maker; at least 8 characters. */
const serial = fc.stringMatching(/^[A-Z]{1,2}[0-9]{2}[A-Z0-9]{6,12}$/);
const hex = (length: number) => fc.stringMatching(new RegExp(`^[1-9a-f][0-9a-f]{${length - 2}}[1-9a-f]$`));
/** What has no shape: only its place tells what it is. */
const word = fc.stringMatching(/^zz[a-z]{4,12}$/);
const ipv6 = hex(4).map(group => ({ secret: `${group}:`, text: `2001:db8:${group}::53` }));

const plain = (secret: string) => ({ secret, text: secret });
const planted = (secrets: fc.Arbitrary<string>, ...places: string[]) =>
  fc.tuple(secrets.map(plain), fc.constantFrom(...places));

const place = fc.oneof(
  planted(
    fc.oneof(serial, word),
    "<disk type='file' device='disk'><serial>?</serial><target dev='sda' bus='sata'/></disk>",
    '<disk><wwn>?</wwn></disk>',
    "<graphics type='vnc' port='-1' passwd='?'/>",
    "<sysinfo type='smbios'><system><entry name='serial'>?</entry></system></sysinfo>",
    "<sysinfo type='fwcfg'><entry name='opt/x'>?</entry></sysinfo>",
    '<sysinfo><oemStrings><entry>?</entry></oemStrings></sysinfo>',
    '<os><cmdline>root=/dev/sda sn=?</cmdline></os>',
    '<title>?</title>',
    "<source protocol='https' name='u'><cookies><cookie name='a'>?</cookie></cookies></source>",
    "<os><initarg>?</initarg><initenv name='A'>?</initenv></os>",
    '<description>\n  of ?\n</description>',
    "<metadata><my:thing xmlns:my='x' a='?'>\n<my:b>?</my:b></my:thing></metadata>",
    "<source protocol='iscsi' name='?/1'><host name='?.lan' port='3260'/></source>",
    "<source protocol='rbd' name='?/image' query='?'/>",
    "<auth username='?'><secret type='iscsi' usage='?'/></auth>",
    "<initiator><iqn name='?'/></initiator>",
    "<source mode='bind' host='?' service='4444'/>",
    "<qemu:arg value='nvme,drive=D,serial=?'/>",
    "<qemu:arg value='secret,id=s0,data=?'/>",
    "<qemu:arg value='?'/>",
    '<qemu:arg value=\'{"driver":"nvme","serial":"?"}\'/>',
    '<qemu:arg value="{&quot;driver&quot;:&quot;nvme&quot;,&quot;serial&quot;:&quot;?&quot;}"/>',
    "<qemu:arg value='type=1,serial=?,uuid=?'/>",
    "<qemu:arg value='if=none,file.driver=iscsi,file.user=?,file.password=?'/>",
    "<qemu:env name='TOKEN' value='?'/>",
    "<qemu:property name='serial' type='string' value='?'/>",
    "<source dev='/dev/disk/by-id/ata-WDC_WD40EFRX-68N32N0_?'/>",
    "<source dev='/dev/disk/by-path/ip-10.0.0.1:3260-iscsi-iqn.2000-01.com.synology:?-lun-1-part2'/>",
    "<source dev='/dev/disk/by-label/?'/>",
    "<source name='iqn.2000-01.com.synology:?'/>",
    '<!-- ? -->',
  ),
  planted(
    serial,
    "<source file='/var/lib/libvirt/images/dsm-?.img'/>",
    "<source dev='/dev/mapper/?'/>",
    "<source dev='/dev/zvol/tank/?-part1'/>",
    "<source volume='?' pool='default'/>",
    "<alias name='ua-?'/>",
    '<nvram>/var/lib/libvirt/qemu/nvram/?_VARS.fd</nvram>',
  ),
  planted(
    hex(16),
    "<adapter type='fc_host' wwnn='?' wwpn='?'/>",
    "<source dev='/dev/disk/by-id/wwn-0x?'/>",
    "<source dev='/dev/mapper/3?'/>",
    "<x y='0x?'/>",
  ),
  fc.tuple(
    ipv6,
    fc.constantFrom("<graphics listen='?'/>", "<ip family='ipv6' address='?' prefix='64'/>", '<a b="[?]:5000"/>'),
  ),
);

test('a secret is not said, wherever it is', () => {
  fc.assert(
    fc.property(fc.array(place, { minLength: 1, maxLength: 5 }), places => {
      const body = places.map(([{ text }, xml]) => xml.replaceAll('?', text)).join('\n');
      const anonymizer = new Anonymizer([]);
      const said = anonymizer.xml(`<domain type='kvm'>\n${body}\n</domain>`).toLowerCase();
      for (const [{ secret }] of places) expect(said).not.toContain(secret.toLowerCase());
      expect(anonymizer.text(said)).toBe(said);
    }),
    { numRuns: 2_000 },
  );
});

test.each([
  ['/dev/mapper/3a0aaaaaaaaaaaaaa', '/dev/mapper/id-1'],
  ["<x y='0xabcdefabcdefabcd'/>", "<x y='id-1'/>"],
  ['/srv/dsm-DS000AAAAA.img', '/srv/dsm-id-1.img'],
  ['/srv/DS3622xs-ds3622xsp-RS2423rpp-DS218play.img', '/srv/DS3622xs-ds3622xsp-RS2423rpp-DS218play.img'],
])('a WWN of nearly all letters, or a serial number like a model, is hidden, and a model is not: %s', (text, said) => {
  expect(new Anonymizer([]).text(text)).toBe(said);
});

test('what helps to understand a problem stays', () => {
  const xml = `<domain type='kvm' id='2'>
  <name>DSM</name>
  <memory unit='KiB'>16777216</memory>
  <os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os>
  <cpu mode='host-passthrough' check='none' migratable='on'><model fallback='allow'>Skylake-Server-noTSX-IBRS</model></cpu>
  <disk type='file' device='disk'>
    <source file='/srv/tinycore-redpill-uefi.v0.9.2.8.img' index='1'/>
    <target dev='sdb' bus='usb'/>
    <address type='drive' controller='0' bus='0' target='0' unit='1'/>
  </disk>
  <disk type='file'><source file='/srv/DSM-20261129T043848Z/ds3622xsp-7.2.1-69057.img'/></disk>
  <hostdev><source><address domain='0x0000' bus='0x03' slot='0x00' function='0x0'/></source></hostdev>
  <interface type='bridge'><source bridge='br0'/><target dev='vnet0'/><model type='e1000e'/></interface>
  <serial type='pty'>
    <target type='isa-serial' port='0'/>
  </serial>
  <qemu:commandline><qemu:arg value='-device'/></qemu:commandline>
</domain>`;
  expect(new Anonymizer([]).xml(xml)).toBe(xml);
  const device = new Anonymizer([]).xml(
    "<qemu:arg value='nvme,drive=D1,serial=AB'/><source dev='/dev/disk/by-id/ata-X-part2'/>",
  );
  expect(device).toBe("<qemu:arg value='nvme,drive=[…],serial=[…]'/><source dev='/dev/disk/by-id/device-1-part2'/>");
});
