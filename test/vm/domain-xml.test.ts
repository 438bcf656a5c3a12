/** Domain XML as libvirt writes it, and as nobody should. */

import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { procedures } from '../../src/libvirt/procedures.ts';
import { XdrReader } from '../../src/libvirt/xdr.ts';
import { unknownHardware } from '../../src/model/domain.ts';
import { parseDomainXml } from '../../src/vm/domain-xml.ts';
import { slow } from '../eventually.ts';
import { recording, releases } from '../libvirt/recordings.ts';

const seed = readFileSync(new URL('../lab/dsm.xml', import.meta.url), 'utf8');
const devices = (inner: string) => parseDomainXml(`<domain><devices>${inner}</devices></domain>`);
const diskOf = (inner: string, attributes = "type='file' device='disk'") =>
  devices(`<disk ${attributes}>${inner}<target dev='sda' bus='scsi'/></disk>`).disks[0];
const nicOf = (type: string, inner: string) =>
  devices(`<interface type='${type}'><mac address='52:54:00:AB:cd:01'/>${inner}</interface>`).nics[0];

test('the DSM of the lab', () => {
  const file = '/var/lib/libvirt/images';
  expect(parseDomainXml(seed)).toEqual({
    ...unknownHardware,
    machine: 'q35',
    vcpus: 2,
    memory: 2 ** 31,
    disks: [
      { target: 'sda', role: 'data', bus: 'scsi', source: `${file}/sda.img` },
      { target: 'sdb', role: 'data', bus: 'scsi', source: `${file}/sdb.img` },
      { target: 'hdz', role: 'loader', bus: 'usb', source: `${file}/loader.img` },
    ],
    nics: [{ mac: '52:54:00:d5:30:01', model: 'virtio', source: 'br0', tap: null, type: 'bridge', link: null }],
  });
});

describe.each(releases)('recorded with libvirt %s', release => {
  const xmls = recording(release)
    .filter(({ procedure, type, status }) => procedure === procedures.domainGetXmlDesc.number && type === 1 && !status)
    .map(({ bytes }) => procedures.domainGetXmlDesc.reply.decode(new XdrReader(bytes.subarray(28))).xml);

  test('live and inactive', () => {
    const read = xmls.map(parseDomainXml);
    expect(read.length).toBeGreaterThan(1);
    for (const { machine, vcpus, memory, disks, nics } of read) {
      expect(machine).toMatch(/^(pc-)?q35/);
      expect({ vcpus, memory }).toEqual({ vcpus: 2, memory: 128 * 2 ** 20 });
      expect(disks.map(({ target, role }) => [target, role])).toEqual([
        ['sda', 'data'],
        ['sdb', 'data'],
        ['hdz', 'loader'],
      ]);
      expect(nics).toMatchObject([{ model: 'virtio', source: 'br0' }]);
    }
    expect(new Set(read.map(({ nics }) => nics[0]?.tap))).toEqual(new Set(['vnet0', null]));
  });
});

describe('where a disk comes from', () => {
  test.each([
    ['file', "<source file='/images/a b.img' index='3'/>", '/images/a b.img'],
    ['block', "<source dev='/dev/disk/by-id/ata-X'/>", '/dev/disk/by-id/ata-X'],
    ['dir', "<source dir='/srv'/>", '/srv'],
    ['volume', "<source pool='default' volume='dsm.qcow2'/>", 'default/dsm.qcow2'],
    ['volume', "<source pool='default'/>", 'default/'],
    ['network', "<source protocol='rbd' name='pool/image'><host name='mon'/></source>", 'rbd:pool/image'],
    ['network', "<source protocol='nbd'><host name='h' port='1'/></source>", 'nbd:'],
    ['nvme', "<source type='pci' managed='yes' namespace='1'><address bus='0x01'/></source>", null],
    ['vhostuser', "<source type='unix' path='/run/v.sock'/>", null],
    ['file', "<source startupPolicy='optional'/>", null],
    ['file', '', null],
  ])('%s %s', (type, source, expected) => {
    expect(diskOf(source, `type='${type}' device='disk'`)?.source).toBe(expected);
  });

  test('of a chain, the disk itself', () => {
    const chain = "<backingStore type='file'><source file='/base'/><backingStore/></backingStore>";
    expect(diskOf(`<source file='/top'/>${chain}<mirror><source file='/copy'/></mirror>`)?.source).toBe('/top');
  });
});

describe('what a disk is for', () => {
  test.each([
    ['a disk', "device='disk'", "bus='scsi'", '', 'data'],
    ['a disk by default', '', "bus='sata'", '', 'data'],
    ['a LUN', "device='lun'", "bus='scsi'", '', 'data'],
    ['a stick', "device='disk'", "bus='usb'", '', 'loader'],
    ['what boots first', "device='disk'", "bus='sata'", "<boot order='1'/>", 'loader'],
    ['what boots first of all disks', "device='disk'", "bus='sata'", "<boot order='2'/>", 'loader'],
    ['a LUN that boots first', "device='lun'", "bus='scsi'", "<boot order='1'/>", 'loader'],
    ['a CD drive', "device='cdrom'", "bus='sata'", "<boot order='1'/>", 'removable'],
    ['a CD drive on USB', "device='cdrom'", "bus='usb'", '', 'removable'],
    ['a floppy drive', "device='floppy'", "bus='fdc'", '', 'removable'],
  ])('%s', (_, device, bus, boot, role) => {
    const { disks } = devices(`<disk type='file' ${device}><target dev='x' ${bus}/>${boot}</disk>`);
    expect(disks).toMatchObject([{ target: 'x', role }]);
  });

  test.each([
    ['the one with a boot order, not another one on USB', "<boot order='1'/>", '', '', ['data', 'loader', 'data']],
    ['the one of the lowest order', "<boot order='3'/>", "<boot order='2'/>", '', ['data', 'data', 'loader']],
    ['the first disk, by `boot dev`', '', '', "<boot dev='cdrom'/><boot dev='hd'/>", ['loader', 'data', 'data']],
    ['the one on USB, where nothing is said', '', '', '', ['data', 'loader', 'data']],
    ['the one on USB, where only other kinds boot', '', '', "<boot dev='network'/>", ['data', 'loader', 'data']],
  ])('the loader is %s', (_, usb, scsi, os, roles) => {
    const row = (bus: string, boot: string) => `<disk type='file'><target dev='${bus}' bus='${bus}'/>${boot}</disk>`;
    const cd = `<disk type='file' device='cdrom'><target dev='cd' bus='sata'/>${usb && "<boot order='1'/>"}</disk>`;
    const rows = `${cd}${row('sata', '')}${row('usb', usb.replace('1', '2'))}${row('scsi', scsi)}`;
    const { disks } = parseDomainXml(`<domain><os>${os}</os><devices>${rows}</devices></domain>`);
    expect(disks.map(({ role }) => role)).toEqual(['removable', ...roles]);
  });

  const hostdev = (type: string, boot = '') =>
    `<hostdev mode='subsystem' type='${type}'><source/><address type='${type}'/>${boot}</hostdev>`;
  const disk = (boot = '') => `<disk type='file'><target dev='sda' bus='sata'/>${boot}</disk>`;
  test.each([
    [
      'a stick of the host that boots first',
      disk("<boot order='2'/>") + hostdev('usb', "<boot order='1'/>"),
      true,
      false,
    ],
    ['a stick of the host, where nothing else can boot', hostdev('usb') + hostdev('pci'), true, true],
    ['a UPS of the host beside the loader', disk("<boot order='1'/>") + hostdev('usb'), false, false],
    ['a LUN of the host', disk("<boot order='1'/>") + hostdev('scsi'), false, true],
  ])('%s', (_, inner, loaderPassedThrough, hiddenDisks) => {
    const hardware = devices(inner);
    expect(hardware).toMatchObject({ loaderPassedThrough, hiddenDisks });
    expect(hardware.disks.some(({ role }) => role === 'loader')).toBe(inner.includes('<disk') && !loaderPassedThrough);
  });

  test('one without a target has no name, and is passed over', () => {
    expect(devices("<disk type='file'><source file='/a'/></disk><disk/><disk></disk>").disks).toEqual([]);
  });
});

describe('where a NIC is plugged in', () => {
  test.each([
    ['bridge', "<source bridge='br0'/><target dev='vnet7'/><model type='virtio'/>", 'br0', 'vnet7', 'virtio'],
    ['network', "<source network='default'/>", 'default', null, null],
    ['network', "<source network='default' portid='x' bridge='virbr0'/><target dev='vnet0'/>", 'virbr0', 'vnet0', null],
    ['direct', "<source dev='eno1' mode='bridge'/><target dev='macvtap0'/>", 'eno1', 'macvtap0', null],
    ['vdpa', "<source dev='/dev/vhost-vdpa-0'/>", '/dev/vhost-vdpa-0', null, null],
    ['user', "<model type='e1000e'/>", null, null, 'e1000e'],
    ['ethernet', "<target dev='mytap' managed='no'/>", null, 'mytap', null],
    ['hostdev', "<source><address type='pci' bus='0x01'/></source>", null, null, null],
    ['vhostuser', "<source type='unix' path='/run/s' mode='client'/>", null, null, null],
  ])('%s %s', (type, inner, source, tap, model) => {
    expect(nicOf(type, inner)).toEqual({ mac: '52:54:00:ab:cd:01', model, source, tap, type, link: null });
  });

  test.each([
    ['up', 'up'],
    ['down', 'down'],
    ['sideways', null],
  ])('its link is %s', (state, link) => {
    expect(nicOf('bridge', `<source bridge='br0'/><link state='${state}'/>`)).toMatchObject({ link });
  });

  test('one without a MAC is passed over', () => {
    expect(devices("<interface type='user'/><interface type='bridge'><source bridge='b'/></interface>").nics).toEqual(
      [],
    );
  });
});

describe('numbers', () => {
  const sized = (memory: string) => parseDomainXml(`<domain>${memory}</domain>`).memory;
  test.each([
    ['<memory>1024</memory>', 2 ** 20],
    ["<memory unit='KiB'>8388608</memory>", 2 ** 33],
    ["<memory dumpCore='off' unit='MiB'>2</memory>", 2 ** 21],
    ["<memory unit='GiB'>4</memory>", 2 ** 32],
    ["<memory unit='b'>7</memory>", 7],
    ["<memory unit='bytes'>7</memory>", 7],
    ["<memory unit='KB'>2</memory>", 2_000],
    ["<memory unit='TiB'>1</memory>", 2 ** 40],
    ["<memory unit='constructor'>1</memory>", null],
    ["<memory unit='furlong'>1</memory>", null],
    ['<memory/>', null],
    ['<memory>lots</memory>', null],
    ['<memory>-1</memory>', null],
    ['<memory>1e3</memory>', null],
    [`<memory>${'9'.repeat(400)}</memory>`, null],
    ["<memory unit='TiB'>9007199254740991</memory>", null],
    ["<memory unit='GiB'>8</memory><currentMemory unit='GiB'>2</currentMemory>", 2 ** 31],
    ['', null],
  ])('%s', (memory, expected) => {
    expect(sized(memory)).toBe(expected);
  });

  test.each([
    ["<vcpu placement='static'>4</vcpu>", 4],
    ["<vcpu current='2'>4</vcpu>", 2],
    ['<vcpu>4</vcpu>', 4],
    ['<vcpu/>', null],
  ])('%s', (vcpu, expected) => {
    expect(parseDomainXml(`<domain>${vcpu}</domain>`).vcpus).toBe(expected);
  });
});

test('names as people write them', () => {
  const path = '/srv/Büro & Söhne <1> \'x\' "y" 群晖';
  const escaped = path.replaceAll(
    /[&<>'"]/g,
    c => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', "'": '&apos;' })[c] ?? '&quot;',
  );
  expect(diskOf(`<source file='${escaped}'/>`)?.source).toBe(path);
  expect(diskOf("<source file='/a&#x20;b&#32;c'/>")?.source).toBe('/a b c');
  expect(diskOf("<source file='/amp;lt;&amp;lt;'/>")?.source).toBe('/amp;lt;&lt;');
});

describe('little or nothing', () => {
  test.each(['<domain/>', '<domain></domain>', '<domain><devices/></domain>', '<network/>', '<domain>text</domain>'])(
    '%s',
    xml => {
      expect(parseDomainXml(xml)).toEqual(unknownHardware);
    },
  );
});

describe('what somebody wrote into the metadata changes nothing', () => {
  test.each([
    ['elements with our names', '<a:disk><target dev="vdx"/></a:disk><disk/><interface/><boot/>'],
    ['elements with names of Object', '<constructor/><hasOwnProperty>1</hasOwnProperty><toString a="b"/>'],
    ['a prototype', '<__proto__><disk/></__proto__><prototype x="1"/>'],
    ['depth', '<a>'.repeat(20_000) + '</a>'.repeat(20_000)],
    ['width', '<a b="c"/>'.repeat(50_000)],
    ['entities', '<a>&amp;&lt;&unknown;</a>'.repeat(2_000)],
    ['CDATA and comments', '<a><![CDATA[</metadata><devices>]]></a><!-- <disk> -->'],
  ])('%s', (_, metadata) => {
    const xml = seed.replace('<memory', () => `<metadata>${metadata}</metadata><memory`);
    const begun = performance.now();
    expect(parseDomainXml(xml)).toEqual(parseDomainXml(seed));
    expect(performance.now() - begun).toBeLessThan(slow);
    expect(({} as Record<string, unknown>)['disk']).toBeUndefined();
  });
});

describe('hostile', () => {
  const laughs = Array.from({ length: 9 }, (_, i) => `<!ENTITY l${i + 1} "${`&l${i};`.repeat(10)}">`).join('');
  test.each([
    ['a billion laughs', `<!DOCTYPE d [<!ENTITY l0 "ha">${laughs}]><domain><memory>&l9;</memory></domain>`],
    ['in an attribute', `<!DOCTYPE d [<!ENTITY l0 "ha">${laughs}]><domain><os><type machine='&l9;'/></os></domain>`],
    [
      'another file',
      '<!DOCTYPE d [<!ENTITY f SYSTEM "file:///etc/passwd">]><domain><os><type machine="&f;"/></os></domain>',
    ],
    ['quadratic', `<!DOCTYPE d [<!ENTITY a "${'a'.repeat(50_000)}">]><domain><x>${'&a;'.repeat(50_000)}</x></domain>`],
  ])('%s', (_, xml) => {
    const begun = performance.now();
    let told = '';
    try {
      told = JSON.stringify(parseDomainXml(xml));
    } catch (error) {
      told = String(error);
    }
    expect(performance.now() - begun).toBeLessThan(slow);
    expect(told.length).toBeLessThan(1_000);
    expect(told).not.toContain('root:');
  });

  test('whatever comes is hardware or an error, and soon', () => {
    const pieces = fc.array(
      fc.oneof(
        fc.constantFrom(
          '<domain>',
          '</domain>',
          '<devices>',
          '</devices>',
          '<disk>',
          '</disk>',
          '<',
          '>',
          '&',
          ']]>',
          '<!',
        ),
        fc.constantFrom("<target dev='a'/>", '<__proto__>', '<memory>', "<mac address='x'/>", '<interface>', '<?xml'),
        fc.string({ maxLength: 8 }),
      ),
    );
    fc.assert(
      fc.property(pieces, all => {
        try {
          const { disks, nics } = parseDomainXml(all.join(''));
          expect(Array.isArray(disks) && Array.isArray(nics)).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
          expect(error).not.toBeInstanceOf(TypeError);
        }
      }),
      { numRuns: 500 },
    );
  });
});
